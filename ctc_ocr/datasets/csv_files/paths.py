"""Paths of images as a CSV file has them: from its folder, also as Windows writes them."""

import os
import re
from pathlib import Path, PureWindowsPath

BROKEN = {"\0": "\\x00", "\n": "\\n", "\r": "\\r"}
OF_WINDOWS = re.compile(r"[A-Za-z]:/|.*\\", re.DOTALL)


def is_file(path: Path) -> bool:
    """Whether there is a file; also for a path that no system call accepts."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def locate(folder: Path, written: str) -> Path:
    """The file that a path means in a CSV file of this folder. It need not exist, except for a path of Windows.

    That may have backslashes. If it starts at a drive, and is not there, the file with the most of its last components
    below the folder is meant. Raises ValueError, with what was tried, if there is none.
    """
    path = folder / written
    if not OF_WINDOWS.match(written) or is_file(path):
        return path
    tried = []
    for path in _of_windows(folder, PureWindowsPath(written)):
        if is_file(path):
            return path
        tried.append(str(path))
    raise ValueError(f"no such file: {written}; tried also {', '.join(tried)}")


def _of_windows(folder: Path, written: PureWindowsPath) -> list[Path]:
    if not written.anchor:
        return [folder.joinpath(*written.parts)]
    parts = written.parts[1:]
    below = [parts[start:] for start in range(len(parts)) if ".." not in parts[start:]]
    return [folder.joinpath(*each) for each in below]


def written_path(image: str | os.PathLike[str], table: Path | None) -> str:
    """The path of an image as a row of a CSV file has it: from the file's folder, or absolute, where it is no file that
    could be moved (None). Line ends and NULs are escaped: no row can be read with them."""
    path = str(Path(image).absolute()) if table is None else relative_path(image, table)
    return without_line_ends(path)


def without_line_ends(field: str) -> str:
    """A field of a CSV file with line ends and NULs as escapes."""
    for broken, shown in BROKEN.items():
        field = field.replace(broken, shown)
    return field


def relative_path(image: str | os.PathLike[str], table: Path) -> str:
    """The path of an image from the folder of a CSV file, with slashes, also if that folder is a link. It is absolute
    if the two are on different drives."""
    image, folder = Path(image), table.parent.resolve()
    absolute = image.parent.resolve() / image.name
    try:
        return Path(os.path.relpath(absolute, folder)).as_posix()
    except ValueError:
        return absolute.as_posix()
