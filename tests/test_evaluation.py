"""The counts of an evaluation, against plain lists."""

import json
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.cli import evaluation_table
from ctc_ocr.evaluation.calibration import expected_calibration_error, probability
from ctc_ocr.evaluation.metrics import Tally, wilson_interval
from ctc_ocr.evaluation.report import THRESHOLDS, Evaluation

ALPHABET = Alphabet(("a", "b", "sch"))


def random_samples(count, seed=0):
    """Readings, confidences and true units: some right, some with a unit that the alphabet lacks."""
    rng = np.random.default_rng(seed)
    units = [*ALPHABET.units, "é"]
    truths = [tuple(rng.choice(units, size=rng.integers(0, 5), p=[0.4, 0.3, 0.25, 0.05])) for _ in range(count)]
    readings = [
        [ALPHABET.lookup.get(unit, 1) for unit in truth] if rng.random() < 0.7 else rng.integers(1, 4, size=3).tolist()
        for truth in truths
    ]
    return readings, rng.beta(4, 1, size=count).tolist(), truths


def evaluate(samples, portion=7, **settings):
    evaluation = Evaluation(ALPHABET, **settings)
    for start in range(0, len(samples[0]), portion):
        evaluation.add(*(each[start : start + portion] for each in samples))
    return evaluation.report()


def by_hand(truth, reading):
    return tuple(ALPHABET.units[code - 1] for code in reading) == tuple(truth)


def test_counts_equal_those_of_plain_lists():
    readings, confidences, truths = samples = random_samples(300)
    right = [by_hand(*each) for each in zip(truths, readings, strict=True)]
    report = evaluate(samples)
    assert (report["samples"], report["right"], report["accuracy"]) == (300, sum(right), sum(right) / 300)
    assert tuple(report["interval"]) == wilson_interval(sum(right), 300)
    tally = Tally()
    tally.add([[ALPHABET.units[code - 1] for code in reading] for reading in readings], [list(t) for t in truths])
    assert (report["cer"], report["lcs_ratio"]) == (tally.cer, pytest.approx(tally.lcs_ratio))
    assert report["replaced"] + report["missed"] + report["inserted"] == report["edits"] == tally.edits
    for row in report["by_length"]:
        of_length = [is_right for is_right, truth in zip(right, truths, strict=True) if len(truth) == row["length"]]
        assert (row["samples"], row["right"]) == (len(of_length), sum(of_length))
    assert sum(row["samples"] for row in report["by_length"]) == 300
    repeated = [is_right for is_right, t in zip(right, truths, strict=True) if any(a == b for a, b in pairwise(t))]
    assert (report["with_repeats"]["samples"], report["with_repeats"]["right"]) == (len(repeated), sum(repeated))
    assert 0 < len(repeated) < 300
    outside = [truth for truth in truths if "é" in truth]
    assert report["outside_alphabet"]["samples"] == len(outside) > 0
    assert report["outside_alphabet"]["units"] == {"é": sum(truth.count("é") for truth in outside)}
    assert report["calibration_error"] == pytest.approx(expected_calibration_error(confidences, right))


def test_portions_make_no_difference_and_all_of_it_is_json():
    samples = random_samples(100)
    one, many = evaluate(samples, portion=100), evaluate(samples, portion=1)
    assert one["lcs_ratio"] == pytest.approx(many.pop("lcs_ratio"))
    one.pop("lcs_ratio")
    assert one["calibration_error"] == pytest.approx(many.pop("calibration_error"))
    one.pop("calibration_error")
    assert json.loads(json.dumps(one, allow_nan=False)) == many


def test_confusions_by_hand():
    evaluation = Evaluation(ALPHABET)
    evaluation.add([[1, 2], [1, 2], [1], [1, 1, 3]], [0.5] * 4, [["a", "a"], ["a", "a"], ["a", "sch"], ["a", "sch"]])
    report = evaluation.report()
    assert report["confusions"][0] == {"truth": "a", "read": "b", "count": 2}
    rest = [(each["truth"], each["read"], each["count"]) for each in report["confusions"][1:]]
    assert sorted(rest, key=str) == [("sch", None, 1), (None, "a", 1)]
    assert (report["replaced"], report["missed"], report["inserted"]) == (2, 1, 1)


