"""The memory of MXNet's arrays as NumPy arrays, without a copy."""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.runtime.mxnet_internals import data_address
from ctc_ocr.runtime.types import MXArray


def is_on_host(array: MXArray) -> bool:
    """Whether NumPy can access the memory of this array."""
    return str(array.context.device_type).startswith("cpu")


def host_view(array: MXArray) -> NDArray[Any]:
    """The memory of an array on the host, writable, in its shape and dtype. Valid as long as the MXNet array exists.

    Waits until the array is computed. MXNet does not know of accesses to the view.
    """
    array.wait_to_read()
    dtype = np.dtype(array.dtype)
    memory = (ctypes.c_char * (array.size * dtype.itemsize)).from_address(data_address(array))
    return np.frombuffer(memory, dtype).reshape(array.shape)
