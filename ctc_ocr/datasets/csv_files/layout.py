"""How a CSV file is laid out: its encoding, its delimiter, its header and the rows from which more is recognised."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.datasets.csv_files.fields import DELIMITERS, is_empty_row, likeliest_delimiter, parse_rows
from ctc_ocr.datasets.csv_files.header import Header, delimiter_of, find_header
from ctc_ocr.datasets.csv_files.text import find_encoding, read_lines
from ctc_ocr.datasets.samples import SourceOptions
from ctc_ocr.errors import InputError

ANY = "".join(DELIMITERS)
ROWS_FOR_LAYOUT = 1000  # rows from which a file's form is recognised
# The first line by which Excel is told the delimiter, also as a table program saves it again.
SEP = re.compile(r'"?sep=(?P<delimiter>[^"\r\n\0])"?(?P=delimiter)*', re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """`first` is the number of the first row below the header, from 1; `rows` are the fields of the rows from there, as
    far as they were looked at and are not bad."""

    encoding: str
    delimiter: str
    header: Header | None
    first: int
    rows: list[list[str]]


def find_layout(path: Path, options: SourceOptions) -> Layout:
    """From the options, or else the header, or else the rows. Raises InputError for a file that cannot be read, and for
    options that cannot be."""
    _check_characters(options)
    encoding = find_encoding(path, options.encoding)
    lines = list(itertools.islice(read_lines(path, encoding), ROWS_FOR_LAYOUT + 1))
    sep = SEP.fullmatch(lines[0]) if lines else None
    filled = [number for number, line in enumerate(lines) if not is_empty_row(line, ANY)]
    first = next((number for number in filled if not (sep and number == 0)), len(lines))
    lines = [lines[number] for number in filled if number >= first]
    named = options.delimiter or (sep["delimiter"] if sep else None)
    delimiter = named or _recognised_delimiter(lines, path.parent, options)
    rows = parse_rows(lines, delimiter)
    given = (options.image_column, options.label_column)
    wanted = [name for name in given if isinstance(name, str) and not name.isdecimal()]
    # A header that is a bad row is none: the first row that can be read is one below it.
    header = find_header(rows, path.parent, wanted) if rows and parse_rows(lines[:1], delimiter) else None
    return Layout(encoding, delimiter, header, first + 1 + bool(header), rows[1:] if header else rows)


def _check_characters(options: SourceOptions) -> None:
    for name, given, minimum in (("delimiter", options.delimiter, 1), ("splitter", options.splitter, 0)):
        if given is not None and (not minimum <= len(given) <= 1 or given in '"\r\n\0' and given):
            raise InputError(f"expected one character, not a quote or line end, got {given!r}", name)
    if options.delimiter is not None and options.delimiter == options.splitter:
        raise InputError(f"delimiter and splitter are the same: {options.delimiter!r}")


def _recognised_delimiter(lines: Sequence[str], folder: Path, options: SourceOptions) -> str:
    """The header's, or else the likeliest one."""
    candidates = [each for each in DELIMITERS if each != options.splitter]
    if not lines:
        return candidates[0]
    written = delimiter_of(lines[0])
    if written and written != options.splitter:
        return written
    for each in candidates:
        fields = parse_rows(lines[:1], each)
        if fields and len(fields[0]) > 1 and (header := find_header(fields, folder)) and header.has_known_names:
            return each
    return likeliest_delimiter(lines, candidates)
