"""Where the units of a text are in an image, and how probable each of them is there.

An alignment of a text gives each time step a class: a unit of the text or the blank. The most probable one is found by
the Viterbi algorithm, over the same states as in `likelihood`, with maxima in place of sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK
from ctc_ocr.decoding.greedy import best_path
from ctc_ocr.decoding.likelihood import MIN_LOG_PROBABILITY, Steps, padded_labels, steps_per_image

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class AlignedUnit:
    """A unit of a text: the time steps `start` to `stop - 1` of the most probable alignment, and the unit's probability
    (0 to 1) at the most probable of them. `alternatives`: (code, probability) of other units at that step, best first,
    if they were asked for, see `unit_alternatives`.

    The probability is the network's own softmax at one step. It is a little too low where a unit may as well be one
    step further.
    """

    start: int
    stop: int
    probability: float
    alternatives: tuple[tuple[int, float], ...] = ()


NOWHERE = AlignedUnit(0, 0, 0.0)  # a unit of a text that has no alignment


def align(
    log_probs: NDArray[np.floating[Any]], labels: Sequence[Sequence[int]], steps: Steps | None = None
) -> list[list[AlignedUnit]]:
    """The units of N labels (codes 1..C-1, no padding) in (T, N, C) log probabilities.

    `steps` (N,) are the time steps of each image, at least 1 (None: T). The units of a label that does not fit its
    time steps are NOWHERE. Log probabilities below MIN_LOG_PROBABILITY count as that. Raises InputError for steps of
    more than T.
    """
    last = steps_per_image(log_probs, steps) - 1
    paths = _best_paths(log_probs, labels)
    return [
        _aligned(log_probs[:, image], label, paths.spans(image, len(label), int(last[image])))
        for image, label in enumerate(labels)
    ]


def align_greedy(log_probs: NDArray[np.floating[Any]], steps: Steps | None = None) -> list[list[AlignedUnit]]:
    """What `align` gives for the texts of greedy decoding, in less time: their best alignment is the best path."""
    path = best_path(log_probs, steps)
    probabilities = np.take_along_axis(log_probs, path[:, :, None], axis=2)[:, :, 0]
    path, probabilities = path.T, np.minimum(np.exp(probabilities.T), 1.0)
    is_start = np.ones(path.shape, dtype=bool)
    is_start[:, 1:] = path[:, 1:] != path[:, :-1]
    starts = np.flatnonzero(is_start)
    if not len(starts):
        return [[] for _ in path]
    stops = np.append(starts[1:], path.size)
    best = np.maximum.reduceat(probabilities.ravel(), starts)
    found: list[list[AlignedUnit]] = [[] for _ in path]
    for run in np.flatnonzero(path.ravel()[starts] != BLANK):
        image, start = divmod(int(starts[run]), path.shape[1])
        found[image].append(AlignedUnit(start, start + int(stops[run] - starts[run]), float(best[run])))
    return found


def _aligned(
    log_probs: NDArray[np.floating[Any]], label: Sequence[int], spans: list[tuple[int, int]]
) -> list[AlignedUnit]:
    """The units of one image, (T, C)."""
    if not spans:
        return [NOWHERE] * len(label)
    return [
        AlignedUnit(start, stop, min(float(np.exp(log_probs[start:stop, code].max())), 1.0))
        for code, (start, stop) in zip(label, spans, strict=True)
    ]


@dataclass(frozen=True)
class _State:
    """A blank or a unit: for each time step and image (T, N), the log probability of the best alignment that is in this
    state then, the step at which that entered it, and for a unit whether from the unit before (or the blank)."""

    scores: Floats
    entries: Indices
    from_unit: NDArray[np.bool_]


@dataclass(frozen=True)
class _BestPaths:
    """`blanks[p]` is the state before the unit `units[p]`; there is one blank more, at the end."""

    blanks: list[_State]
    units: list[_State]

    def spans(self, image: int, length: int, step: int) -> list[tuple[int, int]]:
        """(start, stop) of each unit of the best alignment that ends at this step; [] if there is none."""
        if not length:
            return []
        in_blank, in_unit = (each.scores[step, image] for each in (self.blanks[length], self.units[length - 1]))
        if not max(in_blank, in_unit) > -np.inf:
            return []
        is_blank = in_blank > in_unit
        spans: list[tuple[int, int]] = []
        for position in reversed(range(length)):
            if is_blank:
                step = int(self.blanks[position + 1].entries[step, image]) - 1
            unit = self.units[position]
            start = int(unit.entries[step, image])
            spans.append((start, step + 1))
            step = start - 1
            is_blank = not unit.from_unit[step, image]
        return spans[::-1]


def _best_paths(log_probs: NDArray[np.floating[Any]], labels: Sequence[Sequence[int]]) -> _BestPaths:
    units = padded_labels(labels)
    images = np.arange(len(labels))
    # A unit may follow another without a blank between them if the two differ.
    skips = np.where(units[1:] == units[:-1], -np.inf, 0.0)
    blank_stays = np.cumsum(np.maximum(log_probs[:, :, BLANK], MIN_LOG_PROBABILITY), axis=0, dtype=np.float64)
    unit_stays = np.cumsum(np.maximum(log_probs[:, images, units], MIN_LOG_PROBABILITY), axis=0, dtype=np.float64)
    nowhere = np.zeros(blank_stays.shape, dtype=bool)
    blanks, found = [_State(blank_stays, np.zeros(blank_stays.shape, np.intp), nowhere)], list[_State]()
    for position in range(len(units)):
        source, start, from_unit = blanks[-1].scores, 0.0, nowhere
        if position:
            without_blank = found[-1].scores + skips[position - 1]
            source, start, from_unit = np.maximum(source, without_blank), -np.inf, without_blank >= source
        found.append(_entered(source, start, unit_stays[:, position], from_unit))
        blanks.append(_entered(found[-1].scores, -np.inf, blank_stays, nowhere))
    return _BestPaths(blanks, found)


def _entered(source: Floats, start: float, stays: Floats, from_unit: NDArray[np.bool_]) -> _State:
    """A state that is entered from `source` (T, N) of the step before, or in the first step with log probability
    `start`; `stays` (T, N) is the log probability of staying in it from the first step on."""
    entered = np.empty_like(stays)
    entered[0] = start
    np.subtract(source[:-1], stays[:-1], entered[1:])
    best = np.maximum.accumulate(entered, axis=0)
    is_new = np.zeros(stays.shape, dtype=bool)
    is_new[1:] = entered[1:] > best[:-1]
    steps = np.where(is_new, np.arange(len(stays))[:, None], 0)
    return _State(best + stays, np.maximum.accumulate(steps, axis=0), from_unit)
