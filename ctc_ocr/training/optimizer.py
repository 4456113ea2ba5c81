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
from ctc_ocr.training.muon import Muon
from ctc_ocr.training.parameter_vector import FOREIGN_STATE
from ctc_ocr.training.schedules import Schedule


def make_optimizer(
    training: Training,
    schedule: Schedule,
    updates_done: int,
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
) -> "VectorOptimizer | Muon":
    """The optimizer of a run after `updates_done` updates, for parameters with these names and shapes."""
    if training.optimizer == "muon":
        return Muon(training, schedule, updates_done, names, shapes)
    common = {
        "learning_rate": training.learning_rate,
        "wd": training.weight_decay,
        "rescale_grad": 1.0 / training.batch_size,  # the loss is summed over a batch
        "lr_scheduler": schedule,
        "begin_num_update": updates_done,
    }
    if training.optimizer == "sgd":
        made = mx.optimizer.SGD(momentum=training.momentum, **common)
    elif training.optimizer == "rmsprop":
        made = mx.optimizer.RMSProp(**common)  # without momentum, as Tieleman and Hinton, 2012
    else:
        made = mx.optimizer.Adam(**common)
    return VectorOptimizer(made, shapes)


class VectorOptimizer:
    """An optimizer of MXNet that updates one vector of all weights.

    shapes: of the parameters, which lie one after the other in the vector. The state (momentum, variance, ...) is saved
    as {"parameter.part": array}, an array for each parameter in its own shape.
    """

    def __init__(self, optimizer: Optimizer, shapes: Sequence[tuple[int, ...]]) -> None:
        self._vector_updater = mx.optimizer.get_updater(optimizer)
        self._shapes = list(shapes)

    def update(self, weights: MXArray, gradient: MXArray) -> None:
        """Change the weights (P,) by the gradient (P,), which is summed over the batch; in place."""
        self._vector_updater(0, gradient, weights)

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The state; empty before the first update."""
        arrays, ends = {}, np.cumsum([math.prod(shape) for shape in self._shapes])
        for part, vector in enumerate(_parts(self._vector_updater.states.get(0))):
            for number, values in enumerate(np.split(vector.asnumpy(), ends[:-1])):
                arrays[f"{number}.{part}"] = values.reshape(self._shapes[number])
        return arrays

    def restore_state(self, weights: MXArray, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put the arrays of state_arrays back. Raises InputError if they are of another optimizer or network."""
        state = self._vector_updater.optimizer.create_state_multi_precision(0, weights)
        numbers, parts = range(len(self._shapes)), _parts(state)
        expected = {f"{number}.{part}": self._shapes[number] for number in numbers for part in range(len(parts))}
        if {name: array.shape for name, array in arrays.items()} != expected:
            raise InputError(FOREIGN_STATE)
        for part, vector in enumerate(parts):
            vector[:] = np.concatenate([arrays[f"{number}.{part}"].reshape(-1) for number in numbers])
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
