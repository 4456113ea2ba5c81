"""Glyphs of many fonts in several weights, drawn once by Pillow and cached for the wild renderer."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

from ctc_ocr.errors import InputError
from ctc_ocr.rendering.fonts import characters
from ctc_ocr.rendering.wild_kernels import GLYPH

EM = 64  # pixels: the size at which glyphs are drawn
MARGIN = 4  # pixels around a glyph, for the weights that are larger
STYLES = ("plain", "bold", "thin", "hollow")
MIN_THIN = 0.55  # of the plain ink that must be left of a thin glyph
TELLING = "abeghr"  # letters whose two cases have different shapes
MAX_DIFFERENCE = 0.14  # between drawings of one shape, on average
_START_GLYPHS = 256
_START_PIXELS = 1 << 18


class GlyphCache:
    """The glyphs of fonts, by font number, character and style. Not thread-safe."""

    def __init__(self, fonts: Sequence[str], limit: int = 1 << 27) -> None:
        self._paths = fonts
        self._limit = limit  # bytes of pixels
        self._known: dict[int, frozenset[int]] = {}
        self._loaded: dict[int, ImageFont.FreeTypeFont] = {}
        self._choices: dict[frozenset[str], tuple[int, ...]] = {}
        self.clear()

    def clear(self) -> None:
        self.pixels: NDArray[np.uint8] = np.empty(_START_PIXELS, np.uint8)
        self._used = 0
        self.table: NDArray[np.void] = np.zeros(_START_GLYPHS, GLYPH)
        self._indices: dict[tuple[int, str, str], int] = {}

    def full(self) -> bool:
        """Whether its owner must clear it before the next image."""
        return self._used > self._limit

    def fonts_with(self, text: str) -> tuple[int, ...]:
        """Numbers of the fonts that have all characters of a text."""
        wanted = frozenset(text)
        found = self._choices.get(wanted)
        if found is None:
            codes = set(map(ord, wanted))
            found = tuple(n for n in range(len(self._paths)) if codes <= self._characters(n))
            if len(self._choices) < 1 << 16:
                self._choices[wanted] = found
        return found

    def find(self, font: int, character: str, style: str) -> int:
        """The index in `table` of a glyph, drawn if it is not in the cache."""
        key = (font, character, style)
        index = self._indices.get(key)
        if index is None:
            glyph = self._draw(font, character, style)
            index = self._indices[key] = len(self._indices)
            if index == len(self.table):
                self.table = np.concatenate([self.table, np.zeros_like(self.table)])
            self.table[index] = glyph
        return index

    def _draw(self, number: int, character: str, style: str) -> tuple[float, ...]:
        """The fields of GLYPH."""
        font = self._font(number)
        try:
            mask, offset = font.getmask2(character, mode="L", anchor="ls")
        except (OSError, ValueError) as error:  # a damaged glyph
            raise InputError(f"cannot draw {character!r} ({error})", self._paths[number]) from None
        plain = np.array(mask, np.uint8).reshape(mask.size[1], mask.size[0])
        advance = font.getlength(character) / EM
        if not plain.any():  # a space
            return (0,) * 9 + (advance,)
        left, top, width, height = cv2.boundingRect(plain)
        bitmap = _styled(np.pad(plain[top : top + height, left : left + width], MARGIN), style)
        rows, columns = bitmap.shape
        even = np.pad(bitmap, ((0, rows % 2), (0, columns % 2)))
        half = cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_AREA)
        drawn = (*self._store(bitmap), *self._store(np.asarray(half, np.uint8)))
        return (*drawn, width / EM, height / EM, (offset[1] + top) / EM, advance)

    def _characters(self, number: int) -> frozenset[int]:
        """Code points of a font. One whose small letters look like capitals has no small letters: whoever reads such an
        image could not tell which they are."""
        known = self._known.get(number)
        if known is None:
            known = characters(self._paths[number])
            if known >= {ord(letter) for each in TELLING for letter in (each, each.upper())} and (
                sum(self._case_difference(number, each) for each in TELLING) < MAX_DIFFERENCE * len(TELLING)
            ):
                known = frozenset(code for code in known if not chr(code).islower())
            self._known[number] = known
        return known

    def _case_difference(self, number: int, letter: str) -> float:
        """Between a small letter and its capital, each stretched to the same box: 0 for equal shapes, 1 for ink nowhere
        in common."""
        drawn = (self._font(number).getmask(each, mode="L") for each in (letter, letter.upper()))
        small, capital = (cv2.resize(np.array(each, np.float32).reshape(each.size[::-1]), (24, 24)) for each in drawn)
        return float(np.abs(small - capital).sum() / max(1.0, (small + capital).sum()))

    def _font(self, number: int) -> ImageFont.FreeTypeFont:
        if number not in self._loaded:
            path = self._paths[number]
            try:
                self._loaded[number] = ImageFont.truetype(path, EM, layout_engine=ImageFont.Layout.BASIC)
            except OSError as error:
                raise InputError(f"not a font ({error})", path) from None
        return self._loaded[number]

    def _store(self, bitmap: NDArray[np.uint8]) -> tuple[int, int, int]:
        first, end = self._used, self._used + bitmap.size
        if end > len(self.pixels):
            grown = np.empty(2 * end, np.uint8)
            grown[:first] = self.pixels[:first]
            self.pixels = grown
        self.pixels[first:end] = bitmap.ravel()
        self._used = end
        return first, bitmap.shape[1], bitmap.shape[0]


def _styled(plain: NDArray[np.uint8], style: str) -> NDArray[np.uint8]:
    """A bitmap, with its margin, in a style."""
    round_3, round_5 = (cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)) for size in (3, 5))
    if style == "bold":
        return np.asarray(cv2.dilate(plain, round_5), np.uint8)
    if style == "thin":
        thin = cv2.erode(plain, round_3)
        return np.asarray(thin if thin.sum() > MIN_THIN * plain.sum() else plain, np.uint8)
    if style == "hollow":
        return np.asarray(cv2.subtract(cv2.dilate(plain, round_5), cv2.erode(plain, round_3)), np.uint8)
    return plain
