"""The values of a training state, which come from a file: whether they can be those of its epoch; and its vectors."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.training.sums import Sums

MAX_COUNT = 2**31  # of epochs that are done, updates, seconds and the like
MIN_SECONDS = 1e-6  # of an epoch: less would let any number of them fit into --max_minutes
MOVING = "moving averages"  # a vector for each worker; all others are one for all
NUM_SUMS = len(Sums().values())
NUM_MEASURES = 8  # of an epoch: from its seconds to its CER
MAX_EPOCHS = 2**53  # that a run may have, which --num_epoch sets: a large number stands for no end


def check_values(values: Mapping[str, Any], epoch: int | None) -> None:
    """Raises KeyError, TypeError or ValueError for values that no trainer saves with this epoch; None: within one."""
    batches = _whole(values["num_batches"], 1)
    if epoch is None:
        done = _whole(values["epochs_done"], 0)
    else:
        done = _whole(values["epochs_done"], epoch - 1, epoch)
        _whole(values["checksum"], 0, 2**32 - 1)
    _whole(values["batches_done"], 0, batches - 1)
    _whole(values["falls"], 0)
    _whole(values.get("restarts", 0), 0)
    _check_seconds(values.get("seconds", 0))
    if values.get("start") is not None:
        _whole(values["start"], 0, 2**32 - 1)
    if values.get("validation_fraction") is not None and not 0 <= _number(values["validation_fraction"]) < 1:
        raise ValueError("not a fraction")
    _check_sums(values.get("sums", ()))
    best = values["best"]
    if "epoch" in best:  # which earlier versions wrote
        _whole(best["epoch"], 0, done if epoch is None else epoch)
    _whole(best["epochs_since"], 0)
    _check_validation(best)
    _check_budget(values["budget"], done)
    for row in values.get("history", ()):
        _check_row(row, done)


def _check_sums(sums: Sequence[Sequence[Any]]) -> None:
    for each in sums:
        if len(each) != NUM_SUMS or not all(math.isfinite(_number(value)) for value in each):
            raise ValueError("not the sums of an epoch")


def _check_validation(part: Mapping[str, Any]) -> None:
    if _number(part["cer"]) < 0 or _number(part["loss"]) == -math.inf:
        raise ValueError("not a validation")


def _check_budget(budget: Mapping[str, Any], epochs_done: int) -> None:
    for name in ("limit", "end", "decay_from"):
        _whole(budget[name], 0, MAX_EPOCHS)
    _check_seconds(budget["seconds"], MIN_SECONDS if epochs_done else 0)
    _check_seconds(budget.get("lost", 0))
    if type(budget["stopped"]) is not bool:
        raise ValueError("not a budget")
    _whole(budget["standing"]["epochs"], 0)
    _check_validation(budget["standing"])


def _check_seconds(value: Any, least: float = 0) -> None:
    if not least <= _number(value) <= MAX_COUNT:
        raise ValueError("not a time")


def _check_row(row: Sequence[Any], epochs_done: int) -> None:
    """Of the history: whole numbers, numbers, and how many samples validated, which version 0.2 did not write."""
    epoch, samples, *others = row
    _whole(epoch, 1, epochs_done)
    _whole(samples, 0, 2**63)
    for each in others[:NUM_MEASURES]:
        _number(each)
    for each in others[NUM_MEASURES:]:
        _whole(each, 0)


def check_arrays(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raises ValueError for an array of another type than float32, or with values that are not finite."""
    for array in arrays.values():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError("not an array of a run")


def check_vectors(vectors: Mapping[str, NDArray[Any]]) -> None:
    """Raises ValueError for an array that is no vector, or no table of them for MOVING."""
    for name, array in vectors.items():
        if array.ndim != (2 if name == MOVING else 1) or not array.size:
            raise ValueError("not a vector")


def _whole(value: Any, least: int, most: int = MAX_COUNT) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError("not a whole number in its range")
    return value


def _number(value: Any) -> float:
    """Also infinite and NaN, which JSON of Python has; but no integer that is too large for a float."""
    if type(value) is int:
        return float(_whole(value, -(2**63), 2**63))
    if type(value) is not float:
        raise ValueError("not a number")
    return value
