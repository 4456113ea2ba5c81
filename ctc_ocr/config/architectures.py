"""Architectures, and what must be known of one without building it: its time steps.

No MXNet here: image processes need the time steps, and never the network.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.config.sections import Network
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.types import Symbol

Build = Callable[[Symbol, Hyperparameters, int, Symbol | None], Symbol]


@dataclass(frozen=True)
class Architecture:
    """How a network is built, and how its time steps follow from the width of an image.

    `build(images, hyperparameters, num_classes, steps)` returns the logits (T, N, num_classes) of images (N, H, W) or
    (N, H, W, 3) uint8; `steps` (N,) float32 are each image's own time steps, or None where all images have the same
    width. Built-in ones are given as "module:name". `columns_per_step(network)` is how many image columns make one time
    step. With `needs_steps`, padding to the right of an image could change its logits, and the network takes `steps` to
    prevent that.
    """

    build: Build | str
    columns_per_step: Callable[[Network], int]
    needs_steps: bool = True


LSTM = Architecture("ctc_ocr.symbols.lstm:logits", lambda network: 1, needs_steps=False)
CRNN = Architecture(
    "ctc_ocr.symbols.crnn:logits", lambda network: math.prod(network.strides) * math.prod(network.pool_widths)
)


def register_architecture(
    name: str, columns_per_step: int | Callable[[Network], int], needs_steps: bool = True
) -> Callable[[Build], Build]:
    """A decorator that registers a function as an architecture; see Architecture for what it gets and returns."""
    if isinstance(columns_per_step, int) and columns_per_step < 1:
        raise InputError(f"{columns_per_step} is less than 1", "columns_per_step")
    columns = columns_per_step if callable(columns_per_step) else lambda network: columns_per_step

    def decorate(build: Build) -> Build:
        ARCHITECTURES.add(name, Architecture(build, columns, needs_steps))
        return build

    return decorate
