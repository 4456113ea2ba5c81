"""Captchas with the distribution of the captcha library's, rendered tens of times faster."""

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from captcha.image import ImageCaptcha

from ctc_ocr.errors import InputError
from ctc_ocr.rendering import fast_kernels
from ctc_ocr.rendering.fast_glyphs import Atlas
from ctc_ocr.rendering.fast_parameters import can_follow, dot_pixels, read_masks, read_settings, rotates, seen_colours


@dataclass(frozen=True)
class FastRenderer:
    """Renders as the captcha package's ImageCaptcha, or a class with other attributes, does; sizes in pixels.

    An image depends on its text and its 64-bit seed only, not on batch, process or machine (but other releases of
    Pillow may draw other outlines). The SplitMix64 random numbers of a seed are used in the order in which the library
    asks for its own: given the same numbers, the library draws the same image up to rounding. Picklable; compiled code,
    fonts and glyphs are loaded once per process.

    The first image in a process raises InputError if `can_follow` gives a reason, or for an invalid font.
    """

    fonts: tuple[str, ...]
    draw_width: int = 160
    draw_height: int = 60
    width: int = 80
    height: int = 30
    captcha_class: type[ImageCaptcha] = ImageCaptcha

    def render(self, text: Sequence[str], generator: np.random.Generator) -> npt.NDArray[np.uint8]:
        """One image, (height, width) uint8, dark ink; takes one seed from the generator."""
        image = np.empty((1, self.height, self.width), np.uint8)
        self.render_batch([text], generator.integers(0, 2**64, size=1, dtype=np.uint64), image)
        return np.asarray(image[0], np.uint8)

    def render_batch(
        self, texts: Sequence[Sequence[str]], seeds: npt.NDArray[np.uint64], out: npt.NDArray[np.uint8]
    ) -> None:
        """Render texts[n], a string or a sequence of units, not empty, with seeds[n] into out[n].

        seeds (N,) uint64; out (N, height, width) uint8, fastest if C-contiguous.
        """
        _engine(self).render(texts, seeds, out)

    def prepare(self) -> None:
        """Compile, or load from numba's cache, and check class and fonts.

        If the parent does it before it starts image processes, they need not compile.
        """
        self.render("0", np.random.default_rng(0))


class _Engine:
    """What a process caches per renderer. A lock protects the atlas from concurrent threads."""

    def __init__(self, renderer: FastRenderer) -> None:
        reason = can_follow(renderer.captcha_class, renderer.draw_width, renderer.draw_height)
        if reason is not None:
            raise InputError(f"the fast renderer does not support this captcha class: {reason}")
        captcha: Any = renderer.captcha_class(
            width=renderer.draw_width, height=renderer.draw_height, fonts=list(renderer.fonts)
        )
        try:
            fonts = captcha.truefonts
        except OSError as error:
            raise InputError(f"not a font: {', '.join(renderer.fonts)} ({error})") from None
        self._lock = threading.Lock()
        self._atlas = Atlas(fonts)
        self._settings = read_settings(captcha, len(fonts))
        self._masks = read_masks(captcha)
        self._seen = seen_colours(rotates(self._settings))
        self._dot = dot_pixels()
        self._shrink_x = _bilinear(renderer.draw_width, renderer.width)
        self._shrink_y = _bilinear(renderer.draw_height, renderer.height)

    def render(self, texts: Sequence[Sequence[str]], seeds: npt.NDArray[np.uint64], out: npt.NDArray[np.uint8]) -> None:
        if not out.flags.c_contiguous:
            contiguous = np.empty(out.shape, np.uint8)
            self.render(texts, seeds, contiguous)
            out[:] = contiguous
            return
        if not len(texts):
            return
        # numba compiles the kernels anew for every layout of an array.
        seeds = np.ascontiguousarray(seeds, np.uint64)
        settings = self._settings
        lengths = np.array([len(text) for text in texts])
        starts = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(lengths, out=starts[1:])
        chosen = np.empty(starts[-1], np.int64)
        fast_kernels.choose_fonts(seeds, starts, settings.num_fonts, settings.space_probability, chosen)
        with self._lock:
            if self._atlas.full():
                self._atlas.clear()
            find = self._atlas.find
            letters = (letter for text in texts for letter in text)
            units = np.array([find(font, letter) for font, letter in zip(chosen.tolist(), letters, strict=True)])
            atlas = (self._atlas.pixels, self._atlas.glyphs, self._atlas.spaces, self._sizes(int(lengths.max())))
        pixels, glyphs, spaces, sizes = atlas
        fast_kernels.render_batch(
            seeds,
            starts,
            units,
            pixels,
            glyphs,
            spaces,
            settings,
            self._masks,
            self._seen,
            self._dot,
            self._shrink_x,
            self._shrink_y,
            sizes,
            out,
        )

    def _sizes(self, max_length: int) -> tuple[int, int, int, int]:
        """Sizes of the kernel's scratch arrays; see fast_kernels.render_batch."""
        settings, max_side = self._settings, self._atlas.max_side
        width, height = settings.draw_width, settings.draw_height
        warp = max(map(abs, (settings.min_warp_x, settings.max_warp_x, settings.min_warp_y, settings.max_warp_y)))
        # A character grows on both sides by up to twice its size times the range of the warp, and is rotated.
        side = int(max_side * (1 + 4 * warp) + 4 * warp) + 8
        canvas_width = max(2 * max_length * max_side, width)
        rows = max(side, canvas_width)
        weights = 4 * rows + 8 * max(side, width) + 64
        return side * side, weights, rows, canvas_width * height


@functools.lru_cache(maxsize=16)
def _engine(renderer: FastRenderer) -> _Engine:
    return _Engine(renderer)


def _bilinear(old: int, new: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Per new pixel, the old pixel on its left and the fraction of the way to the next one (cv2.INTER_LINEAR)."""
    place = (np.arange(new) + 0.5) * (old / new) - 0.5
    left = np.clip(np.floor(place).astype(np.int64), 0, old - 1)
    fraction = np.where(left < old - 1, np.clip(place - left, 0, 1), 0)
    return left, fraction.astype(np.float32)
