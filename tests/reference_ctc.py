"""CTC by its definition: the sum over every path of T steps that collapses to the label. For small T and C only."""

import functools
import itertools
from collections.abc import Callable, Sequence

import numpy as np


def collapse(path: Sequence[int]) -> tuple[int, ...]:
    """The label of a path: repeats merged, then blanks (0) taken out."""
    return tuple(code for code, _ in itertools.groupby(path) if code != 0)


@functools.cache
def paths(steps: int, classes: int, label: tuple[int, ...]) -> np.ndarray:
    """All the paths (P, steps) that collapse to a label."""
    every = itertools.product(range(classes), repeat=steps)
    return np.array([path for path in every if collapse(path) == label], int).reshape(-1, steps)


def ctc_loss(logits: np.ndarray, label: Sequence[int]) -> float:
    """Negative log-likelihood of a label (codes without padding) for logits (T, C); 0 where no path gives it."""
    steps, classes = logits.shape
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    taken = log_probabilities[np.arange(steps), paths(steps, classes, tuple(label))]
    return -float(np.log(np.exp(taken.sum(axis=1)).sum())) if len(taken) else 0.0


def batch_loss(logits: np.ndarray, labels: np.ndarray, input_lengths: Sequence[int]) -> np.ndarray:
    """Losses (N,) float64 of logits (T, N, C), labels (N, L) padded with 0, and the steps of each sample."""
    return np.array(
        [
            ctc_loss(logits[:steps, sample], [int(code) for code in labels[sample] if code]) if steps else 0.0
            for sample, steps in enumerate(input_lengths)
        ]
    )


def central_differences(function: Callable[[np.ndarray], float], point: np.ndarray, step: float) -> np.ndarray:
    """Gradient of a scalar function at a point of any shape, float64."""
    gradient = np.zeros(point.shape)
    for index in np.ndindex(*point.shape):
        ahead, behind = point.astype(np.float64), point.astype(np.float64)
        ahead[index] += step
        behind[index] -= step
        gradient[index] = (function(ahead) - function(behind)) / (2 * step)
    return gradient
