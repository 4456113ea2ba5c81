"""CSV files of infer: which images to read, and what was read in them."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
from ctc_ocr.runtime.atomic_files import replacing

HEADER = ("image", "text", "confidence", "status")
READ, REFUSED, UNREADABLE = "read", "refused", "unreadable"  # the status of a row


@dataclass(frozen=True)
class Listed:
    """An image that is to be read: `name` is how it was given, `path` where it is."""

    name: str
    path: Path
    where: str = ""  # the row that names it, for messages
    problem: str = ""  # why that row names none


def read_listed(path: Path) -> list[Listed]:
    """The images that a CSV file names in its first column, a row a line; relative paths start from its folder.

    Fields are separated as in labelled images' CSV files; a header begins with `image`, or with another word where all
    rows after it begin with an image's name; empty lines mean nothing.

    A row that names no image has a problem. Raises InputError for a file that cannot be read, or has no rows.
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
    """That of the header, or else the likeliest one."""
    first = next(filter(None, lines), b"")
    named = [each for each in DELIMITERS if first.startswith(f"{LABELS_HEADER[0]}{each}".encode())]
    return named[0] if named else likeliest_delimiter(lines[:ROWS_FOR_FORM], DELIMITERS)[0]


def _listed(table: Path, number: int, line: bytes, delimiter: str) -> Listed:
    where = f"{table}, row {number}"
    as_it_stands = line.decode("utf-8", "surrogateescape")
    try:
        name = parse_row(line, delimiter)[0]
    except UnicodeDecodeError as error:
        return Listed(as_it_stands, table, where, f"not UTF-8: byte {error.start + 1} of the row")
    except ValueError as error:
        return Listed(as_it_stands, table, where, str(error))
    return Listed(name, table.parent / name, where, "" if name else "no path")


Write = Callable[[str, str, float | None, str], None]


@contextmanager
def readings_file(path: Path) -> Iterator[Write]:
    """A function that writes a row: image, text, confidence (None: nothing) and status. The file, in UTF-8, appears
    under its name once all rows are written. Raises RunError where it cannot be written."""
    with (
        replacing(path) as unfinished,
        unfinished.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)

        def write(image: str, text: str, confidence: float | None, status: str) -> None:
            image = image.replace("\0", "\\x00")  # which no CSV file can hold
            writer.writerow((image, text, "" if confidence is None else f"{confidence:.6f}", status))

        yield write
