"""The table of the boxes of a book: BOOK_coordinate.csv, in whatever encoding it is."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.pages.boxes import Box, Rectangle
from ctc_ocr.runtime.input_files import MAX_TEXT_BYTES, read_bytes

COLUMNS = ("Unicode", "Image", "X", "Y", "Block ID", "Char ID", "Width", "Height")
REQUIRED = ("Unicode", "Image", "X", "Y", "Width", "Height")
ENCODINGS = ("utf-8-sig", "shift_jis", "cp932")  # tried in this order; the first two accept few texts of others
CODE_POINT = re.compile(r"U\+([0-9A-Fa-f]{4,6})")
NUMBER = re.compile(r"\d{1,6}")  # pixels
MAX_FIELD = 1000  # characters

Row = tuple[str, Box, str]  # the name of the page's image, a box, and file and row


def read_table(path: Path, encoding: str | None = None) -> Iterator[Row | InputError]:
    """The rows of a table; a bad one is an InputError with file and row, and stops nothing.

    encoding: None for UTF-8 with or without a byte order mark, Shift-JIS or CP932, whichever the bytes are. Raises
    InputError for a file that cannot be read, and one without the columns of REQUIRED.
    """
    lines = csv.reader(io.StringIO(_decoded(path, encoding), newline=""))
    places: dict[str, int] | None = None
    while True:
        try:
            fields = next(lines, None)
        except csv.Error as error:
            yield InputError(f"not a row of a CSV file: {error}", f"{path}, row {lines.line_num}")
            continue
        if fields is None:
            return
        if places is None:
            places = _places(fields, path)
        elif any(fields):
            where = f"{path}, row {lines.line_num}"
            try:
                yield (*_row(fields, places), where)
            except InputError as error:
                yield error.within(where)


def _decoded(path: Path, encoding: str | None) -> str:
    content = read_bytes(path, MAX_TEXT_BYTES, pipes=False)
    for each in (encoding,) if encoding else ENCODINGS:
        try:
            return content.decode(each).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
        except (LookupError, ValueError):
            raise InputError(
                f"no encoding {each!r}; accepted: the names of Python's text encodings", "encoding"
            ) from None
    raise InputError(f"not {encoding}" if encoding else "neither UTF-8, Shift-JIS nor CP932; name its encoding", path)


def _places(header: list[str], path: Path) -> dict[str, int]:
    """{column: its place}."""
    known = {name.lower(): name for name in COLUMNS}
    places = {known[name.strip().lower()]: place for place, name in enumerate(header) if name.strip().lower() in known}
    if missing := [name for name in REQUIRED if name not in places]:
        raise InputError(f"no column {', '.join(missing)}; expected a header {','.join(COLUMNS)}", f"{path}, row 1")
    return places


def _row(fields: list[str], places: dict[str, int]) -> tuple[str, Box]:
    def field(name: str) -> str:
        place = places.get(name)
        if place is None or place >= len(fields):
            return ""
        if len(fields[place]) > MAX_FIELD:
            raise InputError(f"more than {MAX_FIELD} characters", name)
        return fields[place].strip()

    if not field("Image"):
        raise InputError("names no image", "Image")
    left, top = _number(field("X"), "X", 0), _number(field("Y"), "Y", 0)
    width, height = _number(field("Width"), "Width", 1), _number(field("Height"), "Height", 1)
    rectangle = Rectangle(left, top, left + width, top + height)
    block, name = ("".join(each for each in field(column) if each.isprintable()) for column in ("Block ID", "Char ID"))
    return field("Image"), Box(_character(field("Unicode")), rectangle, block, name)


def _number(text: str, name: str, minimum: int) -> int:
    if not NUMBER.fullmatch(text) or int(text) < minimum:
        raise InputError(f"expected a number of pixels from {minimum} to 999999, got {text[:20]!r}", name)
    return int(text)


def _character(text: str) -> str:
    match = CODE_POINT.fullmatch(text)
    code = int(match[1], 16) if match else 0
    if not 0 < code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise InputError(f"expected a code point such as U+3042, got {text[:20]!r}", "Unicode")
    return chr(code)
