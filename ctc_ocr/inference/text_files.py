"""A .txt file beside each image, with the text that was read in it. A folder of such images is a source. No MXNet."""

import os
from collections.abc import Iterable
from pathlib import Path

from ctc_ocr.datasets.sources.texts import TEXT_SUFFIX
from ctc_ocr.errors import InputError, check_kind
from ctc_ocr.runtime.atomic_files import replacing


def write_text(image: str | os.PathLike[str], text: str | None, *, overwrite: bool = False) -> None:
    """Write the text of an image into the .txt file beside it, in UTF-8 with a line end; None: leave it without one.

    With `overwrite`, an older file is replaced, or for None removed. Raises InputError if there is an older file and
    not `overwrite`, and RunError if the file cannot be written.
    """
    check_kind("a path", image=image)
    check_kind("a text", or_none=True, text=text)
    check_kind("True or False", overwrite=overwrite)
    path = _text_path(Path(image))
    if _exists(path):
        if not overwrite:
            raise InputError("exists already: replace it with overwrite", path)
        if text is None:
            path.unlink()
    if text is not None:
        with replacing(path, sync=False) as temporary:
            temporary.write_text(f"{text}\n", encoding="utf-8", newline="\n")


def check_text_files(images: Iterable[Path], overwrite: bool) -> None:
    """Raises InputError if the .txt files of these images exist, unless `overwrite`, or if two images share one."""
    owners: dict[Path, Path] = {}
    for image in images:
        path = _text_path(image)
        other = owners.setdefault(path, image)
        if other != image:
            raise InputError(f"would be the text of {other} and of {image}: rename one of them", path)
    existing = [path for path in owners if _exists(path)]
    if folders := [path for path in existing if path.is_dir()]:
        raise InputError("is a folder; expected the name of a file", folders[0])
    if existing and not overwrite:
        more = f", and {len(existing) - 1} more," if len(existing) > 1 else ""
        raise InputError(f"exists already{more} beside the images: replace with --overwrite", existing[0])


def _text_path(image: Path) -> Path:
    path = image.with_suffix(TEXT_SUFFIX) if image.name else image
    if path == image:
        raise InputError(f"an image of this name cannot have a {TEXT_SUFFIX} file beside it", image)
    return path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # no system call accepts this path; nor could its image be read
        return False
