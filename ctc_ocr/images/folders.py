"""Which files of a folder and its subfolders are images. Training and reading follow the same rules."""

import os
from collections.abc import Iterable
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.images.files import SUFFIXES


def images_and_others(folder: Path) -> tuple[list[Path], list[Path]]:
    """Paths with the suffix of an image in a folder and its subfolders, which may be broken links or even folders; and
    the other files; both sorted. Linked folders and names that start with a dot are left out. Raises InputError for a
    folder that cannot be read."""
    try:
        with os.scandir(folder):  # what os.walk cannot read, it passes over
            pass
    except OSError as error:
        raise InputError(str(error.strerror), folder) from None
    images, others = list[Path](), list[Path]()
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        images += (Path(place, name) for name in folders if name.lower().endswith(SUFFIXES))
        for name in files:
            if not name.startswith("."):
                path = Path(place, name)
                (images if path.suffix.lower() in SUFFIXES else others).append(path)
    return sorted(images), sorted(others)


def find_image_files(folder: Path) -> list[Path]:
    """Paths with the suffix of an image in a folder and its subfolders, sorted. Linked folders and names that start
    with a dot are skipped. Raises InputError if there are none, or the folder cannot be read."""
    found, _ = images_and_others(folder)
    if not found:
        raise InputError(f"no image files in this folder; accepted: {', '.join(SUFFIXES)}", folder)
    return found


def find_images(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The paths in their order, with each folder replaced by the image files in it and in its subfolders, sorted.

    Linked folders and names that start with a dot are skipped within a folder. Does not check that files exist. Raises
    InputError for a folder without images, or one that cannot be read.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        try:
            is_folder = path.is_dir()
        except OSError as error:
            raise InputError(str(error.strerror), path) from None
        found += find_image_files(path) if is_folder else [path]
    return found
