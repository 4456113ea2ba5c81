"""The optimizer, and its state as plain arrays."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.config.sections import Training
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import MXArray, Optimizer
from ctc_ocr.training.schedules import Schedule

FOREIGN_STATE = "the saved optimizer state belongs to another optimizer or network"


def make_optimizer(training: Training, schedule: Schedule, updates_done: int = 0) -> Optimizer:
    """The optimizer of a run after `updates_done` updates."""
    common = {
        "learning_rate": training.learning_rate,
        "wd": training.weight_decay,
        "rescale_grad": 1.0 / training.batch_size,  # the loss is summed over a batch
        "lr_scheduler": schedule,
        "begin_num_update": updates_done,
    }
    if training.optimizer == "sgd":
        return mx.optimizer.SGD(momentum=training.momentum, **common)
    if training.optimizer == "rmsprop":
        return mx.optimizer.RMSProp(**common)  # without momentum, as Tieleman and Hinton, 2012
    return mx.optimizer.Adam(**common)


class VectorOptimizer:
    """An optimizer that updates one vector of all weights.

    Its state (momentum, variance, ...) is saved as {"parameter.part": array}, an array for each parameter in its own
    shape, as if each were updated by itself.
    """

    def __init__(self, optimizer: Optimizer, shapes: Sequence[tuple[int, ...]]) -> None:
        self._vector_updater = mx.optimizer.get_updater(optimizer)
        self._shapes = shapes

    def update(self, weights: MXArray, gradient: MXArray) -> None:
        """Change the weights (P,) by the gradient (P,), in place."""
        self._vector_updater(0, gradient, weights)

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The state; empty before the first update."""
        arrays = {}
        for part, vector in enumerate(_parts(self._vector_updater.states.get(0))):
            values, start = vector.asnumpy(), 0
            for number, shape in enumerate(self._shapes):
                end = start + math.prod(shape)
                arrays[f"{number}.{part}"] = values[start:end].reshape(shape)
                start = end
        return arrays

    def restore_state(self, weights: MXArray, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put the arrays of state_arrays back. Raises InputError if they are of another optimizer or network."""
        state = self._vector_updater.optimizer.create_state_multi_precision(0, weights)
        parts = _parts(state)
        numbers = range(len(self._shapes))
        if set(arrays) != {f"{number}.{part}" for number in numbers for part in range(len(parts))}:
            raise InputError(FOREIGN_STATE)
        for part, vector in enumerate(parts):
            saved = [arrays[f"{number}.{part}"] for number in numbers]
            if [each.shape for each in saved] != list(self._shapes):
                raise InputError(FOREIGN_STATE)
            vector[:] = np.concatenate([each.reshape(-1) for each in saved])
        self._vector_updater.states[0] = state
        self._vector_updater.states_synced[0] = True


def clip_norm(gradient: MXArray, max_norm: float) -> None:
    """Scale a vector in place, so that its Euclidean norm is at most `max_norm`.

    Pascanu et al., "On the difficulty of training recurrent neural networks", 2013. The scale stays an MXNet array, so
    that nothing waits for a result.
    """
    scale = mx.nd.minimum(max_norm / (mx.nd.norm(gradient) + 1e-12), 1.0)
    mx.nd.broadcast_mul(gradient, scale, out=gradient)


def _parts(state: Any) -> list[MXArray]:
    if state is None:
        return []
    return list(state) if isinstance(state, (list, tuple)) else [state]
