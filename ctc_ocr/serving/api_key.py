"""The key that requests must show."""

import os
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.input_files import read_bytes

VARIABLE = "CTC_OCR_API_KEY"
MAX_KEY_BYTES = 4096


def find_api_key(path: Path | None) -> str | None:
    """The key in a file, without whitespace around it; without a file, that of the environment variable
    CTC_OCR_API_KEY; None if there is neither. Raises InputError for a file that cannot be read, and for a key that is
    empty or not printable ASCII without spaces."""
    if path is not None:
        key, where = read_bytes(path, MAX_KEY_BYTES).decode("latin-1").strip(), str(path)
    elif VARIABLE in os.environ:
        key, where = os.environ[VARIABLE].strip(), VARIABLE
    else:
        return None
    if not key or not all("!" <= each <= "~" for each in key):
        raise InputError("expected a key of printable ASCII characters without spaces", where)
    return key
