"""Files that are replaced as a whole: a crash leaves the older one."""

import errno
import itertools
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ctc_ocr.errors import RunError

WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
NO_SYNC = (errno.EACCES, errno.EBADF, errno.EINVAL, errno.EOPNOTSUPP)  # of a folder
LEFT = 60.0  # seconds since it was last written to: a younger file may be of a process of another machine or container

_numbers = itertools.count()  # of the calls of this process


def is_device(path: Path) -> bool:
    """Whether it is a device or a pipe, which is written to and never replaced by a file."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def replacing(path: Path, sync: bool = True) -> Iterator[Path]:
    """A temporary name in the same folder, whose file replaces `path` once it is complete and on disk.

    The target of a symbolic link is replaced, not the link; a device is written to directly. Raises RunError that names
    the path if it cannot be written; other errors of the block pass through unchanged. Each call has its own name: of
    several threads or processes that write the same file, the last one's is left. What a killed process left is removed
    after a minute.

    Without `sync` it is not waited for the disk, which takes some milliseconds, nor looked for what a killed process
    left: for many small files that can be made again.
    """
    device = is_device(path)
    target = Path(os.path.realpath(path))
    temporary = path if device else target.with_name(f".{target.name}.{os.getpid()}-{next(_numbers)}.tmp")
    if sync and not device:
        _remove_left(target)
    try:
        try:
            yield temporary
        except OSError as error:
            if _is_about(error, temporary):
                raise _cannot_write(path, error) from None
            raise
        if not device:
            try:
                if sync:
                    _sync(temporary)
                temporary.replace(target)
                if sync and os.name != "nt":  # Windows cannot open folders
                    _sync_folder(target.parent)
            except OSError as error:
                raise _cannot_write(path, error) from None
    finally:
        if not device:
            _remove(temporary)


def replace_content(path: Path, content: bytes) -> None:
    """Replace a file by one with this content, after that was on disk and could be read back from it.

    Raises RunError that names the path if it cannot be written, or is not on disk what was written.
    """
    with replacing_content(path, content):
        pass


@contextmanager
def replacing_content(path: Path, content: bytes) -> Iterator[None]:
    """As replace_content, with a block between: the content is on disk before it, and the file is replaced after it."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)
        if not is_device(path) and _read_back(temporary) != content:
            raise RunError("cannot be written: the disk does not give back what was written to it", path)
        yield


def _read_back(path: Path) -> bytes:
    """A file's bytes as they are on disk, where the system can be told to forget those that it has in memory."""
    with path.open("rb") as file:
        _flush(file.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read()


def _is_about(error: OSError, temporary: Path) -> bool:
    """Whether the error is about the temporary file: it names it, or, as of a failed write, names none."""
    if error.filename is None:
        return error.errno in WRITE_ERRORS
    return os.fsdecode(error.filename) == str(temporary)


def _cannot_write(path: Path, error: OSError) -> RunError:
    return RunError(f"cannot be written: {error.strerror}", path)


def _remove(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:  # the folder itself cannot be used, which has been said
        return


def _remove_left(target: Path) -> None:
    """Remove the temporary files of a target whose processes were killed. Not on Windows, where it cannot be asked
    whether a process runs without a risk for it."""
    if os.name == "nt":
        return
    # Earlier versions gave a process one name.
    pattern = re.compile(rf"\.{re.escape(target.name)}\.(\d+)(?:-\d+)?\.tmp")
    with suppress(OSError):  # the folder cannot be used, which writing will say
        for path in target.parent.iterdir():
            match = pattern.fullmatch(path.name)
            if match and not _is_running(int(match[1])) and time.time() - path.stat().st_mtime > LEFT:
                path.unlink(missing_ok=True)


def _is_running(process_id: int) -> bool:
    """Whether there is such a process; also if it is somebody else's."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # a number that no process has, which was not named here
        return True
    return True


def _sync(path: Path) -> None:
    """Flush a file's contents, or a folder's entries, to disk. Raises OSError."""
    # Windows flushes only what is open for writing.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Flush a folder's entries, where its file system can do that: some of networks cannot, and a folder that may be
    written to need not be readable."""
    try:
        _sync(folder)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise


def _flush(descriptor: int) -> None:
    if os.name != "nt":  # there only what is open for writing; `replacing` does it
        os.fsync(descriptor)
