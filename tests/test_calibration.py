"""Calibration: the best that a fine grid finds, and confidences that mean what they say."""

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
    probability,
)
from tests.reference_ctc import central_differences


def platt_loss(weights, confidences, right):
    """Cross-entropy from Platt's targets, term by term."""
    good, bad = sum(right), len(right) - sum(right)
    total = 0.0
    for confidence, is_right in zip(confidences, right, strict=True):
        target = (good + 1) / (good + 2) if is_right else 1 / (bad + 2)
        odds = math.exp(weights[0] * math.log(confidence / (1 - confidence)) + weights[1])
        total += math.log(1 + odds) - target * math.log(odds)
    return total


def overconfident(count, seed=0, slope=0.4, offset=-0.5):
    """Confidences and whether each reading is right, whose true log odds are slope * log odds + offset."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(2.0, 3.0, size=count)
    return probability(odds), rng.random(count) < probability(slope * odds + offset)


@pytest.mark.parametrize(("count", "seed"), [(12, 1), (60, 2), (400, 3)])
def test_no_other_calibration_is_better(count, seed):
    confidences, right = overconfident(count, seed)
    found = Calibration.fit(confidences, right)
    here = np.array([found.slope, found.offset])
    loss = lambda weights: platt_loss(weights, confidences, right)  # noqa: E731
    np.testing.assert_allclose(central_differences(loss, here, 1e-5), 0.0, atol=1e-5)
    grid = [loss((slope, offset)) for slope in np.linspace(0.01, 3, 40) for offset in np.linspace(-4, 4, 40)]
    assert loss(here) <= min(grid)


def test_the_true_calibration_is_found_and_confidences_mean_what_they_say():
    found = Calibration.fit(*overconfident(20_000))
    assert found.slope == pytest.approx(0.4, abs=0.02)
    assert found.offset == pytest.approx(-0.5, abs=0.06)
    confidences, right = overconfident(20_000, seed=1)
    assert expected_calibration_error(confidences, right) > 0.15
    assert expected_calibration_error(found.apply(confidences), right) < 0.02


def test_the_order_stays():
    confidences = np.array([0.0, 1e-300, 0.1, 0.5, 0.9, 1 - 1e-6, 1.0])
    for calibration in (Calibration(0.3, -1.0), Calibration(2.0, 1.0), Calibration.fit(*overconfident(50))):
        calibrated = calibration.apply(confidences)
        assert (np.diff(calibrated) >= 0).all()
        assert (np.diff(calibrated[2:6]) > 0).all()
        assert ((calibrated >= 0) & (calibrated <= 1)).all()
    np.testing.assert_allclose(Calibration().apply(confidences[2:6]), confidences[2:6], rtol=1e-9)


def test_all_right_or_all_wrong_moves_the_level_alone():
    confidences = np.array([0.6, 0.9, 0.99, 1.0])
    for right, level in ((True, 5 / 6), (False, 1 / 6)):
        found = Calibration.fit(confidences, [right] * 4)
        assert found.slope == 1.0
        assert found.apply(confidences).mean() == pytest.approx(level)
    assert Calibration.fit([], []) == Calibration()
    assert Calibration.fit([1.0], [True]).apply([1.0])[0] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("confidences", "right"),
    [
        ([0.1, 0.2, 0.8, 0.9], [True, True, False, False]),  # the surer, the worse
        ([0.7] * 6, [True] * 4 + [False] * 2),  # confidence tells nothing
        ([1.0, 1.0, 0.0, 0.0], [True, True, False, False]),  # a threshold parts them
        ([1.0, 0.0], [False, True]),
    ],
)
def test_odd_samples_give_a_finite_rising_calibration(confidences, right):
    found = Calibration.fit(confidences, right)
    assert found.slope >= MIN_SLOPE
    assert math.isfinite(found.slope)
    assert math.isfinite(found.offset)
    # Right ones are as likely as Platt's targets on average: the gradient by the offset is 0.
    good, bad = sum(right), len(right) - sum(right)
    mean = (good * (good + 1) / (good + 2) + bad / (bad + 2)) / len(right)
    assert found.apply(confidences).mean() == pytest.approx(mean, abs=1e-6)


def test_log_odds_are_bounded_and_undo_probability():
    odds = np.linspace(-15, 15, 31)
    np.testing.assert_allclose(log_odds(probability(odds)), odds, rtol=1e-9, atol=1e-9)
    assert log_odds([0.0, 1.0]) == pytest.approx([-MAX_LOG_ODDS, MAX_LOG_ODDS])
    assert abs(log_odds([0.0, 1.0])).max() <= MAX_LOG_ODDS
    assert probability([-1e4, 1e4]).tolist() == [0.0, 1.0]


def test_calibration_error_by_hand_and_in_portions():
    # Bins of a quarter: (0.1, 0.2), (0.6), (0.8, 1.0).
    confidences, right = [0.1, 0.2, 0.6, 0.8, 1.0], [False, True, True, True, False]
    expected = (abs(0.3 - 1) + abs(0.6 - 1) + abs(1.8 - 1)) / 5
    assert expected_calibration_error(confidences, right, bins=4) == pytest.approx(expected)
    bins = ReliabilityBins(4)
    assert math.isnan(bins.error)
    for start in range(0, 5, 2):
        bins.add(confidences[start : start + 2], right[start : start + 2])
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
def test_bad_values_are_refused(values):
    with pytest.raises(InputError, match=r"^ocr\.json: "):
        Calibration.from_dict(values, "ocr.json")
