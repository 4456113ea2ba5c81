"""The door to ONNX and ONNX Runtime, which the extra [onnx] installs."""

from pathlib import Path
from typing import TYPE_CHECKING

from ctc_ocr.runtime.extras import require_extra

if TYPE_CHECKING:
    from ctc_ocr.onnx_models.reader import OnnxReader

NEEDED = ("onnx", "onnxruntime")


def require_onnx() -> None:
    """Raises InputError if something that is needed is not installed."""
    require_extra("onnx", "ONNX models need it", {each: each for each in NEEDED})


def open_onnx(path: str | Path) -> "OnnxReader":
    """The reader of an ONNX model. Raises InputError if it is not one, or if the extra is missing."""
    require_onnx()
    from ctc_ocr.onnx_models.reader import OnnxReader

    return OnnxReader(path)
