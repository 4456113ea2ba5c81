"""A calibration is used where it helps on images that it was not fitted to, and nowhere else."""

import math

import numpy as np
import pytest

from ctc_ocr.evaluation.calibration import Calibration, expected_calibration_error, sigmoid
from ctc_ocr.evaluation.calibration_choice import (
    FOLDS,
    MAX_LEAVE_ONE_OUT,
    MIN_IMAGES,
    ConfidenceFigures,
    choose_calibration,
    cross_validated,
    log_losses,
)

# Kinds of models: mean and standard deviation of their log odds, and slope and offset of the true ones.
KINDS = {
    "perfect": (2, 3, 1.0, 0.0),
    "overconfident": (2, 3, 0.4, -0.5),
    "very overconfident": (6, 3, 0.2, -0.5),
    "underconfident": (1, 1, 2.0, 0.5),
    "certain and correct": (9, 2, 1.0, 2.0),
    "all correct": (8, 3, 1.0, 50.0),
    "all wrong": (0, 3, 1.0, -50.0),
    "all wrong and not sure": (-8, 2, 1.0, -50.0),
    "confidences that tell nothing": (2, 3, 0.0, 0.5),
}


def sample(kind, count, rng):
    """Confidences, and whether each is correct."""
    mean, deviation, slope, offset = KINDS[kind]
    odds = rng.normal(mean, deviation, count)
    return sigmoid(odds), rng.random(count) < sigmoid(slope * odds + offset)


def expected_gains(kind, count, draws):
    """What each of some choices gains in log loss on a large fresh sample, whose labels are averaged over."""
    rng = np.random.default_rng(count)
    mean, deviation, slope, offset = KINDS[kind]
    fresh = rng.normal(mean, deviation, 20_000)
    probability = sigmoid(slope * fresh + offset)

    def loss(confidences):
        wrong, right = (log_losses(confidences, np.full(len(fresh), each)) for each in (False, True))
        return float((probability * right + (1 - probability) * wrong).mean())

    before, gains = loss(sigmoid(fresh)), []
    for _ in range(draws):
        calibration = choose_calibration(*sample(kind, count, rng)).calibration
        gains.append(before - loss(calibration.apply(sigmoid(fresh))) if calibration else 0.0)
    return np.array(gains)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("count", "draws"), [(1, 5), (6, 20), (12, 40), (40, 15), (300, 15), (2000, 8)])
def test_the_expected_log_loss_is_not_worse_than_without_beyond_noise(kind, count, draws):
    gains = expected_gains(kind, count, draws)
    noise = 2 * gains.std() / math.sqrt(draws)
    assert gains.mean() >= -noise - 1e-4
    if count >= 300:
        assert gains.min() > -0.005


@pytest.mark.parametrize("kind", ["overconfident", "very overconfident", "underconfident", "all wrong"])
def test_where_it_helps_it_is_used(kind):
    gains = expected_gains(kind, 300, 10)
    assert (gains > 0.01).all()


def test_a_model_that_reads_everything_stays_certain():
    """Six validation images, all correct: fitted, the confidence of a certain prediction was 0.875."""
    confidences, correct = np.full(6, 1 - 1e-6), np.ones(6, dtype=bool)
    assert Calibration.fit(confidences, correct).apply(confidences).max() < 0.88
    for count in (1, 6, MIN_IMAGES, 60):
        choice = choose_calibration(np.full(count, 1 - 1e-6), np.ones(count, dtype=bool))
        assert (choice.calibration, choice.images) == (None, count)


def test_figures_are_of_predictions_that_the_fit_has_not_seen():
    """By brute force: a fit for each part that is left out."""
    rng = np.random.default_rng(4)
    for count, parts in ((20, 20), (MAX_LEAVE_ONE_OUT, MAX_LEAVE_ONE_OUT), (200, FOLDS)):
        confidences, correct = sample("overconfident", count, rng)
        calibrated = cross_validated(confidences, correct, seed=0)
        order = np.random.default_rng(0).permutation(count)
        for part in range(parts):
            left_out = np.isin(np.arange(count), order[part::parts])
            fit = Calibration.fit(confidences[~left_out], correct[~left_out])
            np.testing.assert_allclose(calibrated[left_out], fit.apply(confidences[left_out]))
        choice = choose_calibration(confidences, correct)
        losses = -np.log(np.where(correct, calibrated, 1 - calibrated))
        assert choice.after.log_loss == pytest.approx(losses.mean())
        assert choice.after.calibration_error == expected_calibration_error(calibrated, correct)
        assert choice.before == ConfidenceFigures.of(confidences, correct)
        fitted = Calibration.fit(confidences, correct)
        assert choice.calibration in (None, fitted)
        assert choice.after.log_loss > ConfidenceFigures.of(fitted.apply(confidences), correct).log_loss


def test_a_choice_does_not_depend_on_chance_and_an_empty_one_is_none():
    confidences, correct = sample("overconfident", 200, np.random.default_rng(0))
    assert choose_calibration(confidences, correct) == choose_calibration(confidences, correct)
    empty = choose_calibration([], [])
    assert (empty.calibration, empty.images) == (None, 0)
    assert empty.to_dict()["before"] == {"log_loss": None, "calibration_error": None}


def test_log_losses_of_impossible_predictions_are_finite():
    assert log_losses([0.0, 1.0, 0.25], [True, False, True]) == pytest.approx([16, 16, math.log(4)], abs=1e-6)
