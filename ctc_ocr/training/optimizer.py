"""The optimizer, and its state as plain arrays."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ctc_ocr.config.sections import Training
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import MXArray, Optimizer, Updater
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


def state_arrays(updater: Updater, num_devices: int) -> dict[str, NDArray[Any]]:
    """The updater's state (momentum, variance, ...) as {"parameter.part": array}, of the first device.

    A Module numbers the state of parameter p on device d as p * num_devices + d; all devices hold the same.
    """
    arrays = {}
    for index, state in updater.states.items():
        if index % num_devices == 0:
            for part, array in enumerate(_parts(state)):
                arrays[f"{index // num_devices}.{part}"] = array.asnumpy()
    return arrays


def restore_state(updater: Updater, parameters: list[list[MXArray]], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put the arrays of state_arrays back. `parameters[p][d]` is the weight p on device d.

    Raises InputError if they do not belong to this optimizer and network.
    """
    create = updater.optimizer.create_state_multi_precision
    states = [create(number * len(copies), copies[0]) for number, copies in enumerate(parameters)]
    expected = {f"{number}.{part}" for number, state in enumerate(states) for part in range(len(_parts(state)))}
    if expected != set(arrays):
        raise InputError(FOREIGN_STATE)
    for number, copies in enumerate(parameters):
        for device, weight in enumerate(copies):
            state = create(number * len(copies) + device, weight)
            for part, array in enumerate(_parts(state)):
                saved = arrays[f"{number}.{part}"]
                if saved.shape != array.shape:
                    raise InputError(FOREIGN_STATE)
                array[:] = saved
            updater.states[number * len(copies) + device] = state
            updater.states_synced[number * len(copies) + device] = True


def sum_over_devices(gradients: list[list[MXArray]]) -> None:
    """Give each device the sum of all devices' gradients; `gradients[p][d]` is that of parameter p on device d."""
    for copies in gradients:
        if len(copies) > 1:
            total = mx.nd.add_n(*(each.as_in_context(copies[0].context) for each in copies))
            for each in copies:
                total.copyto(each)


def clip_global_norm(gradients: list[MXArray], max_norm: float) -> None:
    """Scale gradients of one device in place, so that their joint Euclidean norm is at most `max_norm`.

    Pascanu et al., "On the difficulty of training recurrent neural networks", 2013. The scale stays an MXNet array, so
    that nothing waits for a result.
    """
    squares = mx.nd.multi_sum_sq(*gradients, num_arrays=len(gradients))
    scale = mx.nd.minimum(max_norm / (mx.nd.sqrt(mx.nd.sum(squares)) + 1e-12), 1.0)
    for gradient in gradients:
        mx.nd.broadcast_mul(gradient, scale.reshape((1,) * gradient.ndim), out=gradient)


def _parts(state: Any) -> list[MXArray]:
    if state is None:
        return []
    return list(state) if isinstance(state, (list, tuple)) else [state]
