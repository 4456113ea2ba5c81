"""Files that are replaced as a whole: a crash leaves the older one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ctc_ocr.errors import RunError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name in the same folder, whose file takes the path's place once it is whole and on disk.

    Raises RunError that names the path if the disk refuses.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have a file's contents, or a folder's entries, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
