"""CSV files that list the images to read. No MXNet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.datasets.labels_csv import HEADER as LABELS_HEADER
from ctc_ocr.datasets.sources.delimited import (
    DELIMITERS,
    ROWS_FOR_FORM,
    is_other_header,
    likeliest_delimiter,
    parse_row,
    read_lines,
)
from ctc_ocr.errors import InputError


@dataclass(frozen=True)
class ListedImage:
    """An image to read: its name as it was given, and the path of its file."""

    name: str
    path: Path
    where: str = ""  # the row that lists it, for errors
    problem: str = ""  # why that row does not name an image


def read_image_list(path: Path) -> list[ListedImage]:
    """The images in the first column of a CSV file, one per row; relative paths start from its folder.

    Fields are separated as in CSV files of labelled images. A first row that begins with `image` is a header, and so is
    one that begins with another word if the rows after it begin with names of images. Empty lines are skipped.

    A row that does not name an image is listed with the problem. Raises InputError for a file that cannot be read, or
    has no rows.
    """
    lines = list(read_lines(path))
    delimiter = _delimiter(lines)
    listed = [_listed(path, number, line, delimiter) for number, line in enumerate(lines, start=1) if line]
    if listed and (listed[0].name == LABELS_HEADER[0] or is_other_header(path, lines[:ROWS_FOR_FORM], delimiter)):
        listed = listed[1:]
    if not listed:
        raise InputError("names no images; expected the path of one at the beginning of each row", path)
    return listed


def _delimiter(lines: Sequence[bytes]) -> str:
    """The header's, or else the likeliest one."""
    first = next(filter(None, lines), b"")
    named = [each for each in DELIMITERS if first.startswith(f"{LABELS_HEADER[0]}{each}".encode())]
    return named[0] if named else likeliest_delimiter(lines[:ROWS_FOR_FORM], DELIMITERS)[0]


def _listed(table: Path, number: int, line: bytes, delimiter: str) -> ListedImage:
    where = f"{table}, row {number}"
    whole_line = line.decode("utf-8", "surrogateescape")
    try:
        name = parse_row(line, delimiter)[0]
    except UnicodeDecodeError as error:
        return ListedImage(whole_line, table, where, f"not UTF-8: byte {error.start + 1} of the row")
    except ValueError as error:
        return ListedImage(whole_line, table, where, str(error))
    return ListedImage(name, table.parent / name, where, "" if name else "no path")
