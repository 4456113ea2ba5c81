"""Muon: matrices move by the orthogonal matrix that is nearest to their momentum, all other parameters by Adam.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024. The momentum of a recurrent network's
matrix has few large singular values. Made orthogonal, it moves the weights alike in all directions, and a network
learns captchas from a fraction of the samples that it needs with Adam.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.config.architectures import LAST_LAYER
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import MXArray

MOMENTUM = 0.9
MATRIX_RATE = 5.0  # learning rate of matrices, as a multiple of Adam's
ITERATIONS = 5
COEFFICIENTS = 3.4445, -4.7750, 2.0315  # of X, XXᵀX and (XXᵀ)²X: Jordan et al.
TINY = 1e-7


def orthogonalised(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """A matrix (R, C) with the singular vectors of `matrix`, and singular values near 1 (0.7 to 1.2; tiny ones less).

    Newton-Schulz iterations: a polynomial of odd degree brings all singular values nearer to 1 at once. Their factors
    are multiplied before they meet the matrix: they have its smaller side only.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (np.linalg.norm(wide) + TINY)
    squares = wide @ wide.T  # its eigenvalues are the squares of the singular values
    one = factors = np.eye(len(wide), dtype=np.float32)
    linear, cubic, quintic = COEFFICIENTS
    for _ in range(ITERATIONS):
        factor = linear * one + cubic * squares + quintic * (squares @ squares)
        factors = factor @ factors
        squares = factor @ squares @ factor
    found = factors @ wide
    return found if matrix.shape[0] <= matrix.shape[1] else found.T


def is_matrix(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a parameter moves by Muon: the weights of all layers but the last, whose rows are classes of very
    different frequency; not biases or batch norm."""
    return len(shape) > 1 and not name.startswith(LAST_LAYER)


def matrix_step(
    momentum: NDArray[np.float32], gradient: NDArray[np.float32], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """What a matrix moves by, against the direction returned, at a learning rate of 1; all of one shape.

    Shapes are (outputs, inputs) or, of convolutions, (outputs, inputs, *kernel). `momentum` already has the gradient in
    it; it is looked ahead by one update (Nesterov).
    """
    ahead = (MOMENTUM * momentum + (1 - MOMENTUM) * gradient).reshape(shape[0], -1)
    outputs, inputs = ahead.shape
    scale = MATRIX_RATE * math.sqrt(max(1.0, outputs / inputs))
    return (scale * orthogonalised(ahead)).reshape(shape)


class Muon(mx.optimizer.Adam):  # type: ignore[misc]
    """An optimizer of MXNet with the settings of its Adam. `idx2name` must have the names of the parameters."""

    by_parameter = True  # not for a vector of all weights

    def create_state(self, index: int, weight: MXArray) -> MXArray | tuple[MXArray, ...]:
        """The momentum of a matrix, or Adam's mean and variance."""
        if is_matrix(self.idx2name[index], weight.shape):
            return mx.nd.zeros(weight.shape, weight.context)
        state: tuple[MXArray, ...] = super().create_state(index, weight)
        return state

    def update(self, index: int, weight: MXArray, grad: MXArray, state: Any) -> None:
        """Move `weight`, in place, by its gradient, which is summed over the batch; `state` is that of create_state."""
        if not is_matrix(self.idx2name[index], weight.shape):
            super().update(index, weight, grad, state)
            return
        self._update_count(index)
        rate, decay = self._get_lr(index), self._get_wd(index)
        with np.errstate(all="ignore"):  # the trainer says what is wrong if the loss is no longer finite
            gradient, momentum = self.rescale_grad * grad.asnumpy(), state.asnumpy()
            momentum += (1 - MOMENTUM) * (gradient - momentum)
            step = rate * matrix_step(momentum, gradient, weight.shape)
        state[:] = momentum
        weight[:] = (1 - rate * decay) * weight - mx.nd.array(step, weight.context)
