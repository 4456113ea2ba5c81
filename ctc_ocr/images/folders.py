"""Which files of a folder and its subfolders are images. Training and reading follow the same rules."""

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.images.files import SUFFIXES

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """The files of a folder and its subfolders, both kinds sorted, and the subfolders that cannot be read.

    images: paths with the suffix of an image, which may be broken links or even folders.
    unreadable: errors with the path of a subfolder as `where`.
    """

    images: list[Path]
    others: list[Path]
    unreadable: list[InputError]


def find_files(folder: Path) -> Found:
    """The files of a folder and its subfolders. Linked folders and names that start with a dot are left out. Raises
    InputError for a folder that cannot be read; a subfolder of somebody else, such as lost+found, is no error."""
    try:
        with os.scandir(folder):
            pass
    except OSError as error:
        raise InputError(str(error.strerror), folder) from None
    images, others, unreadable = list[Path](), list[Path](), list[InputError]()

    def pass_over(error: OSError) -> None:
        unreadable.append(InputError(f"this subfolder is not read: {error.strerror}", error.filename))

    for place, folders, files in os.walk(folder, onerror=pass_over):
        folders[:] = [name for name in folders if not name.startswith(".")]
        images += (Path(place, name) for name in folders if name.lower().endswith(SUFFIXES))
        for name in files:
            if not name.startswith("."):
                path = Path(place, name)
                (images if path.suffix.lower() in SUFFIXES else others).append(path)
    return Found(sorted(images), sorted(others), unreadable)


def find_image_files(folder: Path) -> list[Path]:
    """Paths with the suffix of an image in a folder and its subfolders, sorted. Linked folders and names that start
    with a dot are skipped; a subfolder that cannot be read is, with a warning in the log. Raises InputError if there
    are none, or the folder cannot be read."""
    found = find_files(folder)
    for error in found.unreadable:
        log.warning("%s", error)
    if not found.images:
        raise InputError(f"no image files in this folder; accepted: {', '.join(SUFFIXES)}", folder)
    return found.images


def find_images(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The paths in their order, with each folder replaced by the image files in it and in its subfolders, sorted.

    Within a folder, linked folders and names that start with a dot are skipped, and, with a warning in the log,
    subfolders that cannot be read. Does not check that files exist. Raises InputError for a folder without images, or
    one that cannot be read.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        try:
            is_folder = path.is_dir()
        except OSError as error:
            raise InputError(str(error.strerror), path) from None
        found += find_image_files(path) if is_folder else [path]
    return found
