"""Captchas rendered by the `captcha` package, reproducible from a seed."""

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from captcha.image import ImageCaptcha
from PIL.Image import Image

from ctc_ocr.errors import InputError
from ctc_ocr.rendering.reproducible import SEEDED, Sources, reproducible_instance

CHECKED_SEEDS = 4


@dataclass(frozen=True)
class CaptchaLibraryRenderer:
    """Renders with the captcha package's ImageCaptcha, or a class derived from it; sizes in pixels.

    Equal generators give equal images. Picklable; fonts are loaded once per process. A captcha_class whose random
    numbers cannot be seeded raises InputError at its first image.
    """

    fonts: tuple[str, ...]
    draw_width: int = 160
    draw_height: int = 60
    width: int = 80
    height: int = 30
    captcha_class: type[ImageCaptcha] = ImageCaptcha

    def draw(self, text: str, generator: np.random.Generator) -> Image:
        """The library's own image of a text, not empty: RGB, draw_width by draw_height."""
        return _library(self).draw(text, generator)

    def render(self, text: str, generator: np.random.Generator) -> npt.NDArray[np.uint8]:
        """One image, (height, width) uint8, dark ink."""
        grey = cv2.cvtColor(np.asarray(self.draw(text, generator)), cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.resize(grey, (self.width, self.height)), dtype=np.uint8)

    def render_batch(self, texts: Sequence[str], seeds: npt.NDArray[np.uint64], out: npt.NDArray[np.uint8]) -> None:
        """Render texts[n] with seeds[n], (N,) uint64, into out[n], (N, height, width) uint8."""
        for text, seed, image in zip(texts, seeds.tolist(), out, strict=True):
            image[:] = self.render(text, np.random.Generator(np.random.Philox(key=seed)))


class _Library:
    """A reproducible captcha object and its random sources. A lock protects their stream from concurrent threads."""

    def __init__(self, renderer: CaptchaLibraryRenderer) -> None:
        self._lock = threading.Lock()
        self._sources = Sources()
        self._captcha: Any = reproducible_instance(
            renderer.captcha_class,
            self._sources,
            width=renderer.draw_width,
            height=renderer.draw_height,
            fonts=list(renderer.fonts),
        )
        self._fonts = renderer.fonts
        self._unchecked = renderer.captcha_class is not ImageCaptcha
        # What a damaged font leads to: a ValueError by characters that end above the text; one of another class may be
        # its own.
        self._of_fonts = OSError if self._unchecked else (OSError, ValueError)
        self._name = renderer.captcha_class.__qualname__

    def draw(self, text: str, generator: np.random.Generator) -> Image:
        with self._lock:
            if self._unchecked:
                self._check(text)
            return self._draw(text, generator)

    def _draw(self, text: str, generator: np.random.Generator) -> Image:
        self._sources.reseed(generator)
        try:
            image: Image = self._captcha.generate_image(text)
        except self._of_fonts as error:
            raise InputError(f"cannot draw {text!r} ({error})", ", ".join(self._fonts)) from None
        return image if image.mode == "RGB" else image.convert("RGB")

    def _check(self, text: str) -> None:
        """Several seeds, to detect a source that is used only now and then."""
        first, second = ([self._draw(text, np.random.default_rng(i)) for i in range(CHECKED_SEEDS)] for _ in range(2))
        if any(one.tobytes() != other.tobytes() for one, other in zip(first, second, strict=True)):
            raise InputError(
                f"{self._name} renders two different images from one seed: it uses random numbers that cannot be "
                f"seeded, or keeps state between images. Seeded are {SEEDED}"
            )
        self._unchecked = False


@functools.lru_cache(maxsize=16)
def _library(renderer: CaptchaLibraryRenderer) -> _Library:
    return _Library(renderer)
