"""A training that diverges: its loss, gradient or weights are not finite, or its loss explodes.

Weights that are not numbers need not show in the loss: oneDNN's ReLU makes 0 of NaN. So the vectors of the gradient and
the weights are looked at too, at every update.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.errors import RunError
from ctc_ocr.runtime.host_memory import host_view, is_on_host
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import MXArray

EXPLODED = 20.0  # times the loss of a network that knows nothing, for which all classes are alike


class Diverged(RunError):
    """A training has diverged; nothing of it was saved since its last epoch."""


def diverged(reason: str, updates: int) -> Diverged:
    """The error of a training that has diverged after so many updates."""
    return Diverged(f"{reason} after {updates} updates; try a lower --learning_rate")


class FiniteVectors:
    """Whether vectors were finite when they were noted. Nothing waits for a GPU until `broken` is asked for."""

    def __init__(self) -> None:
        self._squares: dict[str, Any] = {}

    def note(self, name: str, vector: MXArray) -> None:
        """Look at a vector (P,), whose contents may change afterwards."""
        if is_on_host(vector):
            values = host_view(vector)
            self._squares[name] = float(np.dot(values, values))  # some 20 microseconds for 200,000 values
        else:
            self._squares[name] = mx.nd.norm(vector)

    def broken(self) -> str | None:
        """The first vector that had values which are not finite, or whose sum of squares overflowed."""
        for name, square in self._squares.items():
            if not math.isfinite(square if isinstance(square, float) else float(square.asscalar())):
                return name
        return None


def largest_loss(num_steps: int, num_classes: int) -> float:
    """Nats per sample: a batch with a larger mean loss has exploded."""
    return EXPLODED * num_steps * math.log(num_classes)


def what_is_wrong(finite: FiniteVectors, loss: float, limit: float) -> str | None:
    """Why vectors, or a batch's mean loss (nats per sample), show that the training has diverged; None if they do
    not."""
    if (name := finite.broken()) is not None:
        return f"the {name} has values that are not finite" if name == "gradient" else f"the {name} are not finite"
    return what_is_wrong_with(loss, limit)


def what_is_wrong_with(loss: float, limit: float) -> str | None:
    """As what_is_wrong, of a loss alone."""
    if not math.isfinite(loss):
        return "the loss is not finite"
    return f"the loss has exploded: {loss:.3g} nats per sample" if loss > limit else None


def check_finite(arrays: Mapping[str, NDArray[Any]], what: str) -> None:
    """Raises Diverged for an array with a value that is not finite."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise Diverged(f"{what} {name} has values that are not finite")
