"""Files with the labels of images: CSV files, lists and JSON files, told apart by their suffix and content."""

from pathlib import Path

from ctc_ocr.datasets.labels_csv import LABELS_FILE
from ctc_ocr.datasets.samples import CSV_OPTIONS, Rows, SourceOptions
from ctc_ocr.datasets.sources.delimited import read_delimited
from ctc_ocr.datasets.sources.labels_json import LABELS_JSON, is_labels_json, read_labels_json
from ctc_ocr.datasets.sources.lists import LIST_NAME, list_delimiter, read_list
from ctc_ocr.errors import InputError


def open_file(path: Path, options: SourceOptions) -> Rows:
    """Samples of a file with paths and labels. Raises InputError if it cannot be read.

    A .json file is {"name": "text"}. A .txt file is a list if its rows look like one, and no option of CSV files but
    the encoding is given. All others are CSV files.
    """
    if path.suffix.lower() == ".json":
        refuse_options(path, "a JSON file", options, *CSV_OPTIONS, "pattern")
        return read_labels_json(path, options.unicode_form)
    refuse_options(path, "a CSV file", options, "pattern")
    of_csv = [name for name in CSV_OPTIONS if name != "encoding" and getattr(options, name) is not None]
    if path.suffix.lower() == ".txt" and not of_csv:
        delimiter = list_delimiter(path, options.encoding)
        if delimiter:
            return read_list(path, delimiter, options)
    return read_delimited(path, options)


def is_labels_file(path: Path) -> bool:
    """Whether a file in a folder has the labels of the images there, by its name in any case, and its content."""
    name = path.name.lower()
    if name == LABELS_JSON:
        return is_labels_json(path)
    try:
        return name == LABELS_FILE or (LIST_NAME.fullmatch(name) is not None and list_delimiter(path) != "")
    except InputError:
        return False


def refuse_options(path: Path, kind: str, options: SourceOptions, *names: str) -> None:
    """Raises InputError if one of these options is given."""
    given = [name for name in names if getattr(options, name) is not None]
    if given:
        raise InputError(f"{', '.join(given)} has no effect on {kind}", path)
