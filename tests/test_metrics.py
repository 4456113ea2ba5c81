"""Metrics, against their definitions and other libraries."""

import collections
import difflib
import itertools
import math

import jiwer
import numpy as np
import pytest
from rapidfuzz.distance import Indel

from ctc_ocr.evaluation.metrics import (
    Tally,
    confusions,
    edit_distances,
    exact_matches,
    has_repeat,
    lcs_ratio,
    lcs_ratios,
    wilson_interval,
)


def lcs_length(a, b):
    """Textbook dynamic programming over two prefixes."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, j in itertools.product(range(len(a)), range(len(b))):
        table[i + 1][j + 1] = table[i][j] + 1 if a[i] == b[j] else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def is_subsequence(part, whole):
    rest = iter(whole)
    return all(unit in rest for unit in part)


def random_pairs(count, high, longest):
    rng = np.random.default_rng(0)
    draw = lambda: rng.integers(1, high, size=rng.integers(0, longest)).tolist()  # noqa: E731
    return [(draw(), draw()) for _ in range(count)]


def test_lcs_against_enumeration_of_all_subsequences():
    for prediction, label in random_pairs(100, high=4, longest=7):
        if not label:
            continue
        longest = max(
            n for n in range(len(label) + 1)
            if any(is_subsequence(part, prediction) for part in itertools.combinations(label, n))
        )  # fmt: skip
        assert lcs_ratio(prediction, label) == longest / len(label)


@pytest.mark.parametrize(("high", "longest"), [(4, 12), (5000, 90)])
def test_lcs_against_dynamic_programming(high, longest):
    for prediction, label in random_pairs(100, high, longest):
        if label:
            assert lcs_ratio(prediction, label) == lcs_length(prediction, label) / len(label)


def test_lcs_is_not_the_longest_common_block():
    # The block "12" is what a matcher of contiguous blocks finds first; the subsequence is "1212".
    assert lcs_ratio("1a2b1c2", "1212") == 1.0
    assert difflib.SequenceMatcher(None, "1a2b1c2", "1212").find_longest_match().size < 4


def test_lcs_agrees_with_the_indel_distance():
    # An edit script of insertions and deletions alone keeps exactly an LCS: distance = len(a) + len(b) - 2 LCS.
    for prediction, label in random_pairs(100, high=6, longest=20):
        if label:
            common = (len(prediction) + len(label) - Indel.distance(prediction, label)) / 2
            assert lcs_ratio(prediction, label) == common / len(label)


@pytest.mark.parametrize(
    ("prediction", "label", "ratio"),
    [("", "", 1.0), ([], [], 1.0), ("1", "", 0.0), ("", "1", 0.0), ("12345", "135", 1.0), ([3, 1], [1, 3], 0.5)],
)
def test_lcs_of_empty_and_small(prediction, label, ratio):
    assert lcs_ratio(prediction, label) == ratio


def test_exact_matches_and_lcs_ratios_over_lists():
    predictions, labels = [[1, 2], [], [1], []], [[1, 2], [1], [], []]
    assert exact_matches(predictions, labels).tolist() == [True, False, False, True]
    assert lcs_ratios(predictions, labels).tolist() == [1.0, 0.0, 0.0, 1.0]
    assert exact_matches([], []).shape == lcs_ratios([], []).shape == (0,)
    with pytest.raises(ValueError, match="shorter|longer"):
        exact_matches([[1]], [])


def test_tally_is_the_mean_over_all_samples():
    tally = Tally()
    assert math.isnan(tally.accuracy)
    assert math.isnan(tally.lcs_ratio)
    assert math.isnan(tally.cer)
    tally.add([[1, 2], [1, 3]], [[1, 2], [1, 2]])
    tally.add([[4]], [[5]])
    assert (tally.count, tally.correct) == (3, 1)
    assert tally.accuracy == pytest.approx(1 / 3)
    assert tally.lcs_ratio == pytest.approx(1.5 / 3)
    assert (tally.edits, tally.units, tally.cer) == (2, 5, 2 / 5)


def edit_distance(a, b):
    """Textbook dynamic programming (Levenshtein, 1966)."""
    table = [[i + j for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i, j in itertools.product(range(len(a)), range(len(b))):
        table[i + 1][j + 1] = min(table[i][j + 1] + 1, table[i + 1][j] + 1, table[i][j] + (a[i] != b[j]))
    return table[-1][-1]


def test_edit_distances_against_dynamic_programming():
    predictions, labels = zip(*random_pairs(100, high=4, longest=12), strict=True)
    expected = [edit_distance(prediction, label) for prediction, label in zip(predictions, labels, strict=True)]
    assert edit_distances(predictions, labels).tolist() == expected
    assert edit_distances([], []).shape == (0,)


def test_corpus_cer_equals_jiwer():
    rng = np.random.default_rng(1)
    draw = lambda minimum: "".join(rng.choice(list("abcä \u00df\U0001f600"), size=rng.integers(minimum, 30)))  # noqa: E731
    labels, predictions = [draw(1) for _ in range(200)], [draw(0) for _ in range(200)]
    tally = Tally()
    for start in range(0, 200, 33):
        tally.add(predictions[start : start + 33], labels[start : start + 33])
    # Their default transforms strip spaces at the ends.
    as_is = jiwer.Compose([jiwer.ReduceToListOfListOfChars()])
    theirs = jiwer.process_characters(
        labels, predictions, reference_transform=as_is, hypothesis_transform=as_is
    )  # fmt: skip
    assert tally.cer == pytest.approx(theirs.cer, rel=1e-12)
    assert tally.edits == theirs.substitutions + theirs.deletions + theirs.insertions


def test_cer_counts_units_and_not_characters():
    tally = Tally()
    tally.add([["sch", "a"]], [["sch", "ä"]])
    assert tally.cer == 0.5


def test_confusions_turn_the_label_into_the_prediction():
    assert list(confusions("hallo", "hello")) == [("e", "a")]
    assert list(confusions([1, 2], [1, 2, 3])) == [(3, None)]
    assert list(confusions(["x", "y"], ["y"])) == [(None, "x")]
    for prediction, label in random_pairs(100, high=4, longest=12):
        found = list(confusions(prediction, label))
        assert len(found) == edit_distance(prediction, label)
        left = collections.Counter(label) + collections.Counter(unit for _, unit in found if unit is not None)
        left.subtract(unit for unit, _ in found if unit is not None)
        assert +left == collections.Counter(prediction)


def test_repeats_are_equal_neighbours():
    assert [has_repeat(text) for text in ("", "a", "aba", "abba", ["sch", "sch"])] == [False, False, False, True, True]


def test_wilson_interval_solves_its_equation():
    """Its ends are the fractions p from which the observed one is 1.96 standard deviations of p away."""
    for correct, count in ((3, 10), (95, 100), (1, 2), (699, 700)):
        for p in wilson_interval(correct, count):
            assert abs(correct / count - p) == pytest.approx(1.959964 * math.sqrt(p * (1 - p) / count), rel=1e-6)
    assert wilson_interval(0, 20)[0] == 0.0
    assert wilson_interval(20, 20)[1] == 1.0
    assert wilson_interval(0, 0) == (0.0, 1.0)
    # Newcombe (1998), table I: 81 of 263.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
