"""Finding font files, and checking that they have the glyphs of an alphabet."""

from collections.abc import Iterable
from pathlib import Path

from PIL import ImageFont

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.input_files import MIB, check_size

SUFFIXES = (".ttf", ".otf")
MAX_FONT_BYTES = 256 * MIB  # a font of all Chinese characters has some tens


def find_fonts(path: str | Path | None) -> tuple[str, ...]:
    """Paths of fonts: a font file, the .ttf and .otf files of a folder sorted by name, or the captcha package's (None).

    Raises InputError if there is none, or for an invalid font.
    """
    if path is None:
        from captcha.image import DEFAULT_FONTS  # not above: commands that read images need no fonts

        return tuple(map(str, DEFAULT_FONTS))
    path = Path(path)
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES and each.is_file())
        if not found:
            raise InputError(f"no font in this folder; accepted: {', '.join(SUFFIXES)}", path)
    elif path.exists():
        found = [path]
    else:
        raise InputError("no such font file or folder", path)
    for each in found:
        _check_font(each)
    return tuple(map(str, found))


def _check_font(path: Path) -> None:
    check_size(path, MAX_FONT_BYTES)  # FreeType reads the whole file
    try:
        ImageFont.truetype(str(path), 10).getmask("0")
    except (OSError, ValueError) as error:
        raise InputError(f"not a font ({error})", path) from None


def check_glyphs(fonts: Iterable[str], alphabet: str) -> None:
    """Raise InputError that lists, per font, the characters of the alphabet without a glyph.

    A space needs a glyph too: the captcha library puts spaces between the characters.
    """
    wanted = sorted({*alphabet, " "})
    missing = {font: [char for char in wanted if ord(char) not in characters(font)] for font in fonts}
    lines = [f"{font}: no glyph for {', '.join(map(repr, chars))}" for font, chars in missing.items() if chars]
    if lines:
        raise InputError("\n".join(lines))


def characters(font: str) -> frozenset[int]:
    """Code points with a glyph. Raises InputError for a damaged font."""
    from fontTools.ttLib import TTFont  # not above, for the same reason

    try:
        # Opened here: fontTools does not close what is not a font.
        with Path(font).open("rb") as file, TTFont(file, fontNumber=0, lazy=True) as opened:
            return frozenset(opened.getBestCmap() or ())
    except Exception as error:  # fontTools raises many kinds for a damaged table
        raise InputError(f"cannot read its character table ({error})", font) from None
