"""Captchas with the distribution of the captcha library's, drawn tens of times faster."""

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
from ctc_ocr.rendering.fast_parameters import can_follow, dot_pixels, read_masks, read_settings, seen_colours, turns


@dataclass(frozen=True)
class FastRenderer:
    """Draws texts as the captcha package's ImageCaptcha, or a class with other attributes, does; sizes are pixels.

    An image depends on its text and its 64-bit seed alone: not on its batch, the process, their number or the machine
    (other releases of Pillow may draw a character's outline otherwise). Its random numbers are those of SplitMix64,
    used in the order in which the library would ask for them, so that the library, fed with the same numbers, draws the
    same image up to rounding. It can be pickled; compiled code, fonts and characters are loaded once a process.

    The first image in a process raises InputError where `can_follow` gives a reason, or for a font that is none.
    """

    fonts: tuple[str, ...]
    draw_width: int = 160
    draw_height: int = 60
    width: int = 80
    height: int = 30
    captcha_class: type[ImageCaptcha] = ImageCaptcha

    def render(self, text: Sequence[str], generator: np.random.Generator) -> npt.NDArray[np.uint8]:
        """One image, (height, width) uint8, dark ink on light paper; draws one seed from the generator."""
        image = np.empty((1, self.height, self.width), np.uint8)
        self.render_batch([text], generator.integers(0, 2**64, size=1, dtype=np.uint64), image)
        return np.asarray(image[0], np.uint8)

    def render_batch(
        self, texts: Sequence[Sequence[str]], seeds: npt.NDArray[np.uint64], out: npt.NDArray[np.uint8]
    ) -> None:
        """Draw texts[n], a string or units, not empty, with seeds[n] into out[n].

        seeds (N,) uint64; out (N, height, width) uint8, written in place if it is C-contiguous.
        """
        _engine(self).render(texts, seeds, out)

    def prepare(self) -> None:
        """Compile, or load from disk what was compiled before, and check class and fonts.

        Once in the parent, before workers start, spares each of them the compilation.
        """
        self.render("0", np.random.default_rng(0))


class _Engine:
    """What a process keeps for one renderer; a lock keeps threads from growing the atlas at the same time."""

    def __init__(self, renderer: FastRenderer) -> None:
        reason = can_follow(renderer.captcha_class, renderer.draw_width, renderer.draw_height)
        if reason is not None:
            raise InputError(f"the fast renderer cannot follow this captcha class: {reason}")
        captcha: Any = renderer.captcha_class(
            width=renderer.draw_width, height=renderer.draw_height, fonts=list(renderer.fonts)
        )
        try:
            fonts = captcha.truefonts
        except OSError as error:
            raise InputError(f"not a font that can be read: {', '.join(renderer.fonts)} ({error})") from None
        self._lock = threading.Lock()
        self._atlas = Atlas(fonts)
        self._settings = read_settings(captcha, len(fonts))
        self._masks = read_masks(captcha)
        self._seen = seen_colours(turns(self._settings))
        self._dot = dot_pixels()
        self._shrink_x = _bilinear(renderer.draw_width, renderer.width)
        self._shrink_y = _bilinear(renderer.draw_height, renderer.height)

    def render(self, texts: Sequence[Sequence[str]], seeds: npt.NDArray[np.uint64], out: npt.NDArray[np.uint8]) -> None:
        if not out.flags.c_contiguous:
            whole = np.empty(out.shape, np.uint8)
            self.render(texts, seeds, whole)
            out[:] = whole
            return
        if not len(texts):
            return
        # Each layout of an array would have the kernels compiled once more.
        seeds = np.ascontiguousarray(seeds, np.uint64)
        lengths = np.array([len(text) for text in texts])
        starts = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(lengths, out=starts[1:])
        chosen = np.empty(starts[-1], np.int64)
        fast_kernels.choose_fonts(seeds, starts, self._settings, chosen)
        with self._lock:
            if self._atlas.full():
                self._atlas.clear()
            find = self._atlas.find
            letters = (letter for text in texts for letter in text)
            units = np.array([find(font, letter) for font, letter in zip(chosen.tolist(), letters, strict=True)])
            atlas = (self._atlas.pixels, self._atlas.glyphs, self._atlas.spaces, self._room(int(lengths.max())))
        pixels, glyphs, spaces, room = atlas
        fast_kernels.render_batch(
            seeds,
            starts,
            units,
            pixels,
            glyphs,
            spaces,
            self._settings,
            self._masks,
            self._seen,
            self._dot,
            self._shrink_x,
            self._shrink_y,
            room,
            out,
        )

    def _room(self, longest: int) -> tuple[int, int, int, int]:
        """Sizes of the kernel's scratch arrays: a character's pixels, filter weights, their rows, a canvas's pixels."""
        settings, largest = self._settings[0], self._atlas.largest
        most = max(abs(settings["warp_dx"]).max(), abs(settings["warp_dy"]).max())
        # A character is widened on both sides by up to twice its size times the range of the warp, and rotated.
        side = int(largest * (1 + 4 * most) + 4 * most) + 8
        canvas = max(2 * longest * largest, int(settings["draw_width"]))
        weights = 4 * max(side, canvas) + 8 * max(side, int(settings["draw_width"])) + 64
        return side * side, weights, max(side, canvas), canvas * int(settings["draw_height"])


@functools.lru_cache(maxsize=16)
def _engine(renderer: FastRenderer) -> _Engine:
    return _Engine(renderer)


def _bilinear(old: int, new: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """For each new pixel the old pixel on its left and how far it is on the way to the next one (cv2.INTER_LINEAR)."""
    place = (np.arange(new) + 0.5) * (old / new) - 0.5
    left = np.clip(np.floor(place).astype(np.int64), 0, old - 1)
    share = np.where(left < old - 1, np.clip(place - left, 0, 1), 0)
    return left, share.astype(np.float32)
