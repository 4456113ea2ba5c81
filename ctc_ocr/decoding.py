"""From a network's logits to readings and their probabilities. NumPy only.

Logits are (T, N, C): time steps, images, classes; class BLANK (0) is the CTC blank (Graves et al., 2006).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK

LEAST = -1e6  # log probability


def best_path(logits: NDArray[np.floating[Any]]) -> NDArray[np.intp]:
    """(T, N, C) logits or probabilities -> (T, N), the most probable class of each step."""
    path: NDArray[np.intp] = logits.argmax(axis=2)
    return path


def collapse(path: NDArray[Any]) -> list[list[int]]:
    """(T, N) classes, of any integral or float dtype -> N lists of codes: repeats merged, then blanks taken out."""
    path = np.asarray(path).astype(np.int64, copy=False).T
    kept = path != BLANK
    kept[:, 1:] &= path[:, 1:] != path[:, :-1]
    bounds = [0, *np.cumsum(kept.sum(axis=1)).tolist()]
    codes = path[kept].tolist()
    return [codes[start:end] for start, end in pairwise(bounds)]


def greedy(logits: NDArray[np.floating[Any]]) -> list[list[int]]:
    """(T, N, C) logits -> N lists of codes: the reading of each image's best path."""
    return collapse(best_path(logits))


def log_softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Logits (..., C) -> log probabilities (..., C) float64 over the last axis."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def label_log_probability(log_probs: NDArray[np.floating[Any]], labels: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """log p(label | image) for (T, N, C) log probabilities and N labels (codes 1..C-1, no padding) -> (N,) float64.

    The sum over all alignments, by the forward algorithm (Graves et al., 2006, section 4.1); -inf for a label that
    needs more steps than T. A probability below exp(LEAST) counts as that.

    The recursion goes through the states (blank, unit, blank, ..., unit, blank) instead of through the steps: a label
    has fewer of them, and each is computed for all steps at once.
    """
    _, count, _ = log_probs.shape
    lengths = np.array([len(label) for label in labels], dtype=np.intp)
    units = np.full((lengths.max(initial=0), count), BLANK)
    for column, label in zip(units.T, labels, strict=True):
        column[: len(label)] = label
    # A unit may follow another without a blank between them if the two differ.
    passage = np.where(units[1:] == units[:-1], -np.inf, 0.0)
    images = np.arange(count)
    # Log probability of having stayed in a state from the first step on.
    blanks = np.cumsum(np.maximum(log_probs[:, :, BLANK], LEAST), axis=0, dtype=np.float64)  # (T, N)
    stays = np.cumsum(np.maximum(log_probs[:, images, units], LEAST), axis=0, dtype=np.float64)  # (T, L, N)
    unit, blank = np.empty(0), blanks  # forward variables of the last two states, (T, N)
    found = [blank[-1]]
    for position in range(len(units)):
        if position == 0:
            unit = _alpha(blank, 0.0, stays[:, 0])
        else:
            unit = _alpha(np.logaddexp(blank, unit + passage[position - 1]), -np.inf, stays[:, position])
        blank = _alpha(unit, -np.inf, blanks)
        found.append(np.logaddexp(unit[-1], blank[-1]))
    return np.asarray(np.stack(found)[lengths, images])


def _alpha(source: NDArray[np.float64], start: float, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The forward variable of a state, log, (T, N): it is entered from `source` (T, N) of the step before, or at first
    with log probability `start`, and stayed in from step to step, which sums up to `sums` (T, N).

    alpha[t] = exp(sums[t]) * (exp(start) + the sum over j < t of source[j] / exp(sums[j])).
    """
    entered = np.empty_like(sums)
    entered[0] = start
    np.subtract(source[:-1], sums[:-1], entered[1:])
    alpha: NDArray[np.float64] = np.logaddexp.accumulate(entered, axis=0)
    alpha += sums
    return alpha
