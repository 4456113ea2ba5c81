"""The counts of an evaluation, against plain lists."""

import json
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.cli import evaluation_table
from ctc_ocr.evaluation.calibration import expected_calibration_error, sigmoid
from ctc_ocr.evaluation.evaluator import THRESHOLDS, Evaluator
from ctc_ocr.evaluation.metrics import Tally, wilson_interval
from ctc_ocr.evaluation.result import Accuracy, Confusion, CoveragePoint, LengthAccuracy, OutsideAlphabet

ALPHABET = Alphabet(("a", "b", "sch"))


def random_samples(count, seed=0):
    """Predicted codes, confidences and labels: some correct, some with a unit that the alphabet lacks."""
    rng = np.random.default_rng(seed)
    units = [*ALPHABET.units, "é"]
    labels = [tuple(rng.choice(units, size=rng.integers(0, 5), p=[0.4, 0.3, 0.25, 0.05])) for _ in range(count)]
    predictions = [
        [ALPHABET.lookup.get(unit, 1) for unit in label] if rng.random() < 0.7 else rng.integers(1, 4, size=3).tolist()
        for label in labels
    ]
    return predictions, rng.beta(4, 1, size=count).tolist(), labels


def evaluate(samples, part_size=7, **settings):
    evaluator = Evaluator(ALPHABET, **settings)
    for start in range(0, len(samples[0]), part_size):
        evaluator.add(*(each[start : start + part_size] for each in samples))
    return evaluator.result()


def has_repeat(label):
    return any(a == b for a, b in pairwise(label))


def by_hand(label, prediction):
    return tuple(ALPHABET.units[code - 1] for code in prediction) == tuple(label)


def test_counts_equal_those_of_plain_lists():
    predictions, confidences, labels = samples = random_samples(300)
    correct = [by_hand(*each) for each in zip(labels, predictions, strict=True)]
    result = evaluate(samples)
    assert (result.samples, result.correct, result.accuracy) == (300, sum(correct), sum(correct) / 300)
    assert result.confidence_interval == wilson_interval(sum(correct), 300)
    tally = Tally()
    texts = [[ALPHABET.units[code - 1] for code in prediction] for prediction in predictions]
    tally.add(texts, [list(label) for label in labels])
    assert (result.cer, result.lcs_ratio) == (tally.cer, pytest.approx(tally.lcs_ratio))
    assert result.substitutions + result.deletions + result.insertions == result.edits == tally.edits
    for row in result.by_length:
        of_length = [is_correct for is_correct, label in zip(correct, labels, strict=True) if len(label) == row.length]
        assert (row.samples, row.correct) == (len(of_length), sum(of_length))
    assert sum(row.samples for row in result.by_length) == 300
    repeated = [is_correct for is_correct, label in zip(correct, labels, strict=True) if has_repeat(label)]
    assert (result.with_repeats.samples, result.with_repeats.correct) == (len(repeated), sum(repeated))
    assert 0 < len(repeated) < 300
    outside = [label for label in labels if "é" in label]
    assert result.outside_alphabet.samples == len(outside) > 0
    assert result.outside_alphabet.units == {"é": sum(label.count("é") for label in outside)}
    assert result.expected_calibration_error == pytest.approx(expected_calibration_error(confidences, correct))


def test_parts_make_no_difference_and_all_of_it_is_json():
    samples = random_samples(100)
    one, many = (evaluate(samples, part_size=size).to_dict() for size in (100, 1))
    for name in ("lcs_ratio", "expected_calibration_error"):
        assert one.pop(name) == pytest.approx(many.pop(name))
    assert one == many
    text = json.dumps(one, allow_nan=False)
    assert json.dumps(json.loads(text)) == text


def test_the_names_in_the_report():
    """Scripts that read the JSON depend on them."""
    report = evaluate(random_samples(100), min_confidence=0.5).to_dict()
    accuracy = {"samples", "correct", "accuracy", "confidence_interval"}
    assert report.keys() == accuracy | {
        "cer", "lcs_ratio", "units", "edits", "substitutions", "deletions", "insertions", "by_length", "with_repeats",
        "confusions", "outside_alphabet", "expected_calibration_error", "coverage", "min_confidence", "classes",
    }  # fmt: skip
    assert report["by_length"][0].keys() == accuracy | {"length"}
    assert report["with_repeats"].keys() == accuracy
    assert report["confusions"][0].keys() == {"label", "predicted", "count"}
    assert report["outside_alphabet"].keys() == {"samples", "units"}
    assert report["coverage"][0].keys() == {"threshold", "coverage", "accuracy"}
    assert report["min_confidence"].keys() == accuracy | {"threshold", "coverage", "cer"}


def test_an_accuracy_has_its_interval():
    assert Accuracy(4, 3).accuracy == 0.75
    assert Accuracy(4, 3).confidence_interval == wilson_interval(3, 4)
    assert (Accuracy(0, 0).accuracy, Accuracy(0, 0).confidence_interval) == (None, (0.0, 1.0))
    assert LengthAccuracy(4, 3, length=2) == LengthAccuracy(4, 3, 2) != LengthAccuracy(4, 3, 1)


def test_the_table_by_hand():
    evaluator = Evaluator(ALPHABET, min_confidence=0.5)
    evaluator.add([[1, 1], [1], [2]], [0.9, 0.9, 0.25], [["a", "a"], ["a", "b"], ["é"]])
    assert (
        evaluation_table.table(evaluator.result())
        == """\
accuracy                    0.3333  1 of 3, 95 % confidence interval 0.0615 to 0.7923
character error rate        0.4000  2 edits in 5 units: substitutions 1, deletions 1, insertions 0
LCS ratio                   0.5000
expected calibration error  0.3500
accuracy with repeats       1.0000  1 of 1, 95 % confidence interval 0.2065 to 1.0000
outside the alphabet                1 labels, never correct: 'é' 1

length  images  correct  accuracy
     1       1        0    0.0000
     2       2        1    0.5000

label  predicted  count
'b'    -              1
'é'    'b'            1

confidence  coverage  accuracy
         0    1.0000    0.3333
     0.898    0.6667    0.5000
       0.5    0.6667    0.5000"""
    )


