"""Baidu's warp-ctc: where its compiled library is found, and a binding to its C interface over NumPy arrays.

The interface is the one of `include/ctc.h` in baidu-research/warp-ctc, version 2 (github.com/baidu-research/warp-ctc).
"""

import ctypes
import functools
import importlib.util
import logging
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import required_steps_of_batch
from ctc_ocr.errors import InputError, RunError

logger = logging.getLogger(__name__)

NAME = "libwarpctc.dylib" if sys.platform == "darwin" else "libwarpctc.so"
ENVIRONMENT_VARIABLE = "WARPCTC_PATH"
REMEDY = "pip install 'ctc_ocr[warpctc]'"
VERSION = 2
MAX_INT = 2**31 - 1

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


class Found(NamedTuple):
    """A library: what to give to the system's loader, and which step of the search gave it."""

    path: str
    source: str


def find(path: str | Path | None = None) -> Found:
    """The library to use: of `path` or the environment variable WARPCTC_PATH, the system's loader, or the extra.

    A path is the library's file or a build tree of warp-ctc; when one is given, nothing else is looked at.
    Raises InputError that lists the places looked at.
    """
    if path:
        return _in_given_path(Path(path), "the path given")
    if os.environ.get(ENVIRONMENT_VARIABLE):
        return _in_given_path(Path(os.environ[ENVIRONMENT_VARIABLE]), ENVIRONMENT_VARIABLE)
    try:
        ctypes.CDLL(NAME)
    except OSError as error:
        looked = [f"the system's loader ({error})"]
    else:
        return Found(NAME, "the system's loader")
    for file in _in_paddle_wheel():
        if file.is_file():
            return Found(str(file), "the extra warpctc")
        looked.append(str(file))
    if len(looked) == 1:
        looked.append("the package paddlepaddle, which is not installed")
    raise InputError(
        f"no {NAME} found; looked at: {ENVIRONMENT_VARIABLE}, which is not set; {'; '.join(looked)}. "
        f"To install it: {REMEDY}"
    )


def _in_given_path(path: Path, source: str) -> Found:
    files = [path] if not path.is_dir() else [path / "build" / NAME, path / NAME]
    for file in files:
        if file.is_file():
            return Found(str(file.resolve()), source)
    raise InputError(
        f"{source}: no warp-ctc library; looked at: {', '.join(map(str, files))}. Accepted: the file {NAME}, or a "
        f"build tree of warp-ctc, which has it in build/. Or leave the path out and: {REMEDY}"
    )


def _in_paddle_wheel() -> list[Path]:
    """Where the paddlepaddle wheel has its copy. The package is looked up and not imported: that takes seconds."""
    spec = importlib.util.find_spec("paddle")
    roots = spec.submodule_search_locations if spec else None
    return [Path(root) / "libs" / NAME for root in roots or []]


class _ThreadsOrStream(ctypes.Union):
    _fields_ = [("num_threads", ctypes.c_uint), ("stream", ctypes.c_void_p)]


class _Options(ctypes.Structure):
    """struct ctcOptions; location 0 is the CPU."""

    _fields_ = [("location", ctypes.c_int), ("where", _ThreadsOrStream), ("blank_label", ctypes.c_int)]


class WarpCTC:
    """One opened library. Calls may be made from several threads at once; they release Python's lock."""

    def __init__(self, path: str | Path) -> None:
        """Opens the library. Raises InputError if it does not load or is not warp-ctc of the known version."""
        try:
            self._library = ctypes.CDLL(str(path))
            version = int(self._library.get_warpctc_version())
            self._declare()
        except OSError as error:
            raise InputError(f"{path} does not load: {error}") from None
        except AttributeError as error:
            raise InputError(f"{path} is not a warp-ctc library: {error}") from None
        if version != VERSION:
            raise InputError(f"warp-ctc interface version {version} is not supported; accepted: {VERSION}", path)

    def _declare(self) -> None:
        pointer, integer = ctypes.c_void_p, ctypes.c_int
        self._library.ctcGetStatusString.restype = ctypes.c_char_p
        self._library.get_workspace_size.argtypes = [pointer] * 2 + [integer] * 2 + [_Options, pointer]
        self._library.compute_ctc_loss.argtypes = [pointer] * 5 + [integer] * 2 + [pointer] * 2 + [_Options]

    def loss(
        self,
        logits: Floats,
        labels: Ints,
        label_lengths: Ints,
        input_lengths: Ints,
        *,
        blank: int = 0,
        threads: int = 0,
    ) -> Floats:
        """The losses (N,) alone; for the arguments see loss_and_gradient."""
        return self._compute(None, logits, labels, label_lengths, input_lengths, blank, threads)

    def loss_and_gradient(
        self,
        logits: Floats,
        labels: Ints,
        label_lengths: Ints,
        input_lengths: Ints,
        *,
        blank: int = 0,
        threads: int = 0,
        out: Floats | None = None,
    ) -> tuple[Floats, Floats]:
        """Negative log-likelihoods of labels and their gradient with respect to the logits.

        logits: (T, N, C) float32, C-contiguous, before the softmax. labels: (sum of label_lengths,) int32, the labels
        one behind the other without padding, codes 0 to C - 1 without the blank. label_lengths: (N,) int32, >= 0.
        input_lengths: (N,) int32, steps of each sample, 0 to T. threads: OpenMP threads, 0 leaves it to OpenMP.
        out: array for the gradient, like the logits.

        Returns losses (N,) in nats, and the gradient (T, N, C), which is 0 beyond a sample's steps. A sample that
        cannot be aligned (its label and its adjacent repeats are more than its steps, or it has no steps) has loss 0
        and gradient 0. Raises InputError for arguments out of their ranges and RunError with the library's message.
        """
        _check_array("logits", logits, np.float32, (-1, -1, -1))
        gradient = np.empty(logits.shape, np.float32) if out is None else out
        _check_array("out", gradient, np.float32, logits.shape)
        losses = self._compute(gradient, logits, labels, label_lengths, input_lengths, blank, threads)
        return losses, gradient

    def _compute(
        self,
        gradient: Floats | None,
        logits: Floats,
        labels: Ints,
        label_lengths: Ints,
        input_lengths: Ints,
        blank: int,
        threads: int,
    ) -> Floats:
        _check_arguments(logits, labels, label_lengths, input_lengths, blank, threads)
        _, samples, classes = logits.shape
        steps = np.maximum(input_lengths, 1)
        losses = np.empty(samples, np.float32)
        options = _Options(0, _ThreadsOrStream(num_threads=threads), blank)
        size = ctypes.c_size_t()
        lengths = (label_lengths.ctypes.data, steps.ctypes.data, classes, samples)
        self._raise_for(self._library.get_workspace_size(*lengths, options, ctypes.byref(size)))
        workspace = np.empty(size.value, np.uint8)
        self._raise_for(
            self._library.compute_ctc_loss(
                logits.ctypes.data,
                None if gradient is None else gradient.ctypes.data,
                labels.ctypes.data,
                *lengths,
                losses.ctypes.data,
                workspace.ctypes.data,
                options,
            )
        )
        _clear_what_is_not_aligned(losses, gradient, labels, label_lengths, input_lengths)
        return losses

    def _raise_for(self, status: int) -> None:
        if status:
            raise RunError(f"warp-ctc: {self._library.ctcGetStatusString(status).decode()} (status {status})")


