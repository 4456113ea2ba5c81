"""Where the labels of a folder are: in a file, in text files beside the images, or in the images' names.

Names are taken for labels only if nothing else in the folder, or beside it, may contain them.
"""

import itertools
import os
from dataclasses import replace
from pathlib import Path

from ctc_ocr.datasets.labels_csv import LABELS_FILE
from ctc_ocr.datasets.samples import CSV_OPTIONS, Rows, Sample, SourceOptions
from ctc_ocr.datasets.sources.files import is_labels_file, open_file, refuse_options
from ctc_ocr.datasets.sources.folders import Folder, scan_folder
from ctc_ocr.datasets.sources.lists import IMAGES
from ctc_ocr.datasets.sources.names import PATTERN_HINT, read_names
from ctc_ocr.datasets.sources.texts import read_text_files
from ctc_ocr.errors import InputError

MAX_NAMED = 3
ROWS_TRIED = 20  # of a file beside the folder


def open_folder(path: Path, options: SourceOptions) -> Rows:
    """Samples of a folder: of a file with labels in it or in its folder `images`, of text files, or of names.

    With a pattern, always of names. Raises InputError if there are several files with labels; and where names would be
    taken although other files may contain the labels.
    """
    folder = scan_folder(path)
    if options.pattern is None and (table := _table(folder)):
        rows = open_file(table, options)
        return replace(rows, form=rows.form + folder.not_read({table}), notes=(*folder.notes, *rows.notes))
    kind = f"a folder without {LABELS_FILE} or a list of labels"
    refuse_options(path, kind, options, *CSV_OPTIONS)
    if options.pattern is None:
        folder.require_images()
        if rows_of_texts := read_text_files(folder, options.unicode_form):
            return rows_of_texts
        _refuse_unexplained(folder)
        _refuse_labels_beside(folder)
    return read_names(folder, options)


def is_read_by(source: str | Path, path: Path) -> bool:
    """Whether a file is a source itself, or the file with the labels of a folder."""
    file, read = Path(os.path.realpath(path)), Path(os.path.realpath(source))
    return file == read or (file.parent in (read, read / IMAGES) and file.is_file() and is_labels_file(file))


def _table(folder: Folder) -> Path | None:
    """The file with the labels. Raises InputError if there are several."""
    places = (folder.path, folder.path / IMAGES)
    found = [path for path in folder.others if path.parent in places and is_labels_file(path)]
    if len(found) > 1:
        reason = f"several files may have its labels: {_shown(found, folder)}. Use one of them as the source"
        raise InputError(reason, folder.path)
    return found[0] if found else None


def _refuse_unexplained(folder: Folder) -> None:
    """Names must not be taken for labels that are in a file."""
    found = folder.unexplained()
    if found:
        raise InputError(
            f"are its labels in {_shown(found, folder)}, or in the names of its images? Use a file with paths and "
            f"labels as the source (CSV, a list, or JSON), or {PATTERN_HINT}",
            folder.path,
        )


def _refuse_labels_beside(folder: Folder) -> None:
    """The images of a data set may have been named in place of the data set."""
    place = folder.path.resolve()
    try:
        beside = sorted(path for path in place.parent.iterdir() if path.is_file() and is_labels_file(path))
    except OSError:
        return
    if tables := [str(table) for table in beside if _names_images_of(table, place)]:
        raise InputError(
            f"are its labels in {' or '.join(tables)}, or in the names of its images? Use such a file as the source, "
            f"or {PATTERN_HINT}",
            folder.path,
        )


def _names_images_of(table: Path, folder: Path) -> bool:
    try:
        rows = list(itertools.islice(open_file(table, SourceOptions()), ROWS_TRIED))
    except InputError:
        return False
    images = [Path(row.image) for row in rows if isinstance(row, Sample)]
    return any(folder in image.parents and image.exists() for image in images)


def _shown(paths: list[Path], folder: Folder) -> str:
    names = [str(path.relative_to(folder.path)) for path in paths[:MAX_NAMED]]
    return ", ".join(names) + (f" and {len(paths) - MAX_NAMED} more" if len(paths) > MAX_NAMED else "")
