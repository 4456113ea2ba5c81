"""Calibration: the best that a fine grid finds, and confidences that equal accuracies."""

import json
import math

import numpy as np
import pytest

from ctc_ocr.errors import InputError
from ctc_ocr.evaluation.calibration import (
    MAX_LOG_ODDS,
    MIN_SLOPE,
    Calibration,
    ReliabilityBins,
    expected_calibration_error,
    log_odds,
    sigmoid,
)
from tests.reference_ctc import central_differences


def platt_loss(weights, confidences, correct):
    """Cross-entropy from Platt's targets, term by term."""
    positives, negatives = sum(correct), len(correct) - sum(correct)
    total = 0.0
    for confidence, is_correct in zip(confidences, correct, strict=True):
        target = (positives + 1) / (positives + 2) if is_correct else 1 / (negatives + 2)
        odds = math.exp(weights[0] * math.log(confidence / (1 - confidence)) + weights[1])
        total += math.log(1 + odds) - target * math.log(odds)
    return total


def overconfident(count, seed=0, slope=0.4, offset=-0.5):
    """Confidences and whether each prediction is correct, whose true log odds are slope * log odds + offset."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(2.0, 3.0, size=count)
    return sigmoid(odds), rng.random(count) < sigmoid(slope * odds + offset)


@pytest.mark.parametrize(("count", "seed"), [(12, 1), (60, 2), (400, 3)])
def test_no_other_calibration_is_better(count, seed):
    confidences, correct = overconfident(count, seed)
    found = Calibration.fit(confidences, correct)
    here = np.array([found.slope, found.offset])
    loss = lambda weights: platt_loss(weights, confidences, correct)  # noqa: E731
    np.testing.assert_allclose(central_differences(loss, here, 1e-5), 0.0, atol=1e-5)
    grid = [loss((slope, offset)) for slope in np.linspace(0.01, 3, 40) for offset in np.linspace(-4, 4, 40)]
    assert loss(here) <= min(grid)


def test_the_true_calibration_is_found_and_confidences_equal_accuracies():
    found = Calibration.fit(*overconfident(20_000))
    assert found.slope == pytest.approx(0.4, abs=0.02)
    assert found.offset == pytest.approx(-0.5, abs=0.06)
    confidences, correct = overconfident(20_000, seed=1)
    assert expected_calibration_error(confidences, correct) > 0.15
    assert expected_calibration_error(found.apply(confidences), correct) < 0.02


def test_the_order_stays():
    confidences = np.array([0.0, 1e-300, 0.1, 0.5, 0.9, 1 - 1e-6, 1.0])
    for calibration in (Calibration(0.3, -1.0), Calibration(2.0, 1.0), Calibration.fit(*overconfident(50))):
        calibrated = calibration.apply(confidences)
        assert (np.diff(calibrated) >= 0).all()
        assert (np.diff(calibrated[2:6]) > 0).all()
        assert ((calibrated >= 0) & (calibrated <= 1)).all()
    np.testing.assert_allclose(Calibration().apply(confidences[2:6]), confidences[2:6], rtol=1e-9)


def test_all_or_none_correct_fits_the_offset_alone():
    confidences = np.array([0.6, 0.9, 0.99, 1.0])
    for correct, level in ((True, 5 / 6), (False, 1 / 6)):
        found = Calibration.fit(confidences, [correct] * 4)
        assert found.slope == 1.0
        assert found.apply(confidences).mean() == pytest.approx(level)
    assert Calibration.fit([], []) == Calibration()
    assert Calibration.fit([1.0], [True]).apply([1.0])[0] == pytest.approx(2 / 3)


@pytest.mark.parametrize("confidence", [1e-7, 1e-5, 0.01, 0.5, 0.99, 1 - 1e-6])
@pytest.mark.parametrize("count", [1, 10, 3000])
def test_all_or_none_correct_at_any_confidence(confidence, count):
    """As long lines that are all read have small ones: Laplace's rule of succession."""
    for correct, level in ((True, (count + 1) / (count + 2)), (False, 1 / (count + 2))):
        found = Calibration.fit([confidence] * count, [correct] * count)
        assert found.apply([confidence])[0] == pytest.approx(level, abs=1e-9)


@pytest.mark.parametrize(
    ("confidences", "correct"),
    [
        ([0.1, 0.2, 0.8, 0.9], [True, True, False, False]),  # the more confident, the worse
        ([0.7] * 6, [True] * 4 + [False] * 2),  # confidence tells nothing
        ([1.0, 1.0, 0.0, 0.0], [True, True, False, False]),  # a threshold separates them
        ([1.0, 0.0], [False, True]),
    ],
)
def test_odd_samples_give_a_finite_rising_calibration(confidences, correct):
    found = Calibration.fit(confidences, correct)
    assert found.slope >= MIN_SLOPE
    assert math.isfinite(found.slope)
    assert math.isfinite(found.offset)
    # Correct ones are as likely as Platt's targets on average: the gradient by the offset is 0.
    positives, negatives = sum(correct), len(correct) - sum(correct)
    mean = (positives * (positives + 1) / (positives + 2) + negatives / (negatives + 2)) / len(correct)
    assert found.apply(confidences).mean() == pytest.approx(mean, abs=1e-6)


def test_log_odds_are_bounded_and_invert_sigmoid():
    odds = np.linspace(-15, 15, 31)
    np.testing.assert_allclose(log_odds(sigmoid(odds)), odds, rtol=1e-9, atol=1e-9)
    assert log_odds([0.0, 1.0]) == pytest.approx([-MAX_LOG_ODDS, MAX_LOG_ODDS])
    assert abs(log_odds([0.0, 1.0])).max() <= MAX_LOG_ODDS
    assert sigmoid([-1e4, 1e4]).tolist() == [0.0, 1.0]


def test_calibration_error_by_hand_and_in_parts():
    # Bins of a quarter: (0.1, 0.2), (0.6), (0.8, 1.0).
    confidences, correct = [0.1, 0.2, 0.6, 0.8, 1.0], [False, True, True, True, False]
    expected = (abs(0.3 - 1) + abs(0.6 - 1) + abs(1.8 - 1)) / 5
    assert expected_calibration_error(confidences, correct, bins=4) == pytest.approx(expected)
    bins = ReliabilityBins(4)
    assert math.isnan(bins.error)
    for start in range(0, 5, 2):
        bins.add(confidences[start : start + 2], correct[start : start + 2])
    assert bins.error == pytest.approx(expected)


def test_to_json_and_back():
    found = Calibration.fit(*overconfident(50))
    assert Calibration.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize(
    "values",
    [[1, 2], {}, {"slope": 1.0}, {"slope": 0, "offset": 0}, {"slope": True, "offset": 0},
     {"slope": 1.0, "offset": math.nan}, {"slope": 1, "offset": 0, "more": 1}, {"slope": 10**400, "offset": 0},
     {"slope": 1, "offset": -(10**400)}],
)  # fmt: skip
def test_bad_values_are_an_error(values):
    with pytest.raises(InputError, match=r"^ocr\.json: "):
        Calibration.from_dict(values, "ocr.json")
