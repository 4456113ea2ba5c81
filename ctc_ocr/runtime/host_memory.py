"""The memory of MXNet's arrays, seen by NumPy without a copy."""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.runtime.mxnet import mx


def is_on_host(array: Any) -> bool:
    """Whether NumPy can read the memory of this NDArray."""
    return str(array.context.device_type).startswith("cpu")


def host_view(array: Any) -> NDArray[Any]:
    """The memory of an NDArray on the host as a NumPy array, not a copy; valid as long as the NDArray is."""
    array.wait_to_read()
    address = ctypes.c_void_p()
    mx.base.check_call(mx.base._LIB.MXNDArrayGetData(array.handle, ctypes.byref(address)))
    dtype = np.dtype(array.dtype)
    memory = (ctypes.c_char * (array.size * dtype.itemsize)).from_address(address.value or 0)
    return np.frombuffer(memory, dtype).reshape(array.shape)
