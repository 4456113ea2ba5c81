"""A font with glyphs for the characters of pages, among those that are installed."""

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import ImageFont

from ctc_ocr.errors import InputError
from ctc_ocr.images.font_characters import font_characters

SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts", "/Library/Fonts",
           "/System/Library/Fonts", "C:/Windows/Fonts")  # fmt: skip
MIN_SHARE = 0.5  # of the characters: a font with fewer is of another script


def find_glyph_font(characters: Iterable[str], given: str | Path | None = None) -> Path:
    """The font that is given, or else the installed one that has the most of these characters.

    Raises InputError for a given file that is no font, and if no installed font has half of the characters.
    """
    wanted = frozenset(map(ord, characters))
    if given is not None:
        try:
            ImageFont.truetype(str(given), 10).getmask("0")
        except (OSError, ValueError) as error:
            raise InputError(f"not a font ({error})", given) from None
        return Path(given)
    shares = {path: len(wanted & _code_points(path)) for path in _installed(wanted)}
    best = max(shares, key=lambda path: shares[path], default=None)
    if best is None or shares[best] < MIN_SHARE * len(wanted):
        raise InputError(
            "no installed font has these characters: install one (Debian: fonts-ipaexfont, fonts-noto-cjk), or name "
            "its file",
            "font",
        )
    return best


def _installed(wanted: frozenset[int]) -> list[Path]:
    """Fonts that fontconfig says have one of the characters, or else those of the usual folders."""
    some = sorted(wanted)[:: max(1, len(wanted) // 8)]
    try:
        listed = [_listed(f":charset={code:x}") for code in some]
    except OSError:  # no fontconfig
        return sorted(_in_folders())
    return sorted({path for paths in listed for path in paths})


def _listed(pattern: str) -> list[Path]:
    done = subprocess.run(["fc-list", "--format=%{file}\n", pattern], capture_output=True, text=True, check=False)
    return [Path(line) for line in done.stdout.splitlines() if line.lower().endswith(SUFFIXES)]


def _in_folders() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from (path for path in Path(folder).expanduser().rglob("*") if path.suffix.lower() in SUFFIXES)


def _code_points(path: Path) -> frozenset[int]:
    """Of the first font in the file, which is the one that Pillow draws with; none for a file that is damaged."""
    try:
        return font_characters(path)
    except InputError:
        return frozenset()
