"""Which devices MXNet computes on."""

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Context


def contexts(num_gpus: int) -> list[Context]:
    """The first `num_gpus` GPUs as MXNet contexts, or the CPU for 0.

    Raises InputError if this MXNet was built without CUDA or the machine has fewer GPUs.
    """
    if num_gpus == 0:
        return [mx.cpu()]
    if not mx.runtime.Features().is_enabled("CUDA"):
        raise InputError("this MXNet was built without CUDA and has no GPUs; install the extra [cu112], or use the CPU")
    available = gpu_count()
    if num_gpus > available:
        raise InputError(f"{num_gpus} GPUs were asked for, and MXNet sees {available} on this machine")
    return [mx.gpu(index) for index in range(num_gpus)]


def gpu_count() -> int:
    """GPUs that MXNet can use here; 0 also where the driver is missing."""
    try:
        return int(mx.context.num_gpus())
    except mx.base.MXNetError:
        return 0
