"""MXNet's .params files, read with every length checked against the file, and written.

MXNet's own reader trusts the lengths in a file: a truncated or foreign one can make it allocate any amount of memory.
Its writer leaves a truncated file, and raises nothing, if the disk is full when it closes the file.
The format (src/ndarray/ndarray.cc of MXNet) is a list magic, arrays, then their names. Arrays have four versions, which
differ in how the shape is stored. No MXNet here.
"""

import io
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.input_files import read_bytes

LIST_MAGIC = 0x112
SHAPE_INT64, DENSE, DENSE_NUMPY_SHAPES = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
DTYPES: tuple[Any, ...] = (np.float32, np.float64, np.float16, np.uint8, np.int32, np.int8, np.int64, np.bool_)
MAX_AXES = 32
MAX_ARRAYS = 10_000  # a hundred layers have less than a thousand
ON_CPU = (1, 0)  # type and number of the device that arrays are loaded to


class _Reader:
    """Reads numbers from a buffer, one after the other. Raises ValueError if it ends too early."""

    def __init__(self, buffer: bytes) -> None:
        self.buffer = buffer
        self.position = 0

    def array(self, dtype: Any, count: int) -> NDArray[Any]:
        size = np.dtype(dtype).itemsize * count
        if size > len(self.buffer) - self.position:
            raise ValueError("the file is truncated")
        values = np.frombuffer(self.buffer, dtype=dtype, count=count, offset=self.position)
        self.position += size
        return values

    def number(self, dtype: str) -> int:
        return int(self.array(dtype, 1)[0])

    def count(self) -> int:
        found = self.number("<u8")
        if found > MAX_ARRAYS:
            raise ValueError(f"{found} arrays; the maximum is {MAX_ARRAYS}")
        return found


def read_params(path: Path) -> dict[str, NDArray[Any]]:
    """{name: array} of a .params file, names with their prefix arg: or aux:.

    Raises InputError that names the file if it is missing, truncated, or of another format.
    """
    return parse_params(read_bytes(path), path)


def parse_params(content: bytes, where: Path) -> dict[str, NDArray[Any]]:
    """As read_params, of a file's content; `where` is its name in errors."""
    reader = _Reader(content)
    try:
        if reader.number("<u8") != LIST_MAGIC:
            raise ValueError("not a parameter file of MXNet")
        reader.number("<u8")  # reserved
        arrays = [_read_array(reader) for _ in range(reader.count())]
        names = [reader.array("u1", reader.number("<u8")).tobytes().decode("utf-8") for _ in range(reader.count())]
        if len(names) != len(arrays) or len(set(names)) != len(names):
            raise ValueError(f"{len(arrays)} arrays with {len(set(names))} different names; expected one for each")
        return dict(zip(names, arrays, strict=True))
    except ValueError as error:
        raise InputError(f"broken parameters: {error}", where) from None


def refuse_broken(content: bytes, where: Path) -> None:
    """Raises InputError for a content that read_params would refuse, or that has values which are not finite."""
    for name, array in parse_params(content, where).items():
        if not np.isfinite(array).all():
            raise InputError(f"{name} has values that are not finite numbers", where)


def _read_array(reader: _Reader) -> NDArray[Any]:
    magic = reader.number("<u4")
    if magic in (DENSE, DENSE_NUMPY_SHAPES) and reader.number("<i4") != 0:
        raise ValueError("a sparse array; dense ones are accepted")
    modern = magic in (SHAPE_INT64, DENSE, DENSE_NUMPY_SHAPES)
    # The oldest version has no magic: it begins with the number of axes, and its lengths have 32 bits.
    axes = reader.number("<i4") if modern else magic
    unknown_axes = -1 if magic == DENSE_NUMPY_SHAPES else 0
    if axes == unknown_axes:
        raise ValueError("an array without a shape")
    if not 0 <= axes <= MAX_AXES:
        raise ValueError("not an array of MXNet")
    shape = tuple(reader.array("<i8" if modern else "<u4", axes).tolist())
    reader.array("<i4", 2)  # the device it was on: type and number
    kind = reader.number("<i4")
    if min(shape, default=0) < 0 or not 0 <= kind < len(DTYPES):
        raise ValueError("an array of a shape or type that is not accepted")
    return reader.array(DTYPES[kind], math.prod(shape)).reshape(shape)


def params_content(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The content of the .params file of these arrays, byte by byte as MXNet writes it. Raises KeyError for an array
    whose type is not in DTYPES."""
    codes = {np.dtype(dtype): code for code, dtype in enumerate(DTYPES)}
    out = io.BytesIO()
    out.write(struct.pack("<QQQ", LIST_MAGIC, 0, len(arrays)))
    for array in arrays.values():
        shape = array.shape
        out.write(struct.pack(f"<Iii{len(shape)}q", DENSE, 0, len(shape), *shape))
        out.write(struct.pack("<iii", *ON_CPU, codes[array.dtype]))
        out.write(np.ascontiguousarray(array).tobytes())
    out.write(struct.pack("<Q", len(arrays)))
    for name in map(str.encode, arrays):
        out.write(struct.pack("<Q", len(name)) + name)
    return out.getvalue()
