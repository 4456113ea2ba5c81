"""The one place that uses what is private in MXNet. MXNet 1.9.1 is the last release, so none of it will change."""

import ctypes

from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Executor, KeyValueStore, Module, MXArray


def data_address(array: MXArray) -> int:
    """The address of an array's memory on its own device.

    A call of MXNet's C interface. The public way to the memory, DLPack, takes several times as long, and NumPy 1.x
    makes a read-only array of it.
    """
    address = ctypes.c_void_p()
    mx.base.check_call(mx.base._LIB.MXNDArrayGetData(array.handle, ctypes.byref(address)))
    return address.value or 0


def parameter_arrays(module: Module) -> list[list[MXArray]]:
    """The weights [parameter][device] with which a bound Module computes, in the order of its parameters.

    The public get_params returns copies on the CPU, by name and of all devices together.
    """
    arrays: list[list[MXArray]] = module._exec_group.param_arrays
    return arrays


def statistic_arrays(module: Module) -> list[list[MXArray]]:
    """The moving averages of batch norm [array][device] of a bound Module; [] without any.

    The public get_params returns copies, as of the weights.
    """
    arrays: list[list[MXArray]] = module._exec_group.aux_arrays
    return arrays


def parameter_names(module: Module) -> list[str]:
    """The names of a bound Module's parameters, in the order of parameter_arrays."""
    names = set(module._exec_group.param_names)
    return [name for name in module._exec_group.arg_names if name in names]


def gradient_arrays(module: Module) -> list[list[MXArray]]:
    """The gradients [parameter][device] that backward wrote, in the order of parameter_arrays.

    The public get_input_grads gives those of the inputs only.
    """
    arrays: list[list[MXArray]] = module._exec_group.grad_arrays
    return arrays


def note_changed_parameters(module: Module) -> None:
    """Tell a Module that the weights it computes with were changed: its get_params copies them again.

    Only its own update() would say so.
    """
    module._params_dirty = True


def bound_executor(module: Module) -> Executor:
    """The executor of a Module on its first device, with its arrays by name (arg_dict, aux_dict).

    To feed and run it directly: the public Module.forward checks and slices each batch, a quarter of the time of one
    small image. Symbol.simple_bind is public and gives an executor without a Module.
    """
    return module._exec_group.execs[0]


def scheduler_is_lost(store: KeyValueStore, seconds: int) -> bool:
    """Whether a distributed key-value store has heard nothing from its scheduler for so many seconds.

    A call of MXNet's C interface, for which Python has no name. ps-lite sends signs of life if the environment has
    PS_HEARTBEAT_INTERVAL.
    """
    lost, scheduler = ctypes.c_int(), 1  # the number of its group in ps-lite
    mx.base.check_call(mx.base._LIB.MXKVStoreGetNumDeadNode(store.handle, scheduler, ctypes.byref(lost), seconds))
    return bool(lost.value)


def leave_alone(store: KeyValueStore) -> None:
    """Let a distributed key-value store be closed without waiting for the other workers.

    A call of MXNet's C interface, for which Python has no name.
    """
    mx.base.check_call(mx.base._LIB.MXKVStoreSetBarrierBeforeExit(store.handle, 0))
