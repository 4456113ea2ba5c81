"""The law of a learning curve: what it is fitted to, it tells again, and its interval holds what comes."""

import numpy as np
import pytest

from ctc_ocr.errors import InputError
from ctc_ocr.experiments.learning_curve import LearningCurve
from ctc_ocr.experiments.power_law import EXPONENT_SCALE, FLOOR_PRIOR, LEVEL_SCALE, Count, PowerLaw, probable_laws

LAW = PowerLaw(log_factor=5.0, exponent=1.2, floor=0.0)
FLOORED = PowerLaw(log_factor=3.0, exponent=1.2, floor=0.08)
SIZES = (20, 40, 80, 160)


def drawn(seed: int, read: int = 60, runs: int = 3, law: PowerLaw = LAW) -> list[Count]:
    """Counts of trainings that follow the law."""
    generator = np.random.default_rng(seed)
    return [Count(size, int(generator.binomial(read, law.error(size))), read) for size in SIZES for _ in range(runs)]


@pytest.mark.parametrize("law", [LAW, FLOORED], ids=["no floor", "floor"])
def test_a_law_is_found_in_many_readings(law: PowerLaw) -> None:
    laws = probable_laws([Count(size, round(5000 * law.error(size)), 5000) for size in SIZES], draws=300)
    for size in SIZES:
        assert np.mean([each.error(size) for each in laws]) == pytest.approx(law.error(size), abs=0.01)


def test_the_laws_are_those_of_an_enumerated_posterior() -> None:
    counts = [Count(20, 30, 60), Count(40, 16, 60), Count(80, 11, 60), Count(160, 9, 60)]
    laws = probable_laws(counts, draws=2000)

    level, exponent, logit = np.meshgrid(np.linspace(-8, 8, 81), np.linspace(0.02, 4, 60), np.linspace(-30, 4, 120))
    floor, centre = 1 / (1 + np.exp(-logit)), np.log(SIZES).mean()
    log_density = FLOOR_PRIOR[0] * np.log(floor) + FLOOR_PRIOR[1] * np.log1p(-floor)
    log_density -= (level / LEVEL_SCALE) ** 2 / 2 + (exponent / EXPONENT_SCALE) ** 2 / 2

    def error(labels: float) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
        return np.asarray(floor + (1 - floor) / (1 + np.exp(exponent * (np.log(labels) - centre) - level)))

    for each in counts:
        expected = error(each.labels)
        log_density += each.errors * np.log(expected) + (each.read - each.errors) * np.log1p(-expected)
    weights = np.exp(log_density - log_density.max()).ravel()
    for labels in (40, 160, 1000):
        values = error(labels).ravel()
        order = values.argsort()
        share = np.cumsum(weights[order]) / weights.sum()
        found = np.percentile([law.error(labels) for law in laws], (2.5, 25, 50, 75, 97.5))
        for value, quantile in zip(found, (0.025, 0.25, 0.5, 0.75, 0.975), strict=True):
            assert share[np.searchsorted(values[order], value)] == pytest.approx(quantile, abs=0.04)


def test_errors_become_a_power_of_the_labels_where_they_are_few() -> None:
    assert LAW.error(20_000) / LAW.error(40_000) == pytest.approx(2**1.2, rel=1e-3)
    assert LAW.error(1) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("law", [LAW, FLOORED], ids=["no floor", "floor"])
def test_the_interval_holds_the_truth_as_often_as_it_says(law: PowerLaw) -> None:
    truth, within = 1 - law.error(1000), 0
    for seed in range(40):
        expected = LearningCurve(200, tuple(drawn(seed, law=law)), seed).expected(1000)
        assert expected.low <= expected.accuracy <= expected.high
        within += expected.low <= truth <= expected.high
    assert within >= 34


def test_errors_that_stay_are_expected_where_few_labels_have_read_as_many() -> None:
    stays = LearningCurve(200, tuple(Count(size, 12, 200) for size in SIZES)).expected(1000)
    falls = LearningCurve(
        200, tuple(Count(size, errors, 200) for size, errors in zip(SIZES, (150, 80, 30, 12), strict=True))
    ).expected(1000)
    assert falls.accuracy > stays.accuracy + 0.02


def test_more_readings_make_the_interval_narrower() -> None:
    few, many = (LearningCurve(200, tuple(drawn(0, read))).expected(1000) for read in (30, 3000))
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_trainings_that_differ_make_the_interval_wider() -> None:
    alike = [Count(size, errors, 100) for size, errors in zip(SIZES, (60, 40, 24, 12), strict=True) for _ in range(4)]
    apart = [Count(each.labels, each.errors + (8 if number % 2 else -8), 100) for number, each in enumerate(alike)]
    spreads = [np.std([law.error(160) for law in probable_laws(counts)]) for counts in (alike, apart)]
    assert spreads[1] > 1.3 * spreads[0]


@pytest.mark.parametrize("errors", [(0, 0), (50, 50), (50, 0), (0, 50), (10, 30)])
def test_none_or_all_or_rising_errors_give_a_law_too(errors: tuple[int, int]) -> None:
    counts = [Count(size, number, 50) for size, number in zip((10, 100), errors, strict=True)]
    for law in probable_laws(counts, draws=50):
        assert np.isfinite([law.log_factor, law.exponent]).all()
        assert law.exponent >= 0
        assert 0 <= law.floor <= law.error(1000) <= law.error(100) <= law.error(10) <= 1


def test_one_number_of_labels_is_no_curve() -> None:
    with pytest.raises(InputError, match="two numbers of labels or more, got 1"):
        probable_laws([Count(10, 1, 5), Count(10, 2, 5)])


@pytest.mark.parametrize("errors", [0, 50])
def test_the_estimate_is_within_its_interval(errors: int) -> None:
    curve = LearningCurve(100, tuple(Count(labels, errors, 50) for labels in (10, 20, 50, 100) for _ in range(3)))
    for labels in (50, 150, 1000):
        expected = curve.expected(labels)
        assert expected.low <= expected.accuracy <= expected.high
        assert expected.low < expected.high


def test_a_curve_tells_what_was_measured() -> None:
    curve = LearningCurve(30, (Count(10, 50, 100), Count(10, 30, 100), Count(20, 10, 100)))
    first, second = curve.points
    assert (first.labels, first.trainings, first.lowest, first.highest) == (10, 2, 0.5, 0.7)
    assert first.accuracy == pytest.approx(0.6)
    assert (second.labels, second.accuracy) == (20, 0.9)
    told = curve.to_dict([70])
    assert [each["labels"] for each in told["expected"]] == [30, 100]
    assert told["expected"][1]["accuracy"] > told["expected"][0]["accuracy"] > 0.8
