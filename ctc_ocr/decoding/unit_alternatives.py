"""What else each unit of a text could be, at its place in the image."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK
from ctc_ocr.decoding.alignment import AlignedUnit

MAX_ALTERNATIVES = 4  # with the unit itself, the five most probable
MIN_PROBABILITY = 0.001  # less is not worth showing


def with_alternatives(
    log_probs: NDArray[np.floating[Any]], texts: Sequence[Sequence[int]], aligned: Sequence[Sequence[AlignedUnit]]
) -> list[list[AlignedUnit]]:
    """The aligned units of N texts (codes 1..C-1) in (T, N, C) log probabilities, with the other units that are most
    probable at the time step at which the unit itself is: at most MAX_ALTERNATIVES, of at least MIN_PROBABILITY."""
    places = [(image, unit) for image, units in enumerate(aligned) for unit in range(len(units))]
    if not places:
        return [list(units) for units in aligned]
    codes = np.array([texts[image][unit] for image, unit in places])
    rows = np.array([_at_peak(log_probs[:, image], texts[image][unit], aligned[image][unit]) for image, unit in places])
    others = iter(_best_others(rows, codes))
    return [[replace(unit, alternatives=next(others)) for unit in units] for units in aligned]


def _at_peak(log_probs: NDArray[np.floating[Any]], code: int, unit: AlignedUnit) -> NDArray[np.floating[Any]]:
    """Log probabilities (C,) at the step, of (T, C), at which the unit is most probable; all -inf if it is nowhere."""
    if unit.stop == unit.start:
        return np.full(log_probs.shape[1], -np.inf, log_probs.dtype)
    found: NDArray[np.floating[Any]] = log_probs[unit.start + int(log_probs[unit.start : unit.stop, code].argmax())]
    return found


def _best_others(rows: NDArray[np.floating[Any]], codes: NDArray[np.intp]) -> list[tuple[tuple[int, float], ...]]:
    """(code, probability) of the best classes of each row of (K, C), best first, but for its own code and the blank."""
    rows = rows.copy()
    rows[:, BLANK] = -np.inf
    rows[np.arange(len(rows)), codes] = -np.inf
    count = min(MAX_ALTERNATIVES, rows.shape[1])
    best = np.argpartition(rows, -count, axis=1)[:, -count:]
    values = np.minimum(np.exp(np.take_along_axis(rows, best, axis=1)), 1.0)
    order = np.argsort(-values, axis=1, kind="stable")
    best, values = (np.take_along_axis(each, order, axis=1) for each in (best, values))
    return [
        tuple((int(code), float(value)) for code, value in zip(*each, strict=True) if value >= MIN_PROBABILITY)
        for each in zip(best, values, strict=True)
    ]