def load(path: str | Path | None = None) -> WarpCTC:
    """The library that `find` gives, opened. It is looked for, and named in the log, once for each path."""
    return _load(str(path or os.environ.get(ENVIRONMENT_VARIABLE) or ""), path is not None)


@functools.cache
def _load(path: str, is_given: bool) -> WarpCTC:
    found = find(path if is_given else None)
    library = WarpCTC(found.path)
    logger.info("warp-ctc: %s, found by %s", found.path, found.source)
    return library


def _clear_what_is_not_aligned(
    losses: Floats, gradient: Floats | None, labels: Ints, label_lengths: Ints, input_lengths: Ints
) -> None:
    """The library leaves these parts of the gradient as they were."""
    alignable = (required_steps_of_batch(labels, label_lengths) <= input_lengths) & (input_lengths > 0)
    losses[~alignable] = 0
    if gradient is not None:
        aligned_steps = np.where(alignable, input_lengths, 0)
        for sample in np.flatnonzero(aligned_steps < len(gradient)):
            gradient[aligned_steps[sample] :, sample] = 0


def _check_array(name: str, array: Any, dtype: Any, shape: tuple[int, ...]) -> None:
    """Refuses what C code would read wrongly. A negative extent in `shape` stands for any."""
    fits = isinstance(array, np.ndarray) and array.dtype == dtype and array.flags.c_contiguous
    if fits and array.ndim == len(shape) and all(s in (-1, a) for s, a in zip(shape, array.shape, strict=True)):
        return
    if isinstance(array, np.ndarray):
        order = "" if array.flags.c_contiguous else " that is not C-contiguous"
        got = f"{array.dtype} of shape {array.shape}{order}"
    else:
        got = type(array).__name__
    raise InputError(f"expected C-contiguous {np.dtype(dtype)} of shape {shape} (-1: any), got {got}", name)


def _check_arguments(
    logits: Floats, labels: Ints, label_lengths: Ints, input_lengths: Ints, blank: int, threads: int
) -> None:
    _check_array("logits", logits, np.float32, (-1, -1, -1))
    steps, samples, classes = logits.shape
    if logits.size == 0 or logits.size > MAX_INT:
        raise InputError(f"logits: expected 1 to {MAX_INT} elements, got shape {logits.shape}")
    if not 0 <= blank < classes:
        raise InputError(f"blank: expected 0 to {classes - 1}, got {blank}")
    if not 0 <= threads <= MAX_INT:
        raise InputError(f"threads: expected 0 or more, got {threads}")
    _check_array("label_lengths", label_lengths, np.int32, (samples,))
    _check_array("input_lengths", input_lengths, np.int32, (samples,))
    _check_range("label_lengths", label_lengths, 0, (MAX_INT // steps - 1) // 2)
    _check_range("input_lengths", input_lengths, 0, steps)
    _check_array("labels", labels, np.int32, (int(label_lengths.sum(dtype=np.int64)),))
    _check_range("labels", labels, 0, classes - 1)
    if (labels == blank).any():
        raise InputError(f"labels: the blank {blank} is within a label")


def _check_range(name: str, values: Ints, least: int, largest: int) -> None:
    if values.size and not (least <= values.min() and values.max() <= largest):
        bad = values[(values < least) | (values > largest)][0]
        raise InputError(f"expected {least} to {largest}, got {bad}", name)
