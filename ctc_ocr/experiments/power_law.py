"""How errors fall with the number of labels: a power law of their odds, above the errors that stay. No MXNet.

error(labels) = floor + (1 - floor) * odds / (1 + odds), where odds(labels) = factor * labels ** -exponent. For few
errors this is the usual power law of learning curves (Hestness et al., 2017); with too few labels to learn anything,
the error goes to 1. The floor is the error that no number of labels removes, such as that of two characters that a font
draws alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.errors import InputError

Array = NDArray[np.float64]

DRAWS = 1000
STEPS = 500  # of each Markov chain
STEP_SIZES = (2.0, 1.0, 2.0)  # largest standard deviations of a step: of the level, the exponent and the floor's logit
MIN_SCALE = 0.01  # of a step, beside the largest: many readings leave little room
JUMP = 2.38 / np.sqrt(2 * 3)  # of differential evolution, for three parameters
LEVEL_SCALE = 4.0  # prior of the level, the log of the odds midway between the numbers of labels: a normal distribution
EXPONENT_SCALE = 1.0  # prior of the exponent: the positive half of a normal distribution
FLOOR_PRIOR = (0.25, 5.0)  # a beta distribution: half of the floors are below 1 %, a tenth above 15 %
TINY = 1e-12  # probabilities are kept this far from 0 and 1


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
    """The odds of an error are exp(log_factor) * labels ** -exponent, besides the errors that stay: the floor, a
    fraction of all readings. The exponent is 0 or more."""

    log_factor: float
    exponent: float
    floor: float

    def error(self, labels: float) -> float:
        """The fraction of errors, 0 to 1, after a training on so many labels."""
        learned = _sigmoid(np.array(self.log_factor - self.exponent * np.log(labels)))
        return float(self.floor + (1 - self.floor) * learned)


def probable_laws(counts: Sequence[Count], seed: int = 0, draws: int = DRAWS) -> list[PowerLaw]:
    """Laws that could have led to the counts, drawn from their posterior distribution.

    For each draw, the trainings of each number of labels are drawn with replacement (the bootstrap, Efron, 1979), so
    that trainings that differ much make the laws differ too. Raises InputError for counts of a single number of labels.
    """
    sizes = np.array(sorted({each.labels for each in counts}), np.float64)
    if len(sizes) < 2:
        raise InputError(f"a law needs two numbers of labels or more, got {len(sizes)}", "counts")
    generator = np.random.default_rng(seed)
    errors, read = np.empty((2, draws, len(sizes)))
    for column, size in enumerate(sizes):
        runs = np.array([(each.errors, each.read) for each in counts if each.labels == size])
        chosen = runs[generator.integers(len(runs), size=(draws, len(runs)))]
        errors[:, column], read[:, column] = chosen.sum(axis=1).T
    log_sizes = np.log(sizes)
    level, exponent, logit = _posterior(log_sizes - log_sizes.mean(), errors, read, generator).T
    columns = (level + exponent * log_sizes.mean(), exponent, _sigmoid(logit))
    return [PowerLaw(*each) for each in np.stack(columns, axis=1).tolist()]


def _posterior(x: Array, errors: Array, read: Array, generator: np.random.Generator) -> Array:
    """(R, 3): for each of R experiments, errors and read (R, S), one draw of the level at x = 0, the exponent and the
    logit of the floor. Each is the end of its own Markov chain (Metropolis et al., 1953;
    differential evolution: ter Braak, 2006)."""

    def log_posterior(parameters: Array) -> Array:
        level, exponent, logit = (column[:, None] for column in parameters.T)
        floor = _sigmoid(logit)
        error = np.clip(floor + (1 - floor) * _sigmoid(level - exponent * x), TINY, 1 - TINY)
        likelihood = (errors * np.log(error) + (read - errors) * np.log1p(-error)).sum(axis=1)
        # Of the logit, not of the floor: its density has one factor more of each, floor and 1 - floor.
        of_floor = -FLOOR_PRIOR[0] * np.logaddexp(0, -logit) - FLOOR_PRIOR[1] * np.logaddexp(0, logit)
        prior = of_floor - (level / LEVEL_SCALE) ** 2 / 2 - (exponent / EXPONENT_SCALE) ** 2 / 2
        total: Array = likelihood + prior[:, 0]
        return total

    mean = (errors.sum(axis=1) + 0.5) / (read.sum(axis=1) + 1)
    # The floor starts anywhere in its prior: a walk from one place to all the small floors would be long.
    floors = np.clip(generator.beta(*FLOOR_PRIOR, len(mean)), TINY, 0.5)
    start = (np.log(mean / (1 - mean)), np.full(len(mean), 0.5), np.log(floors / (1 - floors)))
    parameters: Array = np.stack(start, axis=1)
    current = log_posterior(parameters)
    for step in range(STEPS):
        if step % 2:  # as far as two other chains are apart, in their direction: these know how parameters depend
            others = generator.integers(len(mean), size=(2, len(mean)))
            proposed = parameters + JUMP * (parameters[others[0]] - parameters[others[1]])
        else:
            scale = MIN_SCALE ** generator.random((len(mean), 1))
            proposed = parameters + generator.normal(size=parameters.shape) * STEP_SIZES * scale
        proposed[:, 1] = np.abs(proposed[:, 1])
        value = log_posterior(proposed)
        accepted = np.log(generator.random(len(mean))) < value - current
        parameters[accepted] = proposed[accepted]
        current = np.where(accepted, value, current)
    return parameters


def _sigmoid(value: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(value, -500, 500))))
