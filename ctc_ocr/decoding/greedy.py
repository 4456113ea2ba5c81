"""From a network's logits to readings and their probabilities. NumPy only.

Logits are (T, N, C): time steps, images, classes; class BLANK (0) is the CTC blank (Graves et al., 2006). Where images
differ in width, `steps` (N,) are the true time steps of each, 0 to T; None: all of them have T.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK, Alphabet
from ctc_ocr.decoding.language_model import UnitSplitter
from ctc_ocr.errors import InputError

Steps = Sequence[int] | NDArray[Any]

LEAST = -1e6  # log probability


def best_path(logits: NDArray[np.floating[Any]], steps: Steps | None = None) -> NDArray[np.intp]:
    """(T, N, C) logits or probabilities -> (T, N), the most probable class of each step; BLANK after the true ones."""
    path: NDArray[np.intp] = logits.argmax(axis=2)
    if steps is not None:
        path[np.arange(len(path))[:, None] >= np.asarray(steps)] = BLANK
    return path


def collapse(path: NDArray[Any]) -> list[list[int]]:
    """(T, N) classes, of any integral or float dtype -> N lists of codes: repeats merged, then blanks taken out."""
    path = np.asarray(path).astype(np.int64, copy=False).T
    kept = path != BLANK
    kept[:, 1:] &= path[:, 1:] != path[:, :-1]
    bounds = [0, *np.cumsum(kept.sum(axis=1)).tolist()]
    codes = path[kept].tolist()
    return [codes[start:end] for start, end in pairwise(bounds)]


def greedy(logits: NDArray[np.floating[Any]], steps: Steps | None = None) -> list[list[int]]:
    """(T, N, C) logits -> N lists of codes: the reading of each image's best path."""
    return collapse(best_path(logits, steps))


def true_steps(log_probs: NDArray[Any], steps: Steps | None = None) -> NDArray[np.intp]:
    """(N,): the time steps of each image of (T, N, C). Raises InputError if they are not N numbers from 0 to T."""
    total, count, _ = log_probs.shape
    if steps is None:
        return np.full(count, total)
    found = np.asarray(steps).astype(np.intp)
    if found.shape != (count,) or (found < 0).any() or (found > total).any():
        raise InputError(f"expected {count} numbers of steps from 0 to {total}, got {np.asarray(steps).tolist()}")
    return found


def allowed_classes(alphabet: Alphabet, allowed: Iterable[str]) -> NDArray[np.bool_]:
    """(C,) bool: the blank and the allowed units, given one by one, or as a text, of which the longest units that fit
    are taken. Raises InputError for an empty text and for what is not in the alphabet, which it names."""
    if isinstance(allowed, str):
        if not allowed:
            raise InputError("no units to be read: at least one must be allowed")
        allowed = UnitSplitter(alphabet).pieces(allowed)
    mask = np.zeros(alphabet.num_classes, dtype=bool)
    mask[[BLANK, *alphabet.encode(allowed)]] = True
    return mask


def restrict(logits: NDArray[np.floating[Any]], allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Logits (..., C) -> log probabilities (..., C) float64 of the allowed classes (C,) alone, -inf for the others.

    Log probabilities of all the classes will do for logits: a softmax does not see the difference.
    """
    return log_softmax(np.where(allowed, logits, -np.inf))


def log_softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Logits (..., C) -> log probabilities (..., C) float64 over the last axis."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def label_log_probability(
    log_probs: NDArray[np.floating[Any]], labels: Sequence[Sequence[int]], steps: Steps | None = None
) -> NDArray[np.float64]:
    """log p(label | image) for (T, N, C) log probabilities and N labels (codes 1..C-1, no padding) -> (N,) float64.

    The sum over all alignments, by the forward algorithm (Graves et al., 2006, section 4.1); -inf for a label that
    needs more steps than there are. A probability below exp(LEAST) counts as that. Steps are at least 1 here; more
    than T raise InputError.

    The recursion goes through the states (blank, unit, blank, ..., unit, blank) instead of through the steps: a label
    has fewer of them, and each is computed for all steps at once.
    """
    count = log_probs.shape[1]
    lengths = np.array([len(label) for label in labels], dtype=np.intp)
    units = np.full((lengths.max(initial=0), count), BLANK)
    for column, label in zip(units.T, labels, strict=True):
        column[: len(label)] = label
    # A unit may follow another without a blank between them if the two differ.
    passage = np.where(units[1:] == units[:-1], -np.inf, 0.0)
    images = np.arange(count)
    last = true_steps(log_probs, steps) - 1
    # Log probability of having stayed in a state from the first step on.
    blanks = np.cumsum(np.maximum(log_probs[:, :, BLANK], LEAST), axis=0, dtype=np.float64)  # (T, N)
    stays = np.cumsum(np.maximum(log_probs[:, images, units], LEAST), axis=0, dtype=np.float64)  # (T, L, N)
    unit, blank = np.empty(0), blanks  # forward variables of the last two states, (T, N)
    found = [blank[last, images]]
    for position in range(len(units)):
        if position == 0:
            unit = _alpha(blank, 0.0, stays[:, 0])
        else:
            unit = _alpha(np.logaddexp(blank, unit + passage[position - 1]), -np.inf, stays[:, position])
        blank = _alpha(unit, -np.inf, blanks)
        found.append(np.logaddexp(unit[last, images], blank[last, images]))
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
