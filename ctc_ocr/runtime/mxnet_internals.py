"""All that is private in MXNet and used here. MXNet 1.9.1 is its last release, so these will not move."""

from ctc_ocr.runtime.types import Executor, Module


def bound_executor(module: Module) -> Executor:
    """The executor of the first device."""
    return module._exec_group.execs[0]
