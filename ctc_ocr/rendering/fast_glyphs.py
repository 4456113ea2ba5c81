"""The atlas: characters as Pillow draws them, kept as bitmaps for the fast renderer."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from PIL.ImageFont import FreeTypeFont

from ctc_ocr.rendering.fast_kernels import GLYPH

_START_PIXELS = 1 << 16
_START_GLYPHS = 256


class Atlas:
    """Drawn characters of some fonts. A character is drawn when it is first asked for; it is not safe for threads.

    When more than `limit` bytes of pixels are held, all are dropped before the next text and drawn again as needed.
    """

    def __init__(self, fonts: Sequence[FreeTypeFont], limit: int = 1 << 26) -> None:
        self._fonts = fonts
        self._limit = limit
        # As large as the library draws a space, which has no pixels: only its width counts.
        self.spaces: npt.NDArray[np.int64] = np.array([self._size(font, " ")[0] for font in fonts], np.int64)
        self.clear()

    def clear(self) -> None:
        self.pixels: npt.NDArray[np.uint8] = np.empty(_START_PIXELS, np.uint8)
        self.glyphs: npt.NDArray[np.void] = np.zeros(_START_GLYPHS, GLYPH)
        self.largest = int(self.spaces.max())  # pixels: the longest diagonal, width or height of a glyph
        self._used = 0
        self._indices: list[dict[str, int]] = [{} for _ in self._fonts]
        self._count = 0

    def full(self) -> bool:
        return self._used > self._limit

    def find(self, font: int, unit: str) -> int:
        """Index in `glyphs` of a character in the font of that index."""
        index = self._indices[font].get(unit)
        return self._draw(font, unit) if index is None else index

    def _draw(self, font: int, unit: str) -> int:
        width, height = self._size(self._fonts[font], unit)
        ink, left, top = _ink(self._fonts[font], unit)
        if self._count == len(self.glyphs):
            self.glyphs = np.concatenate([self.glyphs, np.zeros_like(self.glyphs)])
        if self._used + ink.size > len(self.pixels):
            grown = np.empty(2 * (len(self.pixels) + ink.size), np.uint8)
            grown[: self._used] = self.pixels[: self._used]
            self.pixels = grown
        self.pixels[self._used : self._used + ink.size] = ink.ravel()
        self.glyphs[self._count] = (self._used, ink.shape[1], ink.shape[0], left, top, width, height)
        self.largest = max(self.largest, width, height, math.ceil(math.hypot(*ink.shape)))
        self._indices[font][unit] = self._count
        self._used += ink.size
        self._count += 1
        return self._count - 1

    @staticmethod
    def _size(font: FreeTypeFont, unit: str) -> tuple[int, int]:
        """Width and height of a character's picture: to the right and lower end of its box when drawn at (1, 1)."""
        box = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((1, 1), unit, font=font)
        return int(box[2]), int(box[3])


def _ink(font: FreeTypeFont, unit: str) -> tuple[npt.NDArray[np.uint8], int, int]:
    """The ink (height, width) uint8 cropped to its box, and the box's left and top when the character is drawn at 0."""
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), unit, font=font)
    left, top = math.floor(left) - 1, math.floor(top) - 1
    picture = Image.new("RGBA", (math.ceil(right) - left + 2, math.ceil(bottom) - top + 2))
    ImageDraw.Draw(picture).text((-left, -top), unit, font=font, fill=(0, 0, 0, 255))
    alpha = picture.getchannel("A")
    box = alpha.getbbox()
    if box is None:
        return np.empty((0, 0), np.uint8), 0, 0
    return np.asarray(alpha.crop(box), dtype=np.uint8), left + box[0], top + box[1]
