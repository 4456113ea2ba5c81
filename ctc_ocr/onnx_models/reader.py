"""An ONNX model read by ONNX Runtime: what the Predictor needs of a model, without MXNet."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.onnx_models.file import OnnxModel

ERRORS_ALONE = 3  # of ONNX Runtime's log
MAX_REASON = 500  # characters


class OnnxReader:
    """Log probabilities of prepared images. Several threads may use one reader at once.

    threads: of ONNX Runtime; None: OMP_NUM_THREADS, or as many as it chooses. Raises InputError for a file that is not
    a model of this package.
    """

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        model = OnnxModel.read(path)
        description = model.description
        self.prefix, self.epoch = str(path), description.epoch
        self.alphabet, self.lengths = description.model.alphabet, description.model.lengths
        self.light_ink = description.model.light_ink
        self.calibration = description.calibration
        self.hyperparameters: Hyperparameters = description.model.hyperparameters
        self.stretches = False  # its graph does
        self._session = _session(model.content(), path, threads)

    @property
    def preparation(self) -> Hyperparameters:
        """How images are prepared for it: contrast is stretched by the graph."""
        return replace(self.hyperparameters, data=replace(self.hyperparameters.data, normalise="fixed"))

    def best_count(self, count: int, width: int) -> int:
        """Of so many images of a width, how many are best computed together: all, since batches have any size."""
        return count

    def log_probabilities(self, images: NDArray[np.uint8], widths: NDArray[np.intp] | None) -> NDArray[np.float32]:
        """Log probabilities (T, N, C) of images (N, H, W) or (N, H, W, 3), whose own columns are `widths` (N,)."""
        feed = {"images": images} if widths is None else {"images": images, "widths": widths.astype(np.int64)}
        try:
            found: NDArray[np.float32] = self._session.run(["log_probs"], feed)[0]
        except Exception as error:  # its own exceptions have no common class
            raise RunError(f"ONNX Runtime cannot run this model: {_reason(error)}", self.prefix) from None
        if found.ndim != 3 or found.shape[1:] != (len(images), self.alphabet.num_classes):
            raise RunError(f"its output has the shape {found.shape}, which does not fit its alphabet", self.prefix)
        return found


def _reason(error: Exception) -> str:
    """In one line: what was got and expected is in further ones."""
    return " ".join(str(error).split())[:MAX_REASON] or type(error).__name__


def _threads_of_openmp() -> int:
    """The first number of OMP_NUM_THREADS, which may be a list, of nested levels; 0 for none."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdecimal() else 0


def _session(content: bytes, path: str | Path, threads: int | None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ALONE
    options.inter_op_num_threads = 1
    wanted = threads or _threads_of_openmp()
    if wanted:
        options.intra_op_num_threads = wanted
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions have no common class
        raise InputError(f"ONNX Runtime cannot load this model: {_reason(error)}", path) from None
