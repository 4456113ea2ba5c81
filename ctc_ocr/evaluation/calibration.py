"""Calibration of confidences by Platt scaling, and the expected calibration error."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctc_ocr.errors import InputError

Floats = NDArray[np.float64]
MAX_LOG_ODDS = 16.0  # of 1 - 1e-7: float32 sums are no closer to 1
MIN_SLOPE = 0.01
NEWTON_ITERATIONS = 100
BISECTIONS = 100  # of an interval of less than 100: to the last bit


def log_odds(confidences: ArrayLike) -> Floats:
    """log(p / (1 - p)) of confidences of any shape, clipped to +-MAX_LOG_ODDS."""
    minimum = sigmoid(-MAX_LOG_ODDS)
    p = np.clip(np.asarray(confidences, dtype=np.float64), minimum, 1 - minimum)
    odds: Floats = np.clip(np.log(p) - np.log1p(-p), -MAX_LOG_ODDS, MAX_LOG_ODDS)
    return odds


def sigmoid(x: ArrayLike) -> Floats:
    """1 / (1 + exp(-x)), the probability of log odds, for x of any shape."""
    p: Floats = np.exp(-np.logaddexp(0.0, -np.asarray(x, dtype=np.float64)))
    return p


@dataclass(frozen=True)
class Calibration:
    """Platt scaling (Platt, 1999): calibrated log odds = slope * log odds + offset.

    The slope is positive, so that the order of confidences stays.
    """

    slope: float = 1.0
    offset: float = 0.0

    def apply(self, confidences: ArrayLike) -> Floats:
        """Calibrated confidences, 0 to 1, of confidences of any shape."""
        return sigmoid(self.slope * log_odds(confidences) + self.offset)

    @classmethod
    def fit(cls, confidences: ArrayLike, correct: ArrayLike) -> "Calibration":
        """The maximum-likelihood fit to N predictions: confidences (N,), and whether each is correct (N,).

        Platt's targets in place of 0 and 1 keep few samples from making it overconfident. If all predictions are
        correct, or none, only the offset is fitted. The slope is at least MIN_SLOPE, also where confidences tell
        nothing. Without samples it is the identity.
        """
        odds, correct = log_odds(confidences), np.asarray(correct, dtype=bool)
        positives, negatives = int(correct.sum()), int((~correct).sum())
        if not len(correct):
            return cls()
        targets = np.where(correct, (positives + 1) / (positives + 2), 1 / (negatives + 2))
        if not (positives and negatives):
            return cls(1.0, _fit_offset(odds, targets))
        slope, offset = _newton(np.stack([odds, np.ones_like(odds)], axis=1), targets)
        if slope < MIN_SLOPE:
            return cls(MIN_SLOPE, _fit_offset(MIN_SLOPE * odds, targets))
        return cls(float(slope), float(offset))

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "calibration") -> "Calibration":
        """From what to_dict gave. Raises InputError at `where` for anything else."""
        if not isinstance(values, Mapping) or set(values) != {"slope", "offset"}:
            raise InputError("expected the numbers slope and offset", where)
        if not all(map(_is_finite, values.values())):
            raise InputError("expected finite numbers as slope and offset", where)
        if values["slope"] <= 0:
            raise InputError(f"expected a slope above 0, got {values['slope']}", where)
        return cls(float(values["slope"]), float(values["offset"]))


def _is_finite(value: Any) -> bool:
    """Whether a value of a JSON file is a number that a float can hold."""
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False


def _fit_offset(fixed: Floats, targets: Floats) -> float:
    """The offset with which the mean of sigmoid(fixed + offset) (N,) is that of the targets, which is above 0 and below
    1: by bisection, since the mean rises with it. Newton's method may jump to where it is flat."""
    low, high = -2 * MAX_LOG_ODDS - float(fixed.max()), 2 * MAX_LOG_ODDS - float(fixed.min())
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if sigmoid(fixed + middle).mean() < targets.mean():
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _newton(inputs: Floats, targets: Floats) -> Floats:
    """The weights (K,) that minimise the cross-entropy of sigmoid(inputs @ weights) (N,) from the targets (N,):
    logistic regression by Newton's method with step halving. Inputs are (N, K)."""

    def loss(weights: Floats) -> float:
        odds = inputs @ weights
        return float((np.logaddexp(0.0, odds) - targets * odds).sum())

    weights = np.zeros(inputs.shape[1])
    for _ in range(NEWTON_ITERATIONS):
        p = sigmoid(inputs @ weights)
        gradient = inputs.T @ (p - targets)
        hessian = (inputs * (p * (1 - p))[:, None]).T @ inputs
        hessian += 1e-9 * (1 + np.trace(hessian)) * np.eye(len(weights))  # not singular if all inputs are the same
        direction, rate, before = np.linalg.solve(hessian, gradient), 1.0, loss(weights)
        while loss(weights - rate * direction) > before and rate > 1e-6:
            rate /= 2
        if loss(weights - rate * direction) > before:
            break
        weights = weights - rate * direction
        if np.abs(rate * direction).max() < 1e-10:
            break
    return weights


class ReliabilityBins:
    """Expected calibration error (Naeini et al., 2015) of predictions that are added in parts: the difference between
    mean confidence and accuracy, averaged over bins of equal width."""

    def __init__(self, bins: int = 15) -> None:
        self.counts, self.correct, self.sums = np.zeros(bins), np.zeros(bins), np.zeros(bins)

    def add(self, confidences: ArrayLike, correct: ArrayLike) -> None:
        """N more predictions: confidences (N,), and whether each is correct (N,)."""
        p, count = np.asarray(confidences, dtype=np.float64), len(self.counts)
        bins = np.minimum((p * count).astype(np.intp), count - 1)
        self.counts += np.bincount(bins, minlength=count)
        self.correct += np.bincount(bins, weights=np.asarray(correct, dtype=np.float64), minlength=count)
        self.sums += np.bincount(bins, weights=p, minlength=count)

    @property
    def error(self) -> float:
        """0 (perfect) to 1; NaN before the first prediction."""
        total = self.counts.sum()
        return float(np.abs(self.sums - self.correct).sum() / total) if total else math.nan


def expected_calibration_error(confidences: ArrayLike, correct: ArrayLike, bins: int = 15) -> float:
    """The error of N predictions: confidences (N,), and whether each is correct (N,)."""
    reliability = ReliabilityBins(bins)
    reliability.add(confidences, correct)
    return reliability.error
