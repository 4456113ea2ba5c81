"""Which samples a pass over a training set takes, where some are drawn more often than others.

Weights take the place of copies: a copy of an image can come into the validation part, and takes memory.
"""

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.datasets.columns import Ragged


def sample_weights(codes: Ragged, balance: float) -> NDArray[np.float64]:
    """How often each of N labels is to be drawn, (N,), in relation to the others: (how often its unit occurs in all of
    them) ** -balance, and of a label of several units the mean. With balance 1, single characters are all drawn equally
    often, with 0 all samples are."""
    counts = np.bincount(codes.values)
    of_units = counts[codes.values].astype(np.float64) ** -balance
    sample = np.repeat(np.arange(len(codes)), codes.lengths)
    return np.asarray(np.bincount(sample, of_units, minlength=len(codes)) / np.maximum(codes.lengths, 1))


def drawn(weights: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.uint32]:
    """As many indices as there are weights, (N,), in random order: index i is drawn N * weights[i] / sum(weights)
    times, rounded up or down.

    Systematic sampling (Madow and Madow, 1944) of the samples in random order: what is drawn varies less from pass to
    pass than with a draw for each place.
    """
    order = generator.permutation(len(weights))
    ends = np.cumsum(weights[order])
    points = (np.arange(len(weights)) + generator.random()) * (ends[-1] / len(weights))
    places = np.minimum(np.searchsorted(ends, points, side="right"), len(weights) - 1)
    return generator.permutation(order[places]).astype(np.uint32)
