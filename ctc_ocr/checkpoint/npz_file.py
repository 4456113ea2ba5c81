"""NumPy's .npz files, read as data from outside. No MXNet.

NumPy's own reader trusts what a file says of itself: it makes an array of any stated size before it looks for the
numbers, unfolds what is compressed without bound, and raises a dozen kinds of exceptions for damaged headers.
"""

import math
import re
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.checkpoint.archive import Archive
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.input_files import MAX_BYTES, MIB

SUFFIX = ".npy"
MAX_DIRECTORY = 4 * MIB
MAGIC = b"\x93NUMPY"
DTYPES = re.compile(r"[<|](?:[fiu]\d|b1|U\d{1,8})", re.ASCII)
HEADER = re.compile(
    r"\{'descr': '(?P<dtype>[^']{1,12})', 'fortran_order': (?P<fortran>True|False), "
    r"'shape': \((?P<shape>(?:\d{1,15}, ?)*(?:\d{1,15})?)\), \}\s*",
    re.ASCII,
)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """{name: array} of numbers or texts. Raises InputError that names the file for anything else."""
    archive = Archive(path, {}, others=MAX_BYTES, max_directory=MAX_DIRECTORY)
    for name in sorted(archive.names):
        if not name.endswith(SUFFIX):
            raise InputError(f"an unexpected member {name!r}", path)
    found = {}
    for name, content in archive.contents():
        try:
            found[name.removesuffix(SUFFIX)] = _array(content)
        except (ValueError, TypeError, struct.error) as error:
            raise InputError(f"{name!r} is not an array ({error})", path) from None
    return found


def _array(content: bytes) -> NDArray[Any]:
    """An array in NumPy's format (numpy.lib.format), whose header ends at a given place."""
    if len(content) < 12 or not content.startswith(MAGIC) or content[6] not in (1, 2, 3):
        raise ValueError("of another format")
    major, start, form = content[6], 10, "<H"
    if major > 1:
        start, form = 12, "<I"
    (length,) = struct.unpack(form, content[8:start])
    header = HEADER.fullmatch(content[start : start + length].decode("latin-1"))
    if not header or not DTYPES.fullmatch(header["dtype"]):
        raise ValueError("its header is not accepted")
    dtype = np.dtype(header["dtype"])
    shape = tuple(int(each) for each in header["shape"].replace(" ", "").split(",") if each)
    values = content[start + length :]
    if math.prod(shape) * dtype.itemsize != len(values) or not dtype.itemsize:
        raise ValueError("its size is another than its header says")
    if dtype.kind == "U" and values and np.frombuffer(values, "<u4").max() > sys.maxunicode:
        raise ValueError("a character that is none")  # NumPy would make a text of it, on which Python's own code fails
    order: Any = "F" if header["fortran"] == "True" else "C"
    return np.frombuffer(values, dtype).reshape(shape, order=order).copy()
