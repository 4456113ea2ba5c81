"""The fields of a row, and the delimiter between them. A row is a line: quotes do not extend over lines."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence

from ctc_ocr.alphabet import is_text
from ctc_ocr.datasets.csv_files.text import undecoded
from ctc_ocr.datasets.csv_files.units import SPLITTER, is_split
from ctc_ocr.images.files import SUFFIXES

DELIMITERS = (",", ";", "\t")  # recognised ones, the likeliest first


def parse_row(line: str, delimiter: str, encoding: str = "utf-8") -> list[str]:
    """Fields of a row. Raises ValueError for a bad row: bytes that are not in the encoding, a NUL, bad quotes."""
    if "\0" in line:
        raise ValueError(
            "contains a NUL byte: not a text file, a damaged one, or one in another encoding (such as --encoding "
            "utf-16-le)"
        )
    if not line.isascii() and (reason := undecoded(line, encoding)):
        raise ValueError(reason)
    if not is_text(line):
        raise ValueError("not valid Unicode: it has half of a surrogate pair")
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise ValueError(f"bad quoting: {error}; a quoted field must end on its line, before the delimiter") from None


def is_empty_row(line: str, delimiter: str) -> bool:
    """Whether there is nothing but delimiters: spreadsheets write such lines for rows that were emptied."""
    return not line.strip(delimiter)


def parse_rows(lines: Iterable[str], delimiter: str) -> list[list[str]]:
    """Fields of the rows that are not bad."""
    rows = []
    for line in lines:
        try:
            rows.append(parse_row(line, delimiter))
        except ValueError:
            continue
    return rows


def is_image_name(field: str) -> bool:
    """Whether it ends like the name of an image file."""
    return field.lower().endswith(SUFFIXES)


def likeliest_delimiter(lines: Sequence[str], delimiters: Iterable[str]) -> str:
    """The delimiter with which most rows have the path of an image file, preferably at their beginning."""

    def score(delimiter: str) -> tuple[int, int, int, int]:
        rows = [row for row in parse_rows(lines, delimiter) if len(row) > 1]
        lengths = Counter(map(len, rows))
        return (
            sum(any(map(is_image_name, row)) for row in rows),
            sum(is_image_name(row[0]) for row in rows),
            sum(any(is_split(field, SPLITTER) for field in row) for row in rows),
            max(lengths.values(), default=0),
        )

    return max(delimiters, key=score)
