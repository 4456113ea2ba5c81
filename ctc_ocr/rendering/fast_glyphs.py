"""The atlas: characters as Pillow draws them, cached as bitmaps for the fast renderer."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from PIL.ImageFont import FreeTypeFont

from ctc_ocr.errors import InputError
from ctc_ocr.rendering.fast_kernels import GLYPH

_START_PIXELS = 1 << 16
_START_GLYPHS = 256


class Atlas:
    """A cache of glyphs, each drawn at its first use. Not thread-safe.

    It is full above `limit` bytes of pixels; its owner then clears it before the next batch.
    """

    def __init__(self, fonts: Sequence[FreeTypeFont], limit: int = 1 << 26) -> None:
        self._fonts = fonts
        self._limit = limit
        # Only the width of a space counts: it has no pixels.
        self.spaces: npt.NDArray[np.int64] = np.array([self._size(font, " ")[0] for font in fonts], np.int64)
        self.clear()

    def clear(self) -> None:
        self.pixels: npt.NDArray[np.uint8] = np.empty(_START_PIXELS, np.uint8)
        self.glyphs: npt.NDArray[np.void] = np.zeros(_START_GLYPHS, GLYPH)
        self.max_side = int(self.spaces.max())  # pixels: maximum diagonal, width or height of a glyph
        self._used = 0
        self._indices: list[dict[str, int]] = [{} for _ in self._fonts]
        self._count = 0

    def full(self) -> bool:
        return self._used > self._limit

    def find(self, font: int, unit: str) -> int:
        """Index in `glyphs` of a character in font number `font`."""
        index = self._indices[font].get(unit)
        return self._draw(font, unit) if index is None else index

    def _draw(self, font: int, unit: str) -> int:
        try:
            width, height = self._size(self._fonts[font], unit)
            ink, left, top = _ink(self._fonts[font], unit)
        except (OSError, ValueError) as error:  # a damaged glyph
            raise InputError(f"cannot draw {unit!r} ({error})", str(self._fonts[font].path)) from None
        if self._count == len(self.glyphs):
            self.glyphs = np.concatenate([self.glyphs, np.zeros_like(self.glyphs)])
        if self._used + ink.size > len(self.pixels):
            grown = np.empty(2 * (len(self.pixels) + ink.size), np.uint8)
            grown[: self._used] = self.pixels[: self._used]
            self.pixels = grown
        self.pixels[self._used : self._used + ink.size] = ink.ravel()
        self.glyphs[self._count] = (self._used, ink.shape[1], ink.shape[0], left, top, width, height)
        self.max_side = max(self.max_side, width, height, math.ceil(math.hypot(*ink.shape)))
        self._indices[font][unit] = self._count
        self._used += ink.size
        self._count += 1
        return self._count - 1

    @staticmethod
    def _size(font: FreeTypeFont, unit: str) -> tuple[int, int]:
        """Width and height of a character's image: the right and lower ends of its box if drawn at (1, 1)."""
        box = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((1, 1), unit, font=font)
        return int(box[2]), int(box[3])


def _ink(font: FreeTypeFont, unit: str) -> tuple[npt.NDArray[np.uint8], int, int]:
    """The ink (height, width) uint8, cropped to its box, and the left and top of the box if drawn at (0, 0)."""
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), unit, font=font)
    left, top = math.floor(left) - 1, math.floor(top) - 1
    image = Image.new("RGBA", (math.ceil(right) - left + 2, math.ceil(bottom) - top + 2))
    ImageDraw.Draw(image).text((-left, -top), unit, font=font, fill=(0, 0, 0, 255))
    alpha = image.getchannel("A")
    box = alpha.getbbox()
    if box is None:
        return np.empty((0, 0), np.uint8), 0, 0
    return np.asarray(alpha.crop(box), dtype=np.uint8), left + box[0], top + box[1]
