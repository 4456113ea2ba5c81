"""PREFIX-0001.state.npz: what resuming a run after an epoch needs besides the weights."""

import errno
import io
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.checkpoint.npz_file import read_npz
from ctc_ocr.checkpoint.run_files import state_path
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.atomic_files import replace_content, replacing_content
from ctc_ocr.runtime.types import MXArray

VALUES_NAME = "values as JSON"  # of the array that holds the JSON text


def save_training_state(
    prefix: str | Path, epoch: int, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]
) -> None:
    """Write the state after an epoch: named arrays, and values for JSON. Raises RunError if it cannot be written."""
    save_state(state_path(prefix, epoch), arrays, values)


def save_state(path: Path, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
    """As save_training_state, into any file."""
    replace_content(path, _content(arrays, values))


@contextmanager
def replacing_state(path: Path, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> Iterator[None]:
    """As save_state, with a block between: the content is on disk before it, and the file is replaced after it."""
    with replacing_content(path, _content(arrays, values)):
        yield


def _content(arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> bytes:
    text = np.array(json.dumps(dict(values)))
    packed = io.BytesIO()  # in memory first: on a full disk, zipfile would raise an error of its own
    np.savez(packed, **{VALUES_NAME: text}, **arrays)
    return packed.getvalue()


def load_training_state(prefix: str | Path, epoch: int) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """(arrays, values) as they were saved. Raises InputError that names the file if it is missing or broken."""
    return load_state(state_path(prefix, epoch))


def load_state(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """As load_training_state, from any file."""
    if not path.exists():
        raise InputError(os.strerror(errno.ENOENT), path)
    try:
        arrays = read_npz(path)
        values = json.loads(arrays.pop(VALUES_NAME).item())
    except InputError as error:
        raise InputError(f"broken training state: {error.reason}", path) from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"broken training state ({type(error).__name__})", path) from None
    if not isinstance(values, dict):
        raise InputError("broken training state: its values are no JSON object", path)
    return arrays, values


def checksum(params: Mapping[str, MXArray]) -> int:
    """CRC-32 of named parameters, by which a training state identifies the weights it belongs to."""
    total = 0
    for name in sorted(params):
        total = zlib.crc32(params[name].asnumpy().tobytes(), total)
    return total
