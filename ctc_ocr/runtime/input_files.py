"""Files from outside, looked at before they are read: one of any size takes no more memory than is accepted."""

import io
import os
import stat
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.home_folder import refuse_tilde

MIB = 2**20
MAX_BYTES = 2048 * MIB  # of any file that is read as a whole
MAX_TEXT_BYTES = 256 * MIB  # word lists, texts for language models, tables
MAX_JSON_BYTES = 64 * MIB
MAX_LINE_BYTES = MIB  # of a row of a table, or of a text file with one label
PORTION = MIB  # bytes that are read at a time from a pipe, whose size is not known


def read_bytes(path: str | Path, max_bytes: int = MAX_BYTES, pipes: bool = True) -> bytes:
    """The file's bytes. Raises InputError that names the file, also if it has more bytes than `max_bytes`, or if it is
    a device or a named pipe; without `pipes`, also if it is a pipe that the shell made."""
    with open_stored(path, pipes) as file:
        status = os.fstat(file.fileno())
        if status.st_size > max_bytes:
            raise InputError(too_large(status.st_size, max_bytes), path)
        try:
            return _read(file, path, max_bytes)
        except OSError as error:
            raise InputError(error.strerror or str(error), path) from None


def open_stored(path: str | Path, pipes: bool = False) -> io.FileIO:
    """A file, opened without a buffer to be read; with `pipes`, also one that the shell made, as of `<(command)`.

    Raises InputError that names the file for one that cannot be opened, and for a device, a named pipe or a socket,
    which may give bytes without end or none for ever; opening them waits for nobody.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for somebody who writes to it.
        file = open(path, "rb", buffering=0, opener=_open_at_once)  # noqa: PTH123, SIM115 - Path.open has no opener
    except OSError as error:
        refuse_tilde(path)
        raise InputError(error.strerror or str(error), path) from None
    except ValueError as error:  # a path that no system call accepts, with a NUL in it
        raise InputError(str(error), path) from None
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(mode):
        return file
    if pipes and stat.S_ISFIFO(mode) and _is_of_shell(path):
        os.set_blocking(file.fileno(), True)
        return file
    file.close()
    kind = "a device or a pipe" if not pipes else "a device" if not stat.S_ISFIFO(mode) else "a named pipe"
    raise InputError(f"{kind}; expected a file", path)


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _is_of_shell(path: str | Path) -> bool:
    """Whether the path of a pipe is that of a file descriptor: it has no name of its own, and is open."""
    return os.path.realpath(path).startswith(("/dev/fd/", "/proc/"))


def check_stored(path: str | Path, max_bytes: int) -> None:
    """Raises InputError for what is no file, and for a file with more bytes, before another reader opens it."""
    with open_stored(path) as file:
        size = os.fstat(file.fileno()).st_size
    if size > max_bytes:
        raise InputError(too_large(size, max_bytes), path)


def too_large(size: int, max_bytes: int) -> str:
    """What is said of a file of this size."""
    return f"too large: {size / MIB:,.1f} MiB; the maximum is {max_bytes / MIB:g} MiB"


def _read(file: io.FileIO, path: str | Path, max_bytes: int) -> bytes:
    """All bytes; a portion is the whole file if its size is known."""
    portion = os.fstat(file.fileno()).st_size + 1
    pieces, left = [], max_bytes
    while piece := file.read(portion if portion > 1 else PORTION):
        left -= len(piece)
        if left < 0:
            raise InputError(f"too large: the maximum is {max_bytes / MIB:g} MiB", path)
        pieces.append(piece)
    return b"".join(pieces)
