"""What a missing file or folder was probably meant to be: one whose name differs in case, in spaces at its ends, in
how its accents are written, or in its suffix; one without a folder that is named twice; or one that is nearly called
so."""

import functools
import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.suggestions import like

NEAR = 0.7  # similarity by difflib: photos is 0.73 like fotos
MAX_COMPARED = 10_000  # names in a folder


def named_similarly(
    error: InputError, path: str | os.PathLike[str], where: str, suffixes: Sequence[str] = ()
) -> InputError:
    """An error about a file, at another place; if the file is missing, with one of nearly the same name, or of the same
    name with one of these suffixes."""
    similar = similar_path(Path(path), suffixes)
    if similar is None:
        return InputError(error.reason, where)
    return InputError(f"{error.reason}; there is {similar!r}", where)


def similar_path(path: Path, suffixes: Sequence[str] = ()) -> str | None:
    """A path that exists, and differs from this one as names may, or has one of these suffixes; its last part alone
    where the folder is the same. None if there is none, or if this one exists. Names that end in one of the suffixes
    are many and nearly alike, so that no other one is taken for them."""
    place = Path(path.anchor)
    for name in path.parts[1 if path.anchor else 0 :]:
        exact = place / name
        found = exact if os.path.lexists(exact) else _similar(place, name, suffixes)
        if found is None and name == place.name and place / name != path:  # written from beside the folder
            continue
        if found is None and not name.lower().endswith(tuple(suffixes)):
            found = _nearly_alike(place, name)
        if found is None:
            return None
        place = found
    if place == path:
        return None
    return place.name if place.parent == path.parent else str(place)


def _similar(folder: Path, name: str, suffixes: Sequence[str]) -> Path | None:
    try:
        names = _names(str(folder), folder.stat().st_mtime_ns)
    except OSError:
        return None
    stems = dict.fromkeys((name, Path(name).stem))
    wanted = (name, *(f"{stem}{suffix}" for stem in stems for suffix in suffixes))
    similar = next((names[_normal(each)] for each in wanted if _normal(each) in names), None)
    return None if similar is None else folder / similar


def _nearly_alike(folder: Path, name: str) -> Path | None:
    """What has a name with the same suffix, which does not differ in its numbers alone."""
    try:
        names = _names(str(folder), folder.stat().st_mtime_ns).values()
    except OSError:
        return None
    if len(names) > MAX_COMPARED:
        return None
    suffix, letters = Path(name).suffix.lower(), _without_numbers(name)
    found = like(
        name,
        (each for each in names if Path(each).suffix.lower() == suffix and _without_numbers(each) != letters),
        NEAR,
    )
    return folder / found if found else None


def _without_numbers(name: str) -> str:
    return re.sub(r"\d+", "", name)


@functools.lru_cache(maxsize=16)
def _names(folder: str, changed: int) -> dict[str, str]:
    """{normal name: name} of what is in a folder. `changed`: when, so that it is read again after that."""
    return {_normal(name): name for name in sorted(os.listdir(folder), reverse=True)}  # noqa: PTH208


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip()
