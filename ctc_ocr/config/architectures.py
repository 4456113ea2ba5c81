"""Architectures, and what must be known of one without building it: its time steps.

No MXNet here: image processes need the time steps, and never the network.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.config.sections import Network
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.types import Symbol

LAST_LAYER = "pred_fc"  # in every architecture, as in MXNet's example

Build = Callable[[Symbol, Hyperparameters, int, Symbol | None], Symbol]


@dataclass(frozen=True)
class Architecture:
    """How a network is built, and how its time steps follow from the width of an image.

    `build(images, hyperparameters, num_classes, steps)` returns the logits (T, N, num_classes) of images (N, H, W) or
    (N, H, W, 3) uint8; `steps` (N,) float32 are each image's own time steps, or None where all images have the same
    width. Built-in ones are given as "module:name". `columns_per_step(network)` is how many image columns make one time
    step; None: the whole image is one. With `needs_steps`, padding to the right of an image could change its logits,
    and the network takes `steps` to prevent that.
    """

    build: Build | str
    columns_per_step: Callable[[Network], int] | None
    needs_steps: bool = True


LSTM = Architecture("ctc_ocr.symbols.lstm:logits", lambda network: 1, needs_steps=False)
CRNN = Architecture(
    "ctc_ocr.symbols.crnn:logits", lambda network: math.prod(network.strides) * math.prod(network.pool_widths)
)
# Padding can change its logits, but all images are padded to the same width.
CNN = Architecture("ctc_ocr.symbols.cnn:logits", None, needs_steps=False)


def register_architecture(
    name: str, columns_per_step: int | Callable[[Network], int] | None, needs_steps: bool = True
) -> Callable[[Build], Build]:
    """A decorator that registers a function (images, hyperparameters, num_classes, steps) -> logits as an architecture.

    It gets the symbol of images (N, H, W) uint8, or (N, H, W, 3) with three channels, and returns that of logits
    (T, N, num_classes), T being the width W divided by `columns_per_step`, rounded down; its last layer must be named
    pred_fc. `columns_per_step` may be a function of the Network section; None is for images of one character: T is 1,
    and all images are padded to the same width. With images of different widths (keep_ratio),
    `steps` (N,) float32 are each image's own time steps, and what follows them must not change their logits; an
    architecture where it cannot is registered with needs_steps=False, and gets the same.
    """
    if isinstance(columns_per_step, int) and columns_per_step < 1:
        raise InputError(f"{columns_per_step} is less than 1", "columns_per_step")
    if columns_per_step is None or callable(columns_per_step):
        columns = columns_per_step
    else:
        columns = partial(_always, columns_per_step)

    def decorate(build: Build) -> Build:
        try:
            inspect.signature(build).bind(None, None, 2, None)
        except TypeError:
            raise InputError(
                "must accept (images, hyperparameters, num_classes, steps)", f"architecture {name}"
            ) from None
        ARCHITECTURES.add(name, Architecture(build, columns, needs_steps))
        return build

    return decorate


def _always(columns: int, network: Network) -> int:
    return columns
