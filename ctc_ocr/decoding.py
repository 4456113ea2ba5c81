"""From a network's logits to readings and their probabilities. NumPy only.

Logits are (T, N, C): time steps, images, classes; class BLANK (0) is the CTC blank (Graves et al., 2006).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK


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
    needs more steps than T.
    """
    steps, count, _ = log_probs.shape
    if count == 0:
        return np.zeros(0)
    lengths = np.array([len(label) for label in labels])
    extended = np.full((count, 2 * lengths.max() + 1), BLANK)  # blank, unit, blank, ..., unit, blank
    for row, label in zip(extended, labels, strict=True):
        row[1 : 2 * len(label) : 2] = label
    # A unit may follow another without a blank between them if the two differ.
    skips = np.zeros(extended.shape, dtype=bool)
    skips[:, 3::2] = extended[:, 3::2] != extended[:, 1:-2:2]

    images = np.arange(count)
    emitted = log_probs[:, images[:, None], extended].astype(np.float64)  # (T, N, S)
    alpha = np.full(extended.shape, -np.inf)
    alpha[:, :2] = emitted[0, :, :2]
    for step in range(1, steps):
        reached = alpha.copy()
        reached[:, 1:] = np.logaddexp(reached[:, 1:], alpha[:, :-1])
        reached[:, 2:] = np.where(skips[:, 2:], np.logaddexp(reached[:, 2:], alpha[:, :-2]), reached[:, 2:])
        alpha = reached + emitted[step]
    last_blank = alpha[images, 2 * lengths]
    last_unit = np.where(lengths > 0, alpha[images, np.maximum(2 * lengths - 1, 0)], -np.inf)
    return np.asarray(np.logaddexp(last_blank, last_unit))
