"""The probability of a text given an image: the sum over all its alignments.

Here and in the other modules of decoding, log probabilities are (T, N, C): time steps, images, classes. Where images
differ in width, `steps` (N,) are each image's own time steps, 0 to T; None: all have T.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK
from ctc_ocr.errors import InputError

Steps = Sequence[int] | NDArray[Any]

MIN_LOG_PROBABILITY = -1e6  # of a class: the sums below would turn -inf - -inf into NaN
ANYTHING = -1  # in a label: whatever is read there, also several units or none


def steps_per_image(log_probs: NDArray[Any], steps: Steps | None = None) -> NDArray[np.intp]:
    """(N,): the time steps of each image of (T, N, C). Raises InputError if `steps` are not N numbers from 0 to T."""
    total, count, _ = log_probs.shape
    if steps is None:
        return np.full(count, total)
    found = np.asarray(steps).astype(np.intp)
    if found.shape != (count,) or (found < 0).any() or (found > total).any():
        raise InputError(f"expected {count} numbers from 0 to {total}, got {np.asarray(steps).tolist()}", "steps")
    return found


def log_softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Logits (..., C) -> log probabilities (..., C) float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def padded_labels(labels: Sequence[Sequence[int]]) -> NDArray[np.intp]:
    """(L, N): N labels as columns, padded with the blank's code to the longest."""
    units = np.full((max(map(len, labels), default=0), len(labels)), BLANK, dtype=np.intp)
    for column, label in zip(units.T, labels, strict=True):
        column[: len(label)] = label
    return units


def label_log_probability(
    log_probs: NDArray[np.floating[Any]], labels: Sequence[Sequence[int]], steps: Steps | None = None
) -> NDArray[np.float64]:
    """log p(label | image) for (T, N, C) log probabilities and N labels (codes 1..C-1, no padding) -> (N,) float64.

    The forward algorithm (Graves et al., 2006, section 4.1); -inf for a label that does not fit its time steps. Log
    probabilities below MIN_LOG_PROBABILITY count as that. Without time steps, the text is empty. More steps than T
    raise InputError.

    The loop is over the states (blank, unit, blank, ..., unit, blank), not over the time steps: there are fewer of
    them, and each is computed for all steps at once.
    """
    return _over_alignments(log_probs, labels, steps, np.logaddexp)


def likeliest_alignment(
    log_probs: NDArray[np.floating[Any]], labels: Sequence[Sequence[int]], steps: Steps | None = None
) -> NDArray[np.float64]:
    """The log probability of each label's likeliest alignment alone; else as label_log_probability. ANYTHING may be
    among the codes: any output has probability 1 there. (A sum would count each output many times, once for every
    place at which ANYTHING may begin and end.)"""
    anything = np.zeros((*log_probs.shape[:2], 1), log_probs.dtype)  # the last class, which is what -1 is the index of
    return _over_alignments(np.concatenate((log_probs, anything), axis=2), labels, steps, np.maximum)


def _over_alignments(
    log_probs: NDArray[np.floating[Any]], labels: Sequence[Sequence[int]], steps: Steps | None, either: np.ufunc
) -> NDArray[np.float64]:
    """`either` gives the log probability of one or another alignment: of both, logaddexp, or the likelier, maximum."""
    count = log_probs.shape[1]
    lengths = np.array([len(label) for label in labels], dtype=np.intp)
    units = padded_labels(labels)
    # A unit may follow another without a blank between them if the two differ.
    skips = np.where(units[1:] == units[:-1], -np.inf, 0.0)
    images = np.arange(count)
    own_steps = steps_per_image(log_probs, steps)
    if not len(log_probs):
        return np.where(lengths == 0, 0.0, -np.inf)
    last = own_steps - 1
    # Log probability of staying in a state from the first step on: (T, N) for blank, (T, L, N) for units.
    blank_stays = np.cumsum(np.maximum(log_probs[:, :, BLANK], MIN_LOG_PROBABILITY), axis=0, dtype=np.float64)
    unit_stays = np.cumsum(np.maximum(log_probs[:, images, units], MIN_LOG_PROBABILITY), axis=0, dtype=np.float64)
    unit, blank = np.empty(0), blank_stays  # forward variables of the last two states, (T, N)
    found = [blank[last, images]]
    for position in range(len(units)):
        if position == 0:
            unit = _alpha(blank, 0.0, unit_stays[:, 0], either)
        else:
            before = either(blank, unit + skips[position - 1])
            unit = _alpha(before, -np.inf, unit_stays[:, position], either)
        blank = _alpha(unit, -np.inf, blank_stays, either)
        found.append(either(unit[last, images], blank[last, images]))
    without_steps = np.where(lengths == 0, 0.0, -np.inf)
    return np.where(own_steps == 0, without_steps, np.stack(found)[lengths, images])


def _alpha(
    source: NDArray[np.float64], start: float, stays: NDArray[np.float64], either: np.ufunc
) -> NDArray[np.float64]:
    """The log forward variable (T, N) of a state. It is entered from `source` (T, N) of the step before, or in the
    first step with log probability `start`; `stays` (T, N) is the log probability of staying in it from then on.

    alpha[t] = exp(stays[t]) * (exp(start) + sum over j < t of source[j] / exp(stays[j])); of the likeliest alignment
    alone, the greatest of these terms.
    """
    entered = np.empty_like(stays)
    entered[0] = start
    np.subtract(source[:-1], stays[:-1], entered[1:])
    alpha: NDArray[np.float64] = either.accumulate(entered, axis=0)
    alpha += stays
    return alpha
