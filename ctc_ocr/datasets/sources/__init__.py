"""Sources of labelled images. Every kind of source gives samples and problems, row by row.

A bad row or file becomes a problem and does not stop the others; only a source that cannot be read at all is an error.
Whether labels suit an alphabet and a network, and whether images can be decoded, is checked in datasets/checking.py.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ctc_ocr.datasets.labels_csv import LABELS_FILE
from ctc_ocr.datasets.samples import CSV_OPTIONS, Problem, Rows, Sample, SourceOptions
from ctc_ocr.datasets.sources.delimited import read_delimited
from ctc_ocr.datasets.sources.folders import (
    DEFAULT_PATTERN,
    has_texts,
    other_files,
    read_names,
    read_texts,
)
from ctc_ocr.datasets.sources.packs import read_pack
from ctc_ocr.datasets.sources.registered import SOURCES, open_registered, register_source, split_name
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import SUFFIXES
from ctc_ocr.images.folders import find_image_files

__all__ = ["SOURCES", "open_source", "read_source", "register_source", "samples_and_problems"]

DEFAULT_OPTIONS = SourceOptions()


def open_source(path: str | Path, options: SourceOptions = DEFAULT_OPTIONS) -> Rows:
    """Samples and problems of a source, in its order.

    It is a CSV file, a RecordIO pack (.rec), or a folder: one with a labels.csv; one whose image files have .txt files
    of the same names beside them; or one whose file names contain the labels. With a pattern, a folder is always the
    last. NAME:ARGUMENT is a registered source, unless such a file exists.

    Raises InputError if nothing can be read, for options that do not suit the source, and if a folder has a CSV file of
    another name, which may contain the labels.
    """
    if named := split_name(str(path)):
        return open_registered(*named, options)
    path = Path(path)
    if path.is_dir():
        return _open_folder(path, options)
    if path.suffix == ".rec":
        _refuse(path, "a pack", options, *CSV_OPTIONS, "pattern")
        return read_pack(path, options.unicode_form)
    if path.suffix.lower() in SUFFIXES:
        raise InputError("an image; accepted: a folder of images, a CSV file, or a RecordIO pack (.rec)", path)
    _refuse(path, "a CSV file", options, "pattern")
    return read_delimited(path, options)


def read_source(path: str | Path, options: SourceOptions = DEFAULT_OPTIONS) -> tuple[list[Sample], list[Problem]]:
    """All samples and all problems of `open_source`. Raises InputError also if there is neither."""
    return samples_and_problems(open_source(path, options), path)


def samples_and_problems(rows: Iterable[Sample | Problem], path: str | Path) -> tuple[list[Sample], list[Problem]]:
    """The samples and the problems of an opened source. Raises InputError if there is neither."""
    found = list(rows)
    if not found:
        raise InputError("contains no labelled images", path)
    return [row for row in found if isinstance(row, Sample)], [row for row in found if isinstance(row, Problem)]


def _open_folder(folder: Path, options: SourceOptions) -> Rows:
    table = folder / LABELS_FILE
    if options.pattern is None and table.is_file():
        return read_delimited(table, options)
    _refuse(folder, f"a folder without {LABELS_FILE}", options, *CSV_OPTIONS)
    images = find_image_files(folder)
    if options.pattern is None and has_texts(images):
        return _with_other_files(folder, read_texts(folder, images, options.unicode_form))
    if options.pattern is None:
        _refuse_other_tables(folder)
    return _with_other_files(folder, read_names(images, options))


def _refuse_other_tables(folder: Path) -> None:
    """Names must not be taken for labels that are in a table. The files of a run in the folder are no such tables."""
    names = [path.name for path in folder.iterdir()]
    tables = sorted(name for name in names if name.lower().endswith((".csv", ".tsv")))
    if tables and not any(name.endswith("-symbol.json") for name in names):
        raise InputError(
            f"are its labels in {tables[0]}, or in the names of its images? Use {folder / tables[0]} as the source, or "
            f"a pattern for the names (the usual one is {DEFAULT_PATTERN})",
            folder,
        )


def _with_other_files(folder: Path, rows: Rows) -> Rows:
    """Its form also counts the files that are not read, such as .heic images."""
    return replace(rows, form=rows.form + other_files(folder))


def _refuse(path: Path, kind: str, options: SourceOptions, *names: str) -> None:
    given = [name for name in names if getattr(options, name) is not None]
    if given:
        raise InputError(f"{', '.join(given)} has no effect on {kind}", path)