def test_coverage_is_what_refusing_by_hand_gives():
    readings, confidences, truths = samples = random_samples(300, seed=1)
    right = np.array([by_hand(*each) for each in zip(truths, readings, strict=True)])
    rows = evaluate(samples)["coverage"]
    assert rows[0] == {"threshold": 0.0, "coverage": 1.0, "accuracy": right.mean()}
    assert 50 < len(rows) <= THRESHOLDS
    for row in rows:
        kept = np.array(confidences) >= row["threshold"]
        assert (row["coverage"], row["accuracy"]) == (pytest.approx(kept.mean()), pytest.approx(right[kept].mean()))
    thresholds = [row["threshold"] for row in rows]
    assert thresholds == sorted(thresholds)


def test_thresholds_are_close_together_near_one():
    evaluation = Evaluation(ALPHABET)
    confidences = [0.0, 0.99, 0.999, 0.9999, 0.99999, 0.999999, 1.0]
    evaluation.add([[1]] * 7, confidences, [["b"], *[["a"]] * 6])
    rows = evaluation.report()["coverage"]
    assert [row["coverage"] for row in rows] == pytest.approx([n / 7 for n in range(7, 0, -1)])
    assert [row["accuracy"] for row in rows] == pytest.approx([6 / 7, *[1.0] * 6])


def test_a_least_confidence_is_counted_exactly_and_refuses_nothing():
    readings, confidences, truths = samples = random_samples(300, seed=2)
    least = confidences[17]
    right = [by_hand(*each) for each in zip(truths, readings, strict=True)]
    kept = [is_right for is_right, confidence in zip(right, confidences, strict=True) if confidence >= least]
    report = evaluate(samples, min_confidence=least)
    answered = report["min_confidence"]
    assert (answered["threshold"], answered["coverage"]) == (least, len(kept) / 300)
    assert (answered["samples"], answered["right"]) == (len(kept), sum(kept))
    assert report["samples"] == 300


def test_texts_are_compared_however_labels_divide_them():
    alphabet = Alphabet(("s", "c", "h", "ch", "sch", "u"))
    evaluation = Evaluation(alphabet)
    sch, u = [5], [6]
    truths = [["s", "c", "h", "u"], ["sch", "u"], ["s", "ch", "u"], ["s", "c", "h", "é"]]
    evaluation.add([sch + u, [1, 2, 3] + u, [1, 4] + u, sch + u], [0.5] * 4, truths)
    report = evaluation.report()
    assert (report["samples"], report["right"], report["edits"], report["units"]) == (4, 3, 1, 8)
    assert report["confusions"] == [{"truth": "é", "read": "u", "count": 1}]
    assert report["outside_alphabet"] == {"samples": 1, "units": {"é": 1}}
    assert [row["length"] for row in report["by_length"]] == [2]


def test_thresholds_are_shown_apart():
    """Also where they are near 1 or 0; each, given to --min_confidence, refuses no reading that its row counts."""
    for center in (0.0, -15.9, 15.9):
        confidences = probability(center + np.linspace(-0.9, 0.9, 7) * (0.1 if center else 10))
        evaluation = Evaluation(ALPHABET)
        evaluation.add([[1]] * 7, confidences.tolist(), [["a"]] * 7)
        report = evaluation.report()
        thresholds = [row["threshold"] for row in report["coverage"]]
        assert len(thresholds) > 3
        shown = [evaluation_table._rounded_down(threshold) for threshold in thresholds]
        assert [float(each) for each in shown] == pytest.approx(thresholds, rel=1e-3)
        assert len(set(shown)) == len(thresholds)
        assert all(float(each) <= threshold for each, threshold in zip(shown, thresholds, strict=True))
    for threshold, text in {0.0: "0", 1.0: "1", 0.000002: "0.000002", 0.9: "0.9", 0.123456789: "0.1234"}.items():
        assert evaluation_table._rounded_down(threshold) == text


def test_nothing_to_count():
    report = Evaluation(ALPHABET).report()
    assert (report["samples"], report["accuracy"], report["cer"], report["coverage"]) == (0, None, None, [])
    empty = Evaluation(ALPHABET)
    empty.add([], [], [])
    empty.add([[]], [1.0], [[]])
    assert (empty.report()["right"], empty.report()["cer"]) == (1, None)


def test_memory_does_not_grow_with_the_number_of_samples():
    evaluation = Evaluation(ALPHABET)
    samples = random_samples(500)
    evaluation.add(*samples)
    tracemalloc.start()
    try:
        for _ in range(10):
            evaluation.add(*samples)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 20_000  # bytes: 4 a sample
    assert evaluation.report()["samples"] == 5500
