"""Sources of labelled images. Every kind of source gives samples and problems, row by row.

A bad row or file becomes a problem and does not stop the others; only a source that cannot be read at all is an error.
Whether labels suit an alphabet and a network, and whether images can be decoded, is checked in datasets/checking.py.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ctc_ocr.alphabet import without_accents
from ctc_ocr.datasets.samples import CSV_OPTIONS, Problem, Rows, Sample, SourceOptions, checked_source_options
from ctc_ocr.datasets.sources.files import open_file, refuse_options
from ctc_ocr.datasets.sources.layouts import open_folder
from ctc_ocr.datasets.sources.packs import find_pack, read_pack
from ctc_ocr.datasets.sources.pages import find_pages, read_pages, refuse_page_options
from ctc_ocr.datasets.sources.registered import SOURCES, open_registered, register_source, split_name
from ctc_ocr.errors import KINDS, InputError
from ctc_ocr.images.files import SUFFIXES
from ctc_ocr.rendering.fonts import SUFFIXES as FONT_SUFFIXES
from ctc_ocr.runtime.similar_files import named_similarly

__all__ = ["SOURCES", "not_empty", "open_source", "read_source", "register_source", "samples_and_problems"]

DEFAULT_OPTIONS = SourceOptions()


def open_source(path: str | Path, options: SourceOptions = DEFAULT_OPTIONS) -> Rows:
    """Samples and problems of a source, in its order.

    It is a CSV file, a list of paths and labels (.txt), a JSON file {"name": "text"}, a RecordIO pack (X.rec, or X
    for X.rec or for all shards of X), or a folder: one with such a file; one with text files beside the images; or one
    whose file names contain the labels; or one of books, whose pages have a box for each character. With a pattern, a
    folder is one of names. NAME:ARGUMENT is a registered source, unless such a file exists.

    Raises InputError if nothing can be read, for what is no path, for options of another kind or that do not suit the
    source, for a folder with several files of labels, and where file names would be taken for labels that may be
    elsewhere.
    """
    if not isinstance(path, KINDS["a path"]):
        raise InputError(f"expected a path, got {path!r}", "source")
    rows = _open(path, checked_source_options(options))
    if rows.is_final:
        return rows
    if options.strip_accents:
        changed = rows
        rows = replace(rows, form=f"{rows.form}; accents removed", read=lambda: _without_accents(changed))
    if options.min_frequency > 1 and not find_pages(Path(path), options):  # of pages, boxes are counted
        rows = _frequent(rows, options.min_frequency)
    return rows


def read_source(path: str | Path, options: SourceOptions = DEFAULT_OPTIONS) -> tuple[list[Sample], list[Problem]]:
    """All samples and all problems of `open_source`. Raises InputError also if there is neither."""
    return samples_and_problems(open_source(path, options), path)


def samples_and_problems(rows: Rows, path: str | Path) -> tuple[list[Sample], list[Problem]]:
    """The samples and the problems of an opened source. Raises InputError if there is neither."""
    found = list(not_empty(rows, path))
    return [row for row in found if isinstance(row, Sample)], [row for row in found if isinstance(row, Problem)]


def not_empty(rows: Rows, path: str | Path) -> Iterator[Sample | Problem]:
    """The rows of an opened source. Raises InputError if there are none."""
    row = None
    for row in rows:
        yield row
    if row is None:
        # A folder may have images, but no rows in its file with labels.
        raise InputError(f"contains no labelled images; its labels were expected in {rows.form}", path)


def _open(path: str | Path, options: SourceOptions) -> Rows:
    if named := split_name(str(path)):
        return open_registered(*named, options)
    path = Path(path)
    if books := find_pages(path, options):
        refuse_options(path, "pages with boxes", options, *(name for name in CSV_OPTIONS if name != "encoding"))
        return read_pages(path, books, options)
    refuse_page_options(path, options)
    if path.is_dir():
        return open_folder(path, options)
    if pack := find_pack(path):
        refuse_options(path, "a pack", options, *CSV_OPTIONS, "pattern")
        return read_pack(pack, options.unicode_form)
    if path.suffix.lower() in FONT_SUFFIXES:
        raise InputError("a font; accepted: labelled images. To train on captchas in this font, name no source", path)
    if path.suffix.lower() in SUFFIXES:
        raise InputError("an image; accepted: a folder of images, a file with labels, or a RecordIO pack (.rec)", path)
    try:
        return open_file(path, options)
    except InputError as error:
        raise error if os.path.lexists(path) else named_similarly(error, path, str(path)) from None


def _frequent(rows: Rows, min_frequency: int) -> Rows:
    """The samples whose units all occur in so many samples. The rows are read twice."""
    counts = Counter(unit for row in rows if isinstance(row, Sample) for unit in {*row.units})

    def read() -> Iterator[Sample | Problem]:
        return (
            row
            for row in rows
            if not isinstance(row, Sample) or all(counts[unit] >= min_frequency for unit in row.units)
        )

    return replace(rows, form=f"{rows.form}; units of at least {min_frequency} samples", read=read)


def _without_accents(rows: Rows) -> Iterator[Sample | Problem]:
    for row in rows:
        if isinstance(row, Sample):
            stripped = map(without_accents, row.units)
            yield replace(row, units=tuple(unit for unit in stripped if unit))
        else:
            yield row
