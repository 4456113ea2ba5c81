"""Whether a calibration helps, by cross-validation: it is left out where it does not."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctc_ocr.evaluation.calibration import Calibration, Floats, expected_calibration_error, log_odds

FOLDS = 10
MAX_LEAVE_ONE_OUT = 50  # with more images than this, FOLDS parts are left out in turn
MIN_IMAGES = 10  # with fewer, chance decides whether a calibration seems to help


@dataclass(frozen=True)
class ConfidenceFigures:
    """How good confidences are: mean negative log likelihood (nats per prediction), and expected calibration error, 0
    to 1. NaN without predictions."""

    log_loss: float
    calibration_error: float

    @classmethod
    def of(cls, confidences: ArrayLike, correct: ArrayLike) -> "ConfidenceFigures":
        """Of N predictions: confidences (N,), and whether each is correct (N,)."""
        losses = log_losses(confidences, correct)
        return cls(float(losses.mean()) if len(losses) else math.nan, expected_calibration_error(confidences, correct))

    def to_dict(self) -> dict[str, float | None]:
        values = {"log_loss": self.log_loss, "calibration_error": self.calibration_error}
        return {name: None if math.isnan(value) else value for name, value in values.items()}


@dataclass(frozen=True)
class CalibrationChoice:
    """A calibration that helps, or None: confidences are better as they are.

    `images` are the predictions it was fitted to. `before` are the figures of these predictions without it, `after`
    those with it, each prediction calibrated by a fit to others (cross-validation).
    """

    calibration: Calibration | None
    images: int
    before: ConfidenceFigures
    after: ConfidenceFigures

    def to_dict(self) -> dict[str, Any]:
        """{name: value}, ready for JSON."""
        return {
            "calibration": self.calibration.to_dict() if self.calibration else None,
            "images": self.images,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
        }


def choose_calibration(confidences: ArrayLike, correct: ArrayLike, seed: int = 0) -> CalibrationChoice:
    """The calibration fitted to N predictions, confidences (N,) and whether each is correct (N,), if it helps.

    It helps if it lowers the mean log loss in cross-validation by more than the standard error of the difference, and
    the predictions are at least MIN_IMAGES. `seed` divides them into parts.
    """
    given, labels = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=bool)
    count = len(given)
    calibrated = cross_validated(given, labels, seed)
    gains = log_losses(given, labels) - log_losses(calibrated, labels)
    helps = count >= MIN_IMAGES and gains.mean() > gains.std(ddof=1) / math.sqrt(count)
    return CalibrationChoice(
        calibration=Calibration.fit(given, labels) if helps else None,
        images=count,
        before=ConfidenceFigures.of(given, labels),
        after=ConfidenceFigures.of(calibrated, labels),
    )


def cross_validated(confidences: Floats, correct: NDArray[np.bool_], seed: int) -> Floats:
    """Calibrated confidences (N,) of predictions, confidences (N,) and whether each is correct (N,), each by a fit to
    others: all others of few predictions, those of the other parts of many."""
    calibrated = np.empty(len(confidences))
    for part in _parts(len(confidences), seed):
        others = np.ones(len(confidences), dtype=bool)
        others[part] = False
        fitted = Calibration.fit(confidences[others], correct[others])
        calibrated[part] = fitted.apply(confidences[part])
    return calibrated


def _parts(count: int, seed: int) -> Iterator[NDArray[np.intp]]:
    """The indices of each part."""
    order = np.random.default_rng(seed).permutation(count)
    num_parts = count if count <= MAX_LEAVE_ONE_OUT else FOLDS
    return (order[first::num_parts] for first in range(num_parts))


def log_losses(confidences: ArrayLike, correct: ArrayLike) -> Floats:
    """Negative log likelihoods (N,) of predictions: confidences (N,), and whether each is correct (N,). Confidences of
    0 and 1 are clipped as in log_odds."""
    odds = log_odds(confidences)
    losses: Floats = np.logaddexp(0.0, np.where(np.asarray(correct, dtype=bool), -odds, odds))
    return losses
