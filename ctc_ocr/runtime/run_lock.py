"""A lock for the files of a run: two trainings under one prefix would overwrite each other's checkpoints."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ctc_ocr.errors import InputError, RunError

HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def lock_path(prefix: str) -> Path:
    return Path(f"{prefix}.lock")


@contextmanager
def locked_prefix(prefix: str) -> Iterator[None]:
    """Hold the lock of a prefix, a system lock on the file PREFIX.lock. The file is removed at the end.

    The system releases the lock however the process ends; a file that a killed process left locks nothing. On NFS the
    lock holds between machines if the server supports locks; on a file system without locks, nothing is locked.

    Raises RunError while another process holds the lock, InputError if the file cannot be created.
    """
    path = lock_path(prefix)
    descriptor = _locked(path, prefix)
    try:
        yield
    finally:
        if sys.platform == "win32":  # an open file cannot be removed there
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
        else:
            # Before it is released: later, the file could be that of another process.
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(descriptor)


def _locked(path: Path, prefix: str) -> int:
    """A descriptor of the file, locked."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", path) from None
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno in NO_LOCKS:
                return descriptor
            os.close(descriptor)
            if error.errno in HELD:
                raise RunError("another process is training under this prefix", prefix) from None
            raise RunError(f"cannot be locked: {error.strerror}", path) from None
        if _is_file_at(descriptor, path):
            return descriptor
        os.close(descriptor)  # the holder removed the file after it was opened here


def _is_file_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
