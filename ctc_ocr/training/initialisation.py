"""Initial weights with which a CTC network leaves the all-blank plateau early.

Orthogonal recurrent weights (Saxe et al., 2014), forget gate bias 1 (Jozefowicz et al., 2015), and uniform Xavier
weights elsewhere (Glorot and Bengio, 2010). The blank has a bias of its own: most time steps are blank, and a network
that starts with all classes alike needs thousands of samples to learn only that. Where the whole image is one time
step, it is never blank.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ctc_ocr.alphabet import BLANK
from ctc_ocr.config.architectures import LAST_LAYER

BLANK_PROBABILITY = 2 / 3  # at the start, where all other logits are 0
NUM_GATES = 4  # blocks of an LSTM's weights: in gate, transform, forget gate, out gate
FORGET_GATE = 2  # of these, from 0
FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def initial_parameters(
    shapes: Mapping[str, tuple[int, ...]], generator: np.random.Generator, is_one_step: bool = False
) -> dict[str, FloatArray]:
    """Values (float32) for parameters of these names and shapes; the name decides the distribution. `is_one_step`: the
    network makes one time step of an image."""
    values = {name: _initial(name, shape, generator).astype(np.float32) for name, shape in shapes.items()}
    if is_one_step:
        values[f"{LAST_LAYER}_bias"][:] = 0
    return values


def _initial(name: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray[Any, Any]:
    if name.endswith("h2h_weight"):
        return np.concatenate([_orthogonal(shape[1], generator) for _ in range(NUM_GATES)])
    if name.endswith("i2h_weight"):
        return np.concatenate([_xavier((shape[0] // NUM_GATES, shape[1]), generator) for _ in range(NUM_GATES)])
    if name.endswith("weight"):
        return _xavier(shape, generator)
    if name.endswith("gamma"):
        return np.ones(shape)
    values = np.zeros(shape)
    if name.endswith("i2h_bias"):
        values.reshape(NUM_GATES, -1)[FORGET_GATE] = 1.0
    if name == f"{LAST_LAYER}_bias":
        values[BLANK] = math.log(BLANK_PROBABILITY / (1 - BLANK_PROBABILITY) * (len(values) - 1))
    return values


def _xavier(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray[Any, Any]:
    """Uniform with variance 2 / (fan in + fan out), for weights (outputs, inputs, *kernel)."""
    receptive_field = int(np.prod(shape[2:]))
    bound = np.sqrt(6.0 / (receptive_field * (shape[0] + shape[1])))
    return generator.uniform(-bound, bound, shape)


def _orthogonal(size: int, generator: np.random.Generator) -> np.ndarray[Any, Any]:
    """A random orthogonal matrix, uniform over all of them (the signs make the decomposition unique)."""
    q, r = np.linalg.qr(generator.standard_normal((size, size)))
    return np.asarray(q * np.sign(np.diag(r)))
