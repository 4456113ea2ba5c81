"""Which files of a folder and its subfolders are images. Training and reading follow the same rules."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.images.files import SUFFIXES


def visible(folder: Path) -> Iterator[Path]:
    """What is in a folder and its subfolders, without linked folders and names that start with a dot."""
    return (
        path for path in folder.rglob("*") if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def find_image_files(folder: Path) -> list[Path]:
    """Paths with the suffix of an image in a folder and its subfolders, sorted. Linked folders and names that start
    with a dot are skipped. Raises InputError if there are none."""
    found = sorted(path for path in visible(folder) if path.suffix.lower() in SUFFIXES)
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
            if not path.is_dir():
                found.append(path)
                continue
            with os.scandir(path):  # what rglob cannot read, it passes over
                found += find_image_files(path)
        except OSError as error:
            raise InputError(str(error.strerror), path) from None
    return found
