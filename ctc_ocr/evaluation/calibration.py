"""Confidences that mean what they say: of the readings given 0.9, nine tenths are right. No MXNet."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctc_ocr.errors import InputError

Floats = NDArray[np.float64]
MAX_LOG_ODDS = 16.0  # of 1 - 1e-7: what is nearer to 1 comes of rounding
MIN_SLOPE = 0.01
NEWTON_STEPS = 100


def log_odds(confidences: ArrayLike) -> Floats:
    """log(p / (1 - p)) of confidences of any shape, within +-MAX_LOG_ODDS."""
    least = probability(-MAX_LOG_ODDS)
    p = np.clip(np.asarray(confidences, dtype=np.float64), least, 1 - least)
    odds: Floats = np.clip(np.log(p) - np.log1p(-p), -MAX_LOG_ODDS, MAX_LOG_ODDS)
    return odds


def probability(odds: ArrayLike) -> Floats:
    """1 / (1 + exp(-log odds)) of log odds of any shape and size."""
    p: Floats = np.exp(-np.logaddexp(0.0, -np.asarray(odds, dtype=np.float64)))
    return p


@dataclass(frozen=True)
class Calibration:
    """Platt scaling: calibrated log odds = slope * log odds + offset. The slope is positive: the order stays."""

    slope: float = 1.0
    offset: float = 0.0

    def apply(self, confidences: ArrayLike) -> Floats:
        """Calibrated confidences, 0 to 1, of confidences of any shape."""
        return probability(self.slope * log_odds(confidences) + self.offset)

    @classmethod
    def fit(cls, confidences: ArrayLike, right: ArrayLike) -> "Calibration":
        """The maximum-likelihood one for N readings of known truth: confidences (N,) and whether each was right (N,).

        With the targets of Platt (1999) in place of 0 and 1, so that few samples do not make it sure of itself. Where
        all are right, or all wrong, the slope stays 1; where confidence tells nothing, or the contrary, it is
        MIN_SLOPE. Without samples nothing changes.
        """
        odds, right = log_odds(confidences), np.asarray(right, dtype=bool)
        good, bad = int(right.sum()), int((~right).sum())
        if not len(right):
            return cls()
        targets = np.where(right, (good + 1) / (good + 2), 1 / (bad + 2))
        if not (good and bad):
            return cls(1.0, _fit_offset(odds, targets))
        slope, offset = _newton(np.stack([odds, np.ones_like(odds)], axis=1), np.zeros_like(odds), targets)
        if slope < MIN_SLOPE:
            return cls(MIN_SLOPE, _fit_offset(MIN_SLOPE * odds, targets))
        return cls(float(slope), float(offset))

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "calibration") -> "Calibration":
        """Of what to_dict gave. Raises InputError that starts with `where` for anything else."""
        if not isinstance(values, Mapping) or set(values) != {"slope", "offset"}:
            raise InputError("expected the numbers slope and offset", where)
        if not all(map(_is_finite, values.values())):
            raise InputError("slope and offset must be finite numbers", where)
        if values["slope"] <= 0:
            raise InputError(f"slope {values['slope']} is not above 0", where)
        return cls(float(values["slope"]), float(values["offset"]))


def _is_finite(value: Any) -> bool:
    """Whether a value of a JSON file is a number that a float can hold."""
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _fit_offset(fixed: Floats, targets: Floats) -> float:
    return float(_newton(np.ones((len(fixed), 1)), fixed, targets)[0])


def _newton(inputs: Floats, fixed: Floats, targets: Floats) -> Floats:
    """The weights (K,) of inputs (N, K) that minimise the cross-entropy of log odds inputs @ weights + fixed (N,) from
    the targets (N,), by Newton's method with halved steps where a whole one is too far."""

    def loss(weights: Floats) -> float:
        odds = inputs @ weights + fixed
        return float((np.logaddexp(0.0, odds) - targets * odds).sum())

    weights = np.zeros(inputs.shape[1])
    for _ in range(NEWTON_STEPS):
        p = probability(inputs @ weights + fixed)
        gradient = inputs.T @ (p - targets)
        hessian = (inputs * (p * (1 - p))[:, None]).T @ inputs
        hessian += 1e-9 * (1 + np.trace(hessian)) * np.eye(len(weights))  # where all inputs are the same
        step, length, before = np.linalg.solve(hessian, gradient), 1.0, loss(weights)
        while loss(weights - length * step) > before and length > 1e-6:
            length /= 2
        weights = weights - length * step
        if np.abs(length * step).max() < 1e-10:
            break
    return weights


class ReliabilityBins:
    """Expected calibration error (Naeini et al., 2015) of readings that come in portions: the confidences from 0 to 1
    are divided into bins of equal width, and the differences between mean confidence and accuracy averaged."""

    def __init__(self, bins: int = 15) -> None:
        self.counts, self.right, self.sums = np.zeros(bins), np.zeros(bins), np.zeros(bins)

    def add(self, confidences: ArrayLike, right: ArrayLike) -> None:
        """N more: confidences (N,), and whether each reading was right (N,)."""
        p, bins = np.asarray(confidences, dtype=np.float64), len(self.counts)
        places = np.minimum((p * bins).astype(np.intp), bins - 1)
        self.counts += np.bincount(places, minlength=bins)
        self.right += np.bincount(places, weights=np.asarray(right, dtype=np.float64), minlength=bins)
        self.sums += np.bincount(places, weights=p, minlength=bins)

    @property
    def error(self) -> float:
        """0 (perfect) to 1; NaN before the first reading."""
        total = self.counts.sum()
        return float(np.abs(self.sums - self.right).sum() / total) if total else math.nan


def expected_calibration_error(confidences: ArrayLike, right: ArrayLike, bins: int = 15) -> float:
    """That of N readings: confidences (N,), and whether each was right (N,)."""
    reliability = ReliabilityBins(bins)
    reliability.add(confidences, right)
    return reliability.error