def test_confusions_by_hand():
    evaluator = Evaluator(ALPHABET)
    evaluator.add([[1, 2], [1, 2], [1], [1, 1, 3]], [0.5] * 4, [["a", "a"], ["a", "a"], ["a", "sch"], ["a", "sch"]])
    result = evaluator.result()
    assert result.confusions[0] == Confusion("a", "b", 2)
    rest = [(each.label, each.predicted, each.count) for each in result.confusions[1:]]
    assert sorted(rest, key=str) == [("sch", None, 1), (None, "a", 1)]
    assert (result.substitutions, result.deletions, result.insertions) == (2, 1, 1)


def test_coverage_is_what_rejecting_by_hand_gives():
    predictions, confidences, labels = samples = random_samples(300, seed=1)
    correct = np.array([by_hand(*each) for each in zip(labels, predictions, strict=True)])
    rows = evaluate(samples).coverage
    assert rows[0] == CoveragePoint(0.0, 1.0, correct.mean())
    assert 50 < len(rows) <= THRESHOLDS
    for row in rows:
        kept = np.array(confidences) >= row.threshold
        assert (row.coverage, row.accuracy) == (pytest.approx(kept.mean()), pytest.approx(correct[kept].mean()))
    thresholds = [row.threshold for row in rows]
    assert thresholds == sorted(thresholds)


def test_thresholds_are_close_together_near_one():
    evaluator = Evaluator(ALPHABET)
    confidences = [0.0, 0.99, 0.999, 0.9999, 0.99999, 0.999999, 1.0]
    evaluator.add([[1]] * 7, confidences, [["b"], *[["a"]] * 6])
    rows = evaluator.result().coverage
    assert [row.coverage for row in rows] == pytest.approx([n / 7 for n in range(7, 0, -1)])
    assert [row.accuracy for row in rows] == pytest.approx([6 / 7, *[1.0] * 6])


def test_a_minimum_confidence_is_counted_exactly_and_rejects_nothing():
    predictions, confidences, labels = samples = random_samples(300, seed=2)
    minimum = confidences[17]
    correct = [by_hand(*each) for each in zip(labels, predictions, strict=True)]
    kept = [is_correct for is_correct, confidence in zip(correct, confidences, strict=True) if confidence >= minimum]
    result = evaluate(samples, min_confidence=minimum)
    confident = result.min_confidence
    assert (confident.threshold, confident.coverage) == (minimum, len(kept) / 300)
    assert (confident.samples, confident.correct) == (len(kept), sum(kept))
    assert result.samples == 300


def test_texts_are_compared_however_labels_are_split():
    alphabet = Alphabet(("s", "c", "h", "ch", "sch", "u"))
    evaluator = Evaluator(alphabet)
    sch, u = [5], [6]
    labels = [["s", "c", "h", "u"], ["sch", "u"], ["s", "ch", "u"], ["s", "c", "h", "é"]]
    evaluator.add([sch + u, [1, 2, 3] + u, [1, 4] + u, sch + u], [0.5] * 4, labels)
    result = evaluator.result()
    assert (result.samples, result.correct, result.edits, result.units) == (4, 3, 1, 8)
    assert result.confusions == (Confusion("é", "u", 1),)
    assert result.outside_alphabet == OutsideAlphabet(1, {"é": 1})
    assert [row.length for row in result.by_length] == [2]


def test_thresholds_are_shown_as_different_numbers():
    """Also where they are near 1 or 0; each, given to --min_confidence, rejects no prediction that its row counts."""
    for center in (0.0, -15.9, 15.9):
        confidences = sigmoid(center + np.linspace(-0.9, 0.9, 7) * (0.1 if center else 10))
        evaluator = Evaluator(ALPHABET)
        evaluator.add([[1]] * 7, confidences.tolist(), [["a"]] * 7)
        result = evaluator.result()
        thresholds = [row.threshold for row in result.coverage]
        assert len(thresholds) > 3
        shown = [evaluation_table._rounded_down(threshold) for threshold in thresholds]
        assert [float(each) for each in shown] == pytest.approx(thresholds, rel=1e-3)
        assert len(set(shown)) == len(thresholds)
        assert all(float(each) <= threshold for each, threshold in zip(shown, thresholds, strict=True))
    for threshold, text in {0.0: "0", 1.0: "1", 0.000002: "0.000002", 0.9: "0.9", 0.123456789: "0.1234"}.items():
        assert evaluation_table._rounded_down(threshold) == text


def test_nothing_to_count():
    result = Evaluator(ALPHABET).result()
    assert (result.samples, result.accuracy, result.cer, result.coverage) == (0, None, None, ())
    empty = Evaluator(ALPHABET)
    empty.add([], [], [])
    empty.add([[]], [1.0], [[]])
    assert (empty.result().correct, empty.result().cer) == (1, None)


def test_memory_does_not_grow_with_the_number_of_samples():
    evaluator = Evaluator(ALPHABET)
    samples = random_samples(500)
    evaluator.add(*samples)
    tracemalloc.start()
    try:
        for _ in range(10):
            evaluator.add(*samples)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 20_000  # bytes: 4 a sample
    assert evaluator.result().samples == 5500
