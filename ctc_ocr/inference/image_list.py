"""CSV files that list the images to read. No MXNet."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.datasets.csv_files.columns import Columns
from ctc_ocr.datasets.csv_files.fields import is_empty_row, parse_row
from ctc_ocr.datasets.csv_files.layout import Layout, find_layout
from ctc_ocr.datasets.csv_files.paths import locate
from ctc_ocr.datasets.csv_files.text import read_lines
from ctc_ocr.datasets.samples import SourceOptions
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.similar_files import named_similarly


@dataclass(frozen=True)
class ListedImage:
    """An image to read: its name as it was given, and the path of its file."""

    name: str
    path: Path
    where: str = ""  # the row that lists it, for errors
    problem: str = ""  # why that row does not name an image


def read_image_list(path: Path, options: SourceOptions | None = None) -> list[ListedImage]:
    """The images that a CSV file names, one per row; relative paths start from its folder.

    The file is read as CSV files of labelled images are, with the same options for its encoding, its delimiter and the
    column of the images. Without these, it is the column that the header names so, or that has names of image files, or
    else the first. Empty rows are skipped.

    A row that does not name an image is listed with the problem. Raises InputError for a file that cannot be read, or
    has no rows.
    """
    options = options or SourceOptions()
    try:
        layout = find_layout(path, options)
    except InputError as error:
        raise named_similarly(error, path, error.where) from None
    column = _image_column(path, layout, options)
    listed = [
        _listed(path, number, line, layout, column)
        for number, line in enumerate(read_lines(path, layout.encoding), start=1)
        if number >= layout.first and not is_empty_row(line, layout.delimiter)
    ]
    if not listed:
        raise InputError("names no images; expected the path of one in each row", path)
    return listed


def _image_column(path: Path, layout: Layout, options: SourceOptions) -> int:
    width = len(layout.header.names) if layout.header else 0
    if not width and layout.rows:
        width = Counter(map(len, layout.rows)).most_common(1)[0][0]
    columns = Columns(layout.header, max(1, width), [row for row in layout.rows if len(row) == width])
    try:
        return columns.first_image(options.image_column)
    except InputError as error:
        raise error.within(path) from None


def _listed(table: Path, number: int, line: str, layout: Layout, column: int) -> ListedImage:
    where = f"{table}, row {number}"
    try:
        fields = parse_row(line, layout.delimiter, layout.encoding)
        name = fields[column] if column < len(fields) else ""
        return ListedImage(name, locate(table.parent, name), where, "" if name else "no path")
    except ValueError as error:
        return ListedImage(_printable(line), table, where, str(error))


def _printable(line: str) -> str:
    """Without marks of undecoded bytes that stand for ASCII, which `surrogateescape` does not know."""
    return "".join("\ufffd" if "\udc00" <= character < "\udc80" else character for character in line)
