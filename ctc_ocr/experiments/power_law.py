"""How errors fall with the number of labels: a power law of their odds, fitted to counts of errors. No MXNet.

odds(labels) = factor * labels ** -exponent, where the odds are error / (1 - error). For few errors this is the usual
power law of learning curves (Hestness et al., 2017); with too few labels to learn anything, the error goes to 1. The
logarithm of the odds is a line over the logarithm of the labels, so the fit is a logistic regression.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.errors import InputError

Array = NDArray[np.float64]

ROUNDS = 1000  # of the bootstrap
ITERATIONS = 50  # of Newton's method
PRIOR = 0.5  # errors and correct readings that each size has in addition, so that none or all is no infinity


@dataclass(frozen=True)
class Count:
    """The readings of one training: from so many labels, how many of `read` images are errors."""

    labels: int
    errors: int
    read: int

    @property
    def accuracy(self) -> float:
        return 1 - self.errors / self.read


@dataclass(frozen=True)
class PowerLaw:
    """The odds of an error are exp(log_factor) * labels ** -exponent; the exponent is 0 or more."""

    log_factor: float
    exponent: float

    def error(self, labels: float) -> float:
        """The fraction of errors, 0 to 1, after a training on so many labels."""
        return float(_sigmoid(np.float64(self.log_factor - self.exponent * np.log(labels))))


def fit(counts: Sequence[Count]) -> PowerLaw:
    """The most probable law of counts with at least two numbers of labels. Raises InputError for fewer."""
    sizes, errors, read = _by_size(counts)
    (factor,), (exponent,) = _fit(np.log(sizes), errors[None], read[None])
    return PowerLaw(float(factor), float(exponent))


def bootstrap(counts: Sequence[Count], seed: int = 0, rounds: int = ROUNDS) -> list[PowerLaw]:
    """Laws of counts as they could have been: of each number of labels, trainings are drawn with replacement, and the
    errors of each are drawn again (Efron, 1979). Raises InputError as `fit` does."""
    sizes, _, read = _by_size(counts)
    generator = np.random.default_rng(seed)
    drawn = np.empty((rounds, len(sizes)))
    for column, size in enumerate(sizes):
        runs = [each for each in counts if each.labels == size]
        chosen = generator.integers(len(runs), size=(rounds, len(runs)))
        probabilities = np.array([(each.errors + PRIOR) / (each.read + 2 * PRIOR) for each in runs])
        numbers = np.array([each.read for each in runs])
        errors = generator.binomial(numbers[chosen], probabilities[chosen]).sum(axis=1)
        # Trainings that read other numbers of images were drawn: the fraction counts.
        drawn[:, column] = errors / numbers[chosen].sum(axis=1) * read[column]
    factors, exponents = _fit(np.log(sizes), drawn, np.broadcast_to(read, drawn.shape))
    return [PowerLaw(*each) for each in zip(factors.tolist(), exponents.tolist(), strict=True)]


def _by_size(counts: Sequence[Count]) -> tuple[Array, Array, Array]:
    """(S,) different numbers of labels, in order, and the errors and the read images of each."""
    sizes = sorted({each.labels for each in counts})
    if len(sizes) < 2:
        raise InputError(f"a law needs two numbers of labels or more, got {len(sizes)}", "counts")
    of = [[each for each in counts if each.labels == size] for size in sizes]
    errors = [sum(each.errors for each in runs) for runs in of]
    read = [sum(each.read for each in runs) for runs in of]
    return np.array(sizes, np.float64), np.array(errors, np.float64), np.array(read, np.float64)


def _fit(log_sizes: Array, errors: Array, read: Array) -> tuple[Array, Array]:
    """log_factor and exponent (R,) of R experiments, errors and read (R, S), by Newton's method."""
    centre = float(log_sizes.mean())
    x = log_sizes - centre
    errors, read = errors + PRIOR, read + 2 * PRIOR
    slope = np.zeros(len(errors))
    level = _logit(errors.sum(axis=1) / read.sum(axis=1))
    for _ in range(ITERATIONS):
        expected = _sigmoid(level[:, None] + slope[:, None] * x)
        residual, weight = errors - read * expected, read * expected * (1 - expected) + 1e-9
        a, b, c = weight.sum(axis=1), (weight * x).sum(axis=1), (weight * x * x).sum(axis=1)
        by_level, by_slope = residual.sum(axis=1), (residual * x).sum(axis=1)
        determinant = a * c - b * b
        level = level + np.clip((c * by_level - b * by_slope) / determinant, -2, 2)
        slope = slope + np.clip((a * by_slope - b * by_level) / determinant, -2, 2)
    rises = slope > 0  # errors do not rise with labels: what seems so is chance
    level = np.where(rises, _logit(errors.sum(axis=1) / read.sum(axis=1)), level)
    slope = np.where(rises, 0.0, slope)
    return level - slope * centre, -slope


def _sigmoid(value: Array | np.float64) -> Array:
    return np.asarray(1 / (1 + np.exp(-value)))


def _logit(probability: Array) -> Array:
    return np.asarray(np.log(probability / (1 - probability)))
