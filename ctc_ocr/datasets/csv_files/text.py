"""The lines of a CSV file: its encoding, and bytes that are not in it."""

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.input_files import MAX_LINE_BYTES, open_stored

UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
SPREADSHEETS = {
    b"PK\x03\x04": "an .xlsx or .ods spreadsheet, or a ZIP file",
    b"\xd0\xcf\x11\xe0": "an .xls spreadsheet",
}
HOW_TO_SAVE = "in Excel: Save as, CSV UTF-8; in LibreOffice: Save as, Text CSV, character set Unicode (UTF-8)"
MARK_UNDECODED = "ctc_ocr.mark_undecoded"  # an error handler of codecs
WITHOUT_MARK = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}  # encodings with a byte order mark
FIRST_MARK, LAST_MARK = "\udc00", "\udcff"


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Bytes that cannot be decoded become lone surrogates, one each, as `surrogateescape` makes them in UTF-8."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(ord(FIRST_MARK) + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(MARK_UNDECODED, _mark)


def check_encoding(encoding: str) -> None:
    """Raises InputError for a name that is no text encoding of Python."""
    try:
        "a".encode(encoding).decode(encoding)
    except (LookupError, ValueError):
        raise InputError(
            f"no encoding {encoding!r}; accepted: the names of Python's text encodings, such as utf-8, utf-16, cp1252, "
            "latin-1, shift_jis",
            "encoding",
        ) from None


def find_encoding(path: Path, given: str | None = None) -> str:
    """The encoding that is given, or else UTF-16 if the file starts with its byte order mark, or else UTF-8.

    Raises InputError for a name that is no encoding, a file that cannot be read, and a spreadsheet.
    """
    if given is not None:
        check_encoding(given)
    with open_stored(path) as file:
        start = file.read(4)
    if start in SPREADSHEETS:
        raise InputError(
            f"{SPREADSHEETS[start]}; accepted: a CSV file. Open it and save it as CSV ({HOW_TO_SAVE})", path
        )
    if given is not None:
        return codecs.lookup(given).name
    return "utf-16" if start.startswith(UTF_16_MARKS) else "utf-8"


def read_lines(path: Path, encoding: str) -> Iterator[str]:
    """Lines without their ends and without a byte order mark; LF, CR LF and CR end a line, and nothing else does.

    A byte that is not in the encoding is marked in its line, see `undecoded`. Raises InputError for a file that cannot
    be read.
    """
    try:
        with io.TextIOWrapper(io.BufferedReader(open_stored(path)), encoding, MARK_UNDECODED) as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                if len(line) > MAX_LINE_BYTES:
                    raise InputError(f"a row of more than {MAX_LINE_BYTES:,} characters; expected a text file", path)
                yield (line if number else line.removeprefix("\ufeff")).removesuffix("\n")
                number += 1
    except OSError as error:
        raise InputError(str(error.strerror), path) from None
    except UnicodeError as error:  # of an encoding that cannot go on after an error
        raise InputError(f"not {encoding}: {error}", path) from None


def undecoded(line: str, encoding: str) -> str:
    """Which byte of a line is not in the encoding, and what can be done; "" if all are."""
    index = next((index for index, character in enumerate(line) if FIRST_MARK <= character <= LAST_MARK), None)
    if index is None:
        return ""
    position = len(line[:index].encode(WITHOUT_MARK.get(encoding, encoding), "replace")) + 1
    byte = ord(line[index]) - ord(FIRST_MARK)
    advice = f"save the file as UTF-8 ({HOW_TO_SAVE}), or name its encoding, such as --encoding cp1252"
    return (
        f"not {encoding.upper()}: {byte:#04x} at byte {position} of the row; "
        f"{advice if encoding == 'utf-8' else 'is this the encoding of the file?'}"
    )
