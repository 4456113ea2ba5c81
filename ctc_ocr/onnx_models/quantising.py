"""Weights in 8 bits: whole numbers from -127 to 127, and a scale for each output of a layer.

The scheme is symmetric and per channel, of weights alone, as in Jacob et al., "Quantization and Training of Neural
Networks for Efficient Integer-Arithmetic-Only Inference", 2018. Activations stay float32, and so does what is computed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST = 127
LEVELS, SCALE = "_levels", "_scale"  # what a weight's two parts are called after its own name


@dataclass(frozen=True)
class Quantised:
    """A weight: `levels` int8, times `scale` float32 of a shape that is broadcast to theirs."""

    levels: NDArray[np.int8]
    scale: NDArray[np.float32]

    @classmethod
    def of(cls, name: str, weight: NDArray[np.float32]) -> "Quantised":
        """Of the weight of this name, rounded."""
        axes = tuple(axis for axis, size in enumerate(scale_shape(name, weight.shape)) if size == 1)
        scale = np.abs(weight).max(axis=axes, keepdims=True) / np.float32(MOST)
        scale = np.where(scale > 0, scale, np.float32(1)).astype(np.float32)
        return cls(np.rint(weight / scale).clip(-MOST, MOST).astype(np.int8), scale)

    def value(self) -> NDArray[np.float32]:
        """The weight that is computed with."""
        return self.levels.astype(np.float32) * self.scale


def is_quantised(name: str) -> bool:
    """Whether the weight of this name is, in a model in 8 bits. Biases are few, and so is what batch norm learns."""
    return not name.endswith(("_bias", "_norm_scale", "_norm_shift"))


def scale_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a weight's scale: one number for each output of its layer."""
    if len(shape) == 2:  # (I, O) of a dense layer
        return (1, shape[1])
    outputs = 1 if name.startswith("conv") else 2  # (F, C, K, K); (D, 4H, I)
    return shape[:outputs] + (1,) * (len(shape) - outputs)
