"""What a renderer is. The built-in ones are in rendering/."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.config.registries import RENDERERS
from ctc_ocr.config.sections import Data


class BatchRenderer(Protocol):
    """Renders texts[n], with seeds[n] (N,) uint64, into out[n], (N, height, width) uint8, dark ink on light paper."""

    def render_batch(self, texts: Sequence[str], seeds: NDArray[np.uint64], out: NDArray[np.uint8]) -> None: ...


# What a name stands for: a function, or a class, that makes a renderer of font files and hyperparameters.
MakeRenderer = Callable[[tuple[str, ...], Data], BatchRenderer]


def register_renderer(name: str) -> Callable[[MakeRenderer], MakeRenderer]:
    """A decorator that registers a class derived from `ctc_ocr.Renderer`, or a function (fonts, data) -> renderer."""
    return RENDERERS.register(name)
