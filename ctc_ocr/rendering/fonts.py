"""Finding font files, and checking that they have the glyphs of an alphabet."""

from collections.abc import Sequence
from pathlib import Path

from PIL import ImageFont

from ctc_ocr.errors import InputError
from ctc_ocr.images.font_characters import font_characters
from ctc_ocr.runtime.home_folder import refuse_tilde
from ctc_ocr.runtime.input_files import MIB, check_stored
from ctc_ocr.runtime.similar_files import named_similarly

SUFFIXES = (".ttf", ".otf")
MAX_FONT_BYTES = 256 * MIB  # a font of all Chinese characters has some tens
EM = 64  # pixels: the size at which glyphs are looked at
MAX_GLYPH = 32 * EM  # width or height: a damaged outline can be thousands of times as large as the font
CHECKED_GLYPHS = 500  # of an alphabet: about 50 ms


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
        refuse_tilde(path)
        raise named_similarly(InputError("no such font file or folder"), path, str(path), SUFFIXES)
    for each in found:
        _check_font(each)
    return tuple(map(str, found))


def _check_font(path: Path) -> None:
    check_stored(path, MAX_FONT_BYTES)  # FreeType reads the whole file
    try:
        _draw(ImageFont.truetype(str(path), EM, layout_engine=ImageFont.Layout.BASIC), "0")
    except (OSError, ValueError) as error:
        raise InputError(f"not a font ({error})", path) from None


def _draw(font: ImageFont.FreeTypeFont, character: str) -> None:
    """Raises OSError or ValueError if it cannot be drawn."""
    left, top, right, bottom = font.getbbox(character)
    if right - left > MAX_GLYPH or bottom - top > MAX_GLYPH:
        raise ValueError(f"a glyph of {right - left:.0f} x {bottom - top:.0f} pixels in a font of {EM}")
    font.getmask(character)


def check_glyphs(fonts: Sequence[str], alphabet: str) -> None:
    """Raise InputError that lists, per font, the characters of the alphabet without a glyph, or names one whose glyph
    is damaged.

    A space needs a glyph too: the captcha library puts spaces between the characters.
    """
    wanted = sorted({*alphabet, " "})
    missing = {font: [char for char in wanted if ord(char) not in characters(font)] for font in fonts}
    lines = [f"{font}: no glyph for {', '.join(map(repr, chars))}" for font, chars in missing.items() if chars]
    if lines:
        raise InputError("\n".join(lines))
    for font in fonts:
        _check_drawn(font, alphabet)


def characters(font: str) -> frozenset[int]:
    """Code points with a glyph. Raises InputError for a damaged font."""
    return font_characters(font)


def _check_drawn(font: str, alphabet: str) -> None:
    """Raises InputError for a glyph that cannot be drawn: now, and not in an image process later."""
    opened = ImageFont.truetype(font, EM, layout_engine=ImageFont.Layout.BASIC)
    for character in alphabet[:CHECKED_GLYPHS]:
        try:
            _draw(opened, character)
        except (OSError, ValueError) as error:
            raise InputError(f"cannot draw {character!r} ({error})", font) from None
