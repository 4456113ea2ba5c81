"""Files that are replaced as a whole: a crash leaves the older one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ctc_ocr.errors import RunError


def is_device(path: Path) -> bool:
    """Whether it is a device or a pipe, which is written to: a file must not take its place."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name in the same folder, whose file takes the path's place once it is whole and on disk.

    What a symbolic link leads to is replaced, not the link; a device stays, and is the name itself. Raises RunError
    that names the path if the disk refuses.
    """
    try:
        if is_device(path):
            yield path
        else:
            yield from _replacing(Path(os.path.realpath(path)))
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from None


def _replacing(target: Path) -> Iterator[Path]:
    # The same name each time: what a killed process left is replaced with the file itself.
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(target)
        _sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have a file's contents, or a folder's entries, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
