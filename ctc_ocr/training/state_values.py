"""The values of a training state, which come from a file: whether they can be those of its epoch; and its vectors."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_COUNT = 2**31  # of epochs that are done, updates and the like
MOVING = "moving averages"  # a vector for each worker; all others are one for all
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
    if not 0 <= _number(values.get("seconds", 0)) < math.inf:
        raise ValueError("not a time")
    if values.get("start") is not None:
        _whole(values["start"], 0, 2**32 - 1)
    if values.get("validation_fraction") is not None and not 0 <= _number(values["validation_fraction"]) < 1:
        raise ValueError("not a fraction")
    for sums in values.get("sums", ()):
        for each in sums:
            _number(each)
    best, budget = values["best"], values["budget"]
    if "epoch" in best:  # which earlier versions wrote
        _whole(best["epoch"], 0, done if epoch is None else epoch)
    _whole(best["epochs_since"], 0)
    for name in ("limit", "end", "decay_from"):
        _whole(budget[name], 0, MAX_EPOCHS)
    _whole(budget["standing"]["epochs"], 0)
    times = (_number(budget["seconds"]), _number(budget.get("lost", 0)))
    if type(budget["stopped"]) is not bool or not all(0 <= each < math.inf for each in times):
        raise ValueError("not a budget")
    for part in (best, budget["standing"]):
        if _number(part["cer"]) < 0 or _number(part["loss"]) == -math.inf:
            raise ValueError("not a validation")
    for row in values.get("history", ()):
        _whole(row[0], 1, done)
        _whole(row[1], 0, 2**63)
        for each in row[2:]:
            _number(each)


def check_vectors(vectors: Mapping[str, NDArray[Any]]) -> None:
    """Raises ValueError for an array that is no vector of float32, or no table of them for MOVING."""
    for name, array in vectors.items():
        if array.dtype != np.float32 or array.ndim != (2 if name == MOVING else 1) or not array.size:
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
