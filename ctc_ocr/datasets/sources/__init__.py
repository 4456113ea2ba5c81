"""Where labelled images come from. Every kind of source gives samples and problems, row by row.

A row or a file that is wrong becomes a problem and stops nothing; only a source of which nothing can be read is an
error. Which labels suit an alphabet and a network, and which images can be read, is asked in datasets/checking.py.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ctc_ocr.datasets.labels_csv import LABELS_FILE
from ctc_ocr.datasets.samples import Problem, Rows, Sample, SourceOptions
from ctc_ocr.datasets.sources.delimited import read_delimited
from ctc_ocr.datasets.sources.folders import (
    DEFAULT_PATTERN,
    find_image_files,
    has_texts,
    left_alone,
    read_names,
    read_texts,
)
from ctc_ocr.datasets.sources.packs import read_pack
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import SUFFIXES

DEFAULT_OPTIONS = SourceOptions()


def open_source(path: str | Path, options: SourceOptions = DEFAULT_OPTIONS) -> Rows:
    """Samples and problems of a source, in its order.

    It is a CSV file, a RecordIO pack (.rec), or a folder: one with a labels.csv, or one whose image files have a .txt
    of the same name beside them, or else one whose files' names carry the labels; a pattern makes it the last. Raises
    InputError where nothing can be read, for options that do not suit the source, and where a folder's labels may be in
    a table of another name.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path, options)
    if path.suffix == ".rec":
        _refuse(path, "a pack", options, "delimiter", "splitter", "pattern")
        return read_pack(path, options.normalise)
    if path.suffix.lower() in SUFFIXES:
        raise InputError("an image; accepted: a folder of images, a CSV file, or a RecordIO pack (.rec)", path)
    _refuse(path, "a CSV file", options, "pattern")
    return read_delimited(path, options)


def read_source(path: str | Path, options: SourceOptions = DEFAULT_OPTIONS) -> tuple[list[Sample], list[Problem]]:
    """All samples and all problems of `open_source`. Raises InputError also where there is neither."""
    return samples_and_problems(open_source(path, options), path)


def samples_and_problems(rows: Iterable[Sample | Problem], path: str | Path) -> tuple[list[Sample], list[Problem]]:
    """The samples and the problems of a source that was opened. Raises InputError where there is neither."""
    found = list(rows)
    if not found:
        raise InputError("no labelled images in it", path)
    return [row for row in found if isinstance(row, Sample)], [row for row in found if isinstance(row, Problem)]


def _open_folder(folder: Path, options: SourceOptions) -> Rows:
    table = folder / LABELS_FILE
    if options.pattern is None and table.is_file():
        return read_delimited(table, options)
    _refuse(folder, f"a folder without {LABELS_FILE}", options, "delimiter", "splitter")
    images = find_image_files(folder)
    if options.pattern is None and has_texts(images):
        return _with_others(folder, read_texts(folder, images, options.normalise))
    if options.pattern is None:
        _refuse_unread_tables(folder)
    return _with_others(folder, read_names(images, options))


def _refuse_unread_tables(folder: Path) -> None:
    """Rather than take names for labels that are in a table. A run that was put among its images has tables too."""
    names = [path.name for path in folder.iterdir()]
    tables = sorted(name for name in names if name.lower().endswith((".csv", ".tsv")))
    if tables and not any(name.endswith("-symbol.json") for name in names):
        raise InputError(
            f"{folder}: are its labels in {tables[0]}, or in the names of its images? {folder / tables[0]} is a source "
            f"of its own; a pattern ({DEFAULT_PATTERN} is the usual one) takes the names"
        )


def _with_others(folder: Path, rows: Rows) -> Rows:
    """Also saying what files are not read, pictures of a telephone, say."""
    return replace(rows, form=rows.form + left_alone(folder))


def _refuse(path: Path, what: str, options: SourceOptions, *names: str) -> None:
    given = [name for name in names if getattr(options, name) is not None]
    if given:
        raise InputError(f"{path} is {what}: {', '.join(given)} would mean nothing there")
