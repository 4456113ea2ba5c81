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
    if training.optimizer == "muon":
        return Muon(**common)
    return mx.optimizer.Adam(**common)


class VectorOptimizer:
    """An optimizer that updates one vector of all weights: at once, or piece by piece if it has `by_parameter`.

    names, shapes: of the parameters, which lie one after the other in the vector. The state (momentum, variance, ...)
    is saved as {"parameter.part": array}, an array for each parameter in its own shape.
    """

    def __init__(self, optimizer: Optimizer, names: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> None:
        self._vector_updater = mx.optimizer.get_updater(optimizer)
        optimizer.idx2name = dict(enumerate(names))
        self._ends = np.cumsum([math.prod(shape) for shape in shapes]).tolist()
        self._shapes = list(shapes)
        self._by_parameter = getattr(optimizer, "by_parameter", False)
        self._pieces: list[tuple[MXArray, MXArray]] = []  # views of weights and gradient
        self._vectors: tuple[MXArray, MXArray] | None = None

    def update(self, weights: MXArray, gradient: MXArray) -> None:
        """Change the weights (P,) by the gradient (P,), in place."""
        if self._vectors is None or self._vectors[0] is not weights or self._vectors[1] is not gradient:
            self._vectors = weights, gradient
            self._pieces = list(zip(self._views(weights), self._views(gradient), strict=True))
        for index, (weight, its_gradient) in enumerate(self._pieces):
            self._vector_updater(index, its_gradient, weight)

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The state; empty before the first update."""
        arrays = {}
        for index, state in sorted(self._vector_updater.states.items()):
            for part, array in enumerate(_parts(state)):
                arrays.update({f"{number}.{part}": each for number, each in self._split(index, array.asnumpy())})
        return arrays

    def restore_state(self, weights: MXArray, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put the arrays of state_arrays back. Raises InputError if they are of another optimizer or network."""
        create = self._vector_updater.optimizer.create_state_multi_precision
        states = [create(index, view) for index, view in enumerate(self._views(weights))]
        expected: dict[str, tuple[int, ...]] = {}
        for index, state in enumerate(states):
            for part, array in enumerate(_parts(state)):
                expected.update({f"{n}.{part}": each.shape for n, each in self._split(index, array.asnumpy())})
        if {name: array.shape for name, array in arrays.items()} != expected:
            raise InputError(FOREIGN_STATE)
        for index, state in enumerate(states):
            for part, array in enumerate(_parts(state)):
                saved = [arrays[f"{number}.{part}"].reshape(-1) for number in self._numbers(index)]
                array[:] = np.concatenate(saved).reshape(array.shape)
            self._vector_updater.states[index] = state
            self._vector_updater.states_synced[index] = True

    def _views(self, vector: MXArray) -> list[MXArray]:
        """What is updated together: the vector itself, or each parameter in its shape, in the same memory."""
        if not self._by_parameter:
            return [vector]
        starts = [0, *self._ends[:-1]]
        return [
            vector[start:end].reshape(shape) for start, end, shape in zip(starts, self._ends, self._shapes, strict=True)
        ]

    def _numbers(self, index: int) -> range:
        """The parameters in the piece of this index."""
        return range(index, index + 1) if self._by_parameter else range(len(self._shapes))

    def _split(self, index: int, values: NDArray[Any]) -> list[tuple[int, NDArray[Any]]]:
        """(number, array) of each parameter in a piece."""
        numbers = self._numbers(index)
        parts = np.split(values.reshape(-1), self._ends[:-1]) if len(numbers) > 1 else [values]
        return [(number, part.reshape(self._shapes[number])) for number, part in zip(numbers, parts, strict=True)]


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
