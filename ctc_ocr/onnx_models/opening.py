"""The door to ONNX and ONNX Runtime, which the extra [onnx] installs."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from ctc_ocr.errors import InputError

if TYPE_CHECKING:
    from ctc_ocr.onnx_models.reader import OnnxReader

NEEDED = ("onnx", "onnxruntime")
INSTALL_HINT = "pip install 'ctc_ocr[onnx]'"


def has_onnx() -> bool:
    """Whether all that is needed is installed."""
    return all(importlib.util.find_spec(each) for each in NEEDED)


def require_onnx() -> None:
    """Raises InputError if something that is needed is not installed."""
    missing = [each for each in NEEDED if not importlib.util.find_spec(each)]
    if missing:
        raise InputError(f"{' and '.join(missing)} not installed: ONNX models need it; {INSTALL_HINT}")


def open_onnx(path: str | Path) -> "OnnxReader":
    """The reader of an ONNX model. Raises InputError if it is not one, or if the extra is missing."""
    require_onnx()
    from ctc_ocr.onnx_models.reader import OnnxReader

    return OnnxReader(path)
