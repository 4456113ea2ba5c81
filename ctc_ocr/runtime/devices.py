"""Which devices MXNet computes on."""

from collections.abc import Sequence

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Context


def contexts(gpu_ids: Sequence[int]) -> list[Context]:
    """The GPUs with these numbers as MXNet contexts, or the CPU for none.

    Raises InputError if this MXNet was built without CUDA or the machine has no GPU of such a number.
    """
    if not gpu_ids:
        return [mx.cpu()]
    if not mx.runtime.Features().is_enabled("CUDA"):
        raise InputError("this MXNet was built without CUDA and has no GPUs; install the extra [cu112], or use the CPU")
    available = gpu_count()
    if max(gpu_ids) >= available:
        wanted = ", ".join(map(str, gpu_ids))
        raise InputError(
            f"GPUs with the numbers {wanted} were asked for, and MXNet sees {available} on this machine, from 0 on"
        )
    return [mx.gpu(number) for number in gpu_ids]


def gpu_count() -> int:
    """GPUs that MXNet can use here; 0 also where the driver is missing."""
    try:
        return int(mx.context.num_gpus())
    except mx.base.MXNetError:
        return 0
