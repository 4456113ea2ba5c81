"""Muon: matrices move by the orthogonal matrix that is nearest to their momentum, all other parameters by Adam.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024. The momentum of a recurrent network's
matrix has few large singular values. Made orthogonal, it moves the weights alike in all directions, and a network
learns captchas from a fraction of the samples that it needs with Adam.

It is computed by NumPy in the memory of MXNet's arrays: their matrices are small, and MXNet's operators would take
longer to call than to compute.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.config.architectures import LAST_LAYER
from ctc_ocr.config.sections import Training
from ctc_ocr.runtime.host_memory import host_view, is_on_host
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import MXArray
from ctc_ocr.training.parameter_vector import refuse_foreign
from ctc_ocr.training.schedules import Schedule

MOMENTUM = 0.9
MATRIX_RATE = 5.0  # learning rate of matrices, as a multiple of Adam's
ITERATIONS = 5
COEFFICIENTS = 3.4445, -4.7750, 2.0315  # of X, XXᵀX and (XXᵀ)²X: Jordan et al.
TINY = 1e-7
MEAN_DECAY, VARIANCE_DECAY, EPSILON = 0.9, 0.999, 1e-8  # Adam: Kingma and Ba, 2015

Vector = NDArray[np.float32]


def orthogonalised(matrix: Vector) -> Vector:
    """A matrix (R, C) with the singular vectors of `matrix`, and singular values near 1 (0.7 to 1.2; tiny ones less).

    Newton-Schulz iterations: a polynomial of odd degree brings all singular values nearer to 1 at once. Their factors
    are multiplied before they meet the matrix: they have its smaller side only.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (np.linalg.norm(wide) + TINY)
    squares = wide @ wide.T  # its eigenvalues are the squares of the singular values
    diagonal = np.diag_indices(len(wide))
    linear, cubic, quintic = COEFFICIENTS
    factors: Vector | None = None
    for number in range(1, ITERATIONS + 1):
        factor = cubic * squares + quintic * (squares @ squares)
        factor[diagonal] += linear
        factors = factor if factors is None else factor @ factors
        if number < ITERATIONS:
            squares = squares @ (factor @ factor)  # all of them commute
    assert factors is not None
    found = factors @ wide
    return found if matrix.shape[0] <= matrix.shape[1] else found.T


def is_matrix(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a parameter moves by Muon: the weights of all layers but the last, whose rows are classes of very
    different frequency; not biases or batch norm."""
    return len(shape) > 1 and not name.startswith(LAST_LAYER)


def matrix_step(momentum: Vector, gradient: Vector, shape: tuple[int, ...]) -> Vector:
    """What a matrix moves by, against the direction returned, at a learning rate of 1; all of one shape.

    Shapes are (outputs, inputs) or, of convolutions, (outputs, inputs, *kernel). `momentum` already has the gradient in
    it; it is looked ahead by one update (Nesterov).
    """
    ahead = (MOMENTUM * momentum + (1 - MOMENTUM) * gradient).reshape(shape[0], -1)
    outputs, inputs = ahead.shape
    scale = MATRIX_RATE * math.sqrt(max(1.0, outputs / inputs))
    return (scale * orthogonalised(ahead)).reshape(shape)


class Muon:
    """Updates one vector of all weights. As a VectorOptimizer otherwise; the state is the momentum of a matrix, or
    Adam's mean and variance."""

    def __init__(
        self,
        training: Training,
        schedule: Schedule,
        updates_done: int,
        names: Sequence[str],
        shapes: Sequence[tuple[int, ...]],
    ) -> None:
        self._training, self._schedule, self._updates_done = training, schedule, updates_done
        ends = np.cumsum([math.prod(shape) for shape in shapes]).tolist()
        self._parts = [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        self._shapes = list(shapes)
        self._matrices = [number for number, name in enumerate(names) if is_matrix(name, shapes[number])]
        matrices = [np.arange(self._parts[number].start, self._parts[number].stop) for number in self._matrices]
        self._others = np.setdiff1d(np.arange(ends[-1]), np.concatenate([np.arange(0), *matrices]))
        self._means = np.zeros(ends[-1], np.float32)  # the momentum, of a matrix
        self._variances = np.zeros(ends[-1], np.float32)  # unused, of a matrix

    def update(self, weights: MXArray, gradient: MXArray) -> None:
        """Change the weights (P,) by the gradient (P,), which is summed over the batch; in place."""
        self._updates_done += 1
        given = host_view(weights) if is_on_host(weights) else weights.asnumpy()
        with np.errstate(over="ignore", invalid="ignore"):  # the trainer says if the loss is no longer finite
            mean_gradient = gradient.asnumpy() * np.float32(1 / self._training.batch_size)
            self._move(given, mean_gradient, self._schedule(self._updates_done))
        if not is_on_host(weights):
            weights[:] = mx.nd.array(given, weights.context)

    def _move(self, weights: Vector, gradient: Vector, rate: float) -> None:
        decay = self._training.weight_decay
        for number in self._matrices:
            part, shape = self._parts[number], self._shapes[number]
            momentum = self._means[part]
            momentum += (1 - MOMENTUM) * (gradient[part] - momentum)
            step = matrix_step(momentum.reshape(shape), gradient[part].reshape(shape), shape)
            weights[part] = (1 - rate * decay) * weights[part] - rate * step.reshape(-1)
        self._move_others(weights, gradient, rate, decay)

    def _move_others(self, weights: Vector, gradient: Vector, rate: float, decay: float) -> None:
        others, count = self._others, self._updates_done
        moved = weights[others]
        slopes = gradient[others] + decay * moved
        mean = MEAN_DECAY * self._means[others] + (1 - MEAN_DECAY) * slopes
        variance = VARIANCE_DECAY * self._variances[others] + (1 - VARIANCE_DECAY) * slopes**2
        self._means[others], self._variances[others] = mean, variance
        rate *= math.sqrt(1 - VARIANCE_DECAY**count) / (1 - MEAN_DECAY**count)
        weights[others] = moved - rate * mean / (np.sqrt(variance) + EPSILON)

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """{"parameter.part": array}, each in the shape of its parameter; empty before the first update."""
        return {} if not self._updates_done else {name: array.copy() for name, array in self._state().items()}

    def restore_state(self, weights: MXArray, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put the arrays of state_arrays back. Raises InputError if they are of another optimizer or network."""
        state = self._state()
        refuse_foreign(arrays, state)
        for name, array in state.items():
            array[:] = arrays[name]

    def _state(self) -> dict[str, Vector]:
        """Views, in which the state can be changed."""
        views = {}
        for number, (part, shape) in enumerate(zip(self._parts, self._shapes, strict=True)):
            views[f"{number}.0"] = self._means[part].reshape(shape)
            if number not in self._matrices:
                views[f"{number}.1"] = self._variances[part].reshape(shape)
        return views
