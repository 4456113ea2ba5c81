"""Reading text and JSON files from outside."""

import json
from pathlib import Path
from typing import Any

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.input_files import MAX_JSON_BYTES, MAX_TEXT_BYTES, read_bytes


def read_text(path: str | Path, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """The text of a UTF-8 file; a byte order mark is skipped. Raises InputError that names the file."""
    return parse_text(read_bytes(path, max_bytes), path)


def parse_text(content: bytes, where: str | Path) -> str:
    """As read_text, of a file's content; `where` is its name in errors."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text, at byte {error.start}: save the file as UTF-8", where) from None


def read_json(path: str | Path) -> Any:
    """The value of a JSON file in UTF-8. Raises InputError that names the file."""
    return parse_json(read_bytes(path, MAX_JSON_BYTES), path)


def parse_json(content: bytes, where: str | Path) -> Any:
    """As read_json, of a file's content; `where` is its name in errors."""
    text = parse_text(content, where)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}", where) from None
