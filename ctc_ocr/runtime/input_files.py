"""Files from outside, looked at before they are read: one of any size takes no more memory than is accepted."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ctc_ocr.errors import InputError

MIB = 2**20
MAX_BYTES = 2048 * MIB  # of any file that is read as a whole
MAX_TEXT_BYTES = 256 * MIB  # word lists, texts for language models, tables
MAX_JSON_BYTES = 64 * MIB
MAX_LINE_BYTES = MIB  # of a row of a table, or of a text file with one label
PORTION = MIB  # bytes that are read at a time from a pipe, whose size is not known


def read_bytes(path: str | Path, max_bytes: int = MAX_BYTES, pipes: bool = True) -> bytes:
    """The file's bytes. Raises InputError that names the file, also if it has more bytes than `max_bytes`, if it is a
    device, or, without `pipes`, a pipe."""
    try:
        if not pipes and not _is_stored(Path(path).stat().st_mode):
            raise InputError("a device or a pipe; expected a file", path)  # opening a pipe could wait forever
        with Path(path).open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
                raise InputError("a device; expected a file", path)
            if status.st_size > max_bytes:
                raise InputError(too_large(status.st_size, max_bytes), path)
            return _read(file, path, max_bytes)
    except OSError as error:
        raise InputError(error.strerror or str(error), path) from None
    except ValueError as error:  # a path that no system call accepts, with a NUL in it
        raise InputError(str(error), path) from None


def check_size(path: str | Path, max_bytes: int) -> None:
    """Raises InputError for a file with more bytes, before another reader opens it. What cannot be looked at passes."""
    try:
        size = Path(path).stat().st_size
    except (OSError, ValueError):
        return
    if size > max_bytes:
        raise InputError(too_large(size, max_bytes), path)


def too_large(size: int, max_bytes: int) -> str:
    """What is said of a file of this size."""
    return f"too large: {size / MIB:,.1f} MiB; the maximum is {max_bytes / MIB:g} MiB"


def _is_stored(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _read(file: BinaryIO, path: str | Path, max_bytes: int) -> bytes:
    """All bytes; a portion is the whole file if its size is known."""
    portion = os.fstat(file.fileno()).st_size + 1
    pieces, left = [], max_bytes
    while piece := file.read(portion if portion > 1 else PORTION):
        left -= len(piece)
        if left < 0:
            raise InputError(f"too large: the maximum is {max_bytes / MIB:g} MiB", path)
        pieces.append(piece)
    return b"".join(pieces)
