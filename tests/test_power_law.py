"""The law of a learning curve: what it is fitted to, it tells again, and its interval holds what comes."""

import numpy as np
import pytest

from ctc_ocr.errors import InputError
from ctc_ocr.experiments.learning_curve import LearningCurve
from ctc_ocr.experiments.power_law import Count, PowerLaw, bootstrap, fit

LAW = PowerLaw(log_factor=5.0, exponent=1.2)
SIZES = (20, 40, 80, 160)


def drawn(seed: int, read: int = 60, runs: int = 3) -> list[Count]:
    """Counts of trainings that follow the law."""
    generator = np.random.default_rng(seed)
    return [Count(size, int(generator.binomial(read, LAW.error(size))), read) for size in SIZES for _ in range(runs)]


def test_a_law_is_found_in_many_readings() -> None:
    found = fit([Count(size, round(1_000_000 * LAW.error(size)), 1_000_000) for size in SIZES])
    assert found.log_factor == pytest.approx(5.0, abs=1e-3)
    assert found.exponent == pytest.approx(1.2, abs=1e-3)


def test_errors_become_a_power_of_the_labels_where_they_are_few() -> None:
    assert LAW.error(20_000) / LAW.error(40_000) == pytest.approx(2**1.2, rel=1e-3)
    assert LAW.error(1) == pytest.approx(1, abs=0.01)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    truth, within = 1 - LAW.error(1000), 0
    for seed in range(40):
        expected = LearningCurve(200, tuple(drawn(seed)), seed).expected(1000)
        assert expected.low <= expected.accuracy <= expected.high
        within += expected.low <= truth <= expected.high
    assert within >= 34


def test_more_readings_make_the_interval_narrower() -> None:
    few, many = (LearningCurve(200, tuple(drawn(0, read))).expected(1000) for read in (30, 3000))
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_trainings_that_differ_make_the_interval_wider() -> None:
    alike = [Count(size, errors, 100) for size, errors in zip(SIZES, (60, 40, 24, 12), strict=True) for _ in range(4)]
    apart = [Count(each.labels, each.errors + (8 if number % 2 else -8), 100) for number, each in enumerate(alike)]
    spreads = [np.std([law.error(160) for law in bootstrap(counts, seed=0)]) for counts in (alike, apart)]
    assert spreads[1] > 1.3 * spreads[0]


@pytest.mark.parametrize("errors", [(0, 0), (50, 50), (50, 0), (0, 50), (10, 30)])
def test_none_or_all_or_rising_errors_give_a_law_too(errors: tuple[int, int]) -> None:
    counts = [Count(size, number, 50) for size, number in zip((10, 100), errors, strict=True)]
    law = fit(counts)
    assert np.isfinite([law.log_factor, law.exponent]).all()
    assert law.exponent >= 0
    assert law.error(1000) <= law.error(100) <= law.error(10)
    assert all(np.isfinite(each.log_factor) for each in bootstrap(counts, rounds=50))


def test_one_number_of_labels_is_no_curve() -> None:
    with pytest.raises(InputError, match="two numbers of labels or more, got 1"):
        fit([Count(10, 1, 5), Count(10, 2, 5)])


@pytest.mark.parametrize("errors", [0, 50])
def test_the_estimate_is_within_its_interval(errors: int) -> None:
    curve = LearningCurve(100, tuple(Count(labels, errors, 50) for labels in (10, 20, 50, 100) for _ in range(3)))
    for labels in (50, 150, 1000):
        expected = curve.expected(labels)
        assert expected.low <= expected.accuracy <= expected.high
        assert expected.low < expected.high


def test_a_curve_tells_what_was_measured() -> None:
    curve = LearningCurve(30, (Count(10, 5, 10), Count(10, 3, 10), Count(20, 1, 10)))
    first, second = curve.points
    assert (first.labels, first.trainings, first.lowest, first.highest) == (10, 2, 0.5, 0.7)
    assert first.accuracy == pytest.approx(0.6)
    assert (second.labels, second.accuracy) == (20, 0.9)
    told = curve.to_dict([70])
    assert [each["labels"] for each in told["expected"]] == [30, 100]
    assert told["expected"][1]["accuracy"] > told["expected"][0]["accuracy"] > 0.8
