"""Characters as old Japanese books show them, from fonts: kana in all of their forms, one character or a column.

An image is black on white and without clutter: augmentation of the training images does the rest.
"""

import functools
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import ImageFont

from ctc_ocr.config.sections import Data
from ctc_ocr.errors import InputError
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.rendering.fonts import characters
from ctc_ocr.rendering.kana_forms import forms
from ctc_ocr.rendering.renderer import Renderer

SIZE = 64  # pixels, of the em
PAPER = 255
OVERLAP, DISTANCE = 0.1, 0.2  # of neighbours at most, as a fraction of the size
SIDEWAYS = 0.08  # from the middle of the column, likewise
MARK_SIZES = 0.8, 1.3  # of a voiced kana's mark beside an older form


class OldJapaneseRenderer(Renderer):
    """Renders a text as a column or, if data.writing is horizontal, as a row: (H, W) uint8, cut to the ink.

    Each character has one of its forms (`kana_forms.forms`) in one of the fonts that have it. Raises InputError
    without a font, for a damaged one, and if no font has a character of `data.alphabet`.
    """

    def __init__(self, fonts: Sequence[str] = (), data: Data | None = None) -> None:
        super().__init__(fonts, data)
        if not self.fonts:
            raise InputError("expected at least one font", "fonts")
        missing = [each for each in self.data.alphabet if not _drawable(self.fonts, each)]
        if missing:
            raise InputError(f"no font has a glyph for {', '.join(map(repr, missing))}", ", ".join(self.fonts[:3]))

    def render(self, text: str, generator: np.random.Generator) -> Pixels:
        """One image of a text, not empty."""
        glyphs = [_random_glyph(_drawable(self.fonts, character), generator) for character in text]
        if self.data.writing == "vertical":
            return _column(glyphs, generator)
        return np.ascontiguousarray(_column([glyph.T for glyph in glyphs], generator).T)


Group = tuple[tuple[str, tuple[str, ...]], ...]  # forms, and the fonts that have each


@functools.lru_cache(maxsize=1 << 13)
def _drawable(fonts: tuple[str, ...], character: str) -> tuple[tuple[Group, str], ...]:
    """Groups of forms with the fonts that have them, and the mark that each group needs."""
    found = []
    groups, mark = forms(character)
    for group in groups:
        needed = "" if group == (character,) else mark
        drawn = tuple((form, fitting) for form in group if (fitting := _fonts_with(fonts, form + needed)))
        if drawn:
            found.append((drawn, needed))
    return tuple(found)


def _fonts_with(fonts: tuple[str, ...], needed: str) -> tuple[str, ...]:
    """The fonts that have ink for each of these characters: some have empty glyphs for characters that they lack."""
    return tuple(font for font in fonts if all(draw_glyph(font, each) is not None for each in needed))


@functools.lru_cache(maxsize=256)
def _code_points(font: str) -> frozenset[int]:
    return characters(font)


@functools.lru_cache(maxsize=256)
def _font(path: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, SIZE)


@functools.lru_cache(maxsize=1 << 14)  # 60 MB
def draw_glyph(font: str, character: str) -> Pixels | None:
    """A character, cut to its ink: (H, W) uint8, 0 where there is ink. None if the font lacks it, or has no ink for it.
    Raises InputError for a damaged font."""
    if ord(character) not in _code_points(font):
        return None
    try:
        mask = _font(font).getmask(character, mode="L")
    except (OSError, ValueError) as error:
        raise InputError(f"cannot draw {character!r} ({error})", font) from None
    ink = np.array(mask, np.uint8).reshape(mask.size[1], mask.size[0])
    left, top, width, height = cv2.boundingRect(ink)
    if not width:
        return None
    return np.subtract(PAPER, ink[top : top + height, left : left + width], dtype=np.uint8)


def _random_glyph(drawable: tuple[tuple[Group, str], ...], generator: np.random.Generator) -> Pixels:
    """Groups are equally likely, whatever their number of forms: modern kana do not drown in rare ones."""
    group, mark = drawable[generator.integers(len(drawable))]
    form, fonts = group[generator.integers(len(group))]
    font = fonts[generator.integers(len(fonts))]
    glyph = draw_glyph(font, form)
    assert glyph is not None
    return _marked(glyph, draw_glyph(font, mark), generator) if mark else glyph


def _marked(glyph: Pixels, mark: Pixels | None, generator: np.random.Generator) -> Pixels:
    """A glyph with the mark of a voiced kana at its upper right."""
    assert mark is not None
    scale = generator.uniform(*MARK_SIZES)
    mark = cv2.resize(mark, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rows, columns = glyph.shape
    left = max(0, columns - int(generator.integers(0, SIZE // 8)))
    top = int(generator.integers(0, max(1, rows // 3)))
    image = np.full((max(rows, top + mark.shape[0]), max(columns, left + mark.shape[1])), PAPER, np.uint8)
    image[:rows, :columns] = glyph
    _put(image, mark, top, left)
    return image


def _column(glyphs: Sequence[Pixels], generator: np.random.Generator) -> Pixels:
    """Glyphs from top to bottom, about in the middle: their distances and places vary."""
    distances = generator.uniform(-OVERLAP, DISTANCE, len(glyphs)) * SIZE
    middles = generator.uniform(-SIDEWAYS, SIDEWAYS, len(glyphs)) * SIZE
    tops, bottom = list[int](), 0
    for glyph, distance in zip(glyphs, distances, strict=True):
        tops.append(max(0, bottom + round(distance)) if tops else 0)
        bottom = max(bottom, tops[-1] + glyph.shape[0])
    lefts = [round(middle - glyph.shape[1] / 2) for glyph, middle in zip(glyphs, middles, strict=True)]
    first = min(lefts)
    width = max(left + glyph.shape[1] for left, glyph in zip(lefts, glyphs, strict=True)) - first
    image = np.full((bottom, width), PAPER, np.uint8)
    for glyph, top, left in zip(glyphs, tops, lefts, strict=True):
        _put(image, glyph, top, left - first)
    return image


def _put(image: Pixels, glyph: Pixels, top: int, left: int) -> None:
    place = image[top : top + glyph.shape[0], left : left + glyph.shape[1]]
    np.minimum(place, glyph, out=place)


def make_old_japanese(fonts: tuple[str, ...], data: Data) -> OldJapaneseRenderer:
    """The renderer of these fonts."""
    return OldJapaneseRenderer(fonts, data)
