"""All that is private in MXNet and used here. MXNet 1.9.1 is its last release, so these will not move."""

from ctc_ocr.runtime.types import Executor, Module, MXArray, Updater


def current_module(bucketing_module: Module) -> Module:
    """The Module of the bucket that was used last."""
    return bucketing_module._curr_module


def gradient_arrays(module: Module) -> list[list[MXArray]]:
    """Gradients as [parameter][device]; the public way copies them and adds the devices' up."""
    arrays: list[list[MXArray]] = module._exec_group.grad_arrays
    return arrays


def parameter_arrays(module: Module) -> list[list[MXArray]]:
    """Parameters as [parameter][device], in the order in which the updater numbers their states."""
    arrays: list[list[MXArray]] = module._exec_group.param_arrays
    return arrays


def updater(module: Module) -> Updater:
    """The optimizer with its state; the public way only pickles it to a file."""
    return module._updater


def bound_executor(module: Module) -> Executor:
    """The executor of the first device."""
    return module._exec_group.execs[0]
