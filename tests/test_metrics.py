"""Exact match and LCS ratio, against the definition and another library."""

import difflib
import itertools
import math

import numpy as np
import pytest
from rapidfuzz.distance import Indel

from ctc_ocr.metrics import Tally, exact_matches, lcs_ratio, lcs_ratios


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
    for prediction, truth in random_pairs(100, high=4, longest=7):
        if not truth:
            continue
        longest = max(
            n for n in range(len(truth) + 1)
            if any(is_subsequence(part, prediction) for part in itertools.combinations(truth, n))
        )  # fmt: skip
        assert lcs_ratio(prediction, truth) == longest / len(truth)


@pytest.mark.parametrize(("high", "longest"), [(4, 12), (5000, 90)])
def test_lcs_against_dynamic_programming(high, longest):
    for prediction, truth in random_pairs(100, high, longest):
        if truth:
            assert lcs_ratio(prediction, truth) == lcs_length(prediction, truth) / len(truth)


def test_lcs_is_not_the_longest_common_block():
    # The block "12" is what a matcher of contiguous blocks finds first; the subsequence is "1212".
    assert lcs_ratio("1a2b1c2", "1212") == 1.0
    assert difflib.SequenceMatcher(None, "1a2b1c2", "1212").find_longest_match().size < 4


def test_lcs_agrees_with_the_indel_distance():
    # An edit script of insertions and deletions alone keeps exactly an LCS: distance = len(a) + len(b) - 2 LCS.
    for prediction, truth in random_pairs(100, high=6, longest=20):
        if truth:
            common = (len(prediction) + len(truth) - Indel.distance(prediction, truth)) / 2
            assert lcs_ratio(prediction, truth) == common / len(truth)


@pytest.mark.parametrize(
    ("prediction", "truth", "ratio"),
    [("", "", 1.0), ([], [], 1.0), ("1", "", 0.0), ("", "1", 0.0), ("12345", "135", 1.0), ([3, 1], [1, 3], 0.5)],
)
def test_lcs_of_empty_and_small(prediction, truth, ratio):
    assert lcs_ratio(prediction, truth) == ratio


def test_exact_matches_and_lcs_ratios_over_lists():
    predictions, truths = [[1, 2], [], [1], []], [[1, 2], [1], [], []]
    assert exact_matches(predictions, truths).tolist() == [True, False, False, True]
    assert lcs_ratios(predictions, truths).tolist() == [1.0, 0.0, 0.0, 1.0]
    assert exact_matches([], []).shape == lcs_ratios([], []).shape == (0,)
    with pytest.raises(ValueError, match="shorter|longer"):
        exact_matches([[1]], [])


def test_tally_is_the_mean_over_all_samples():
    tally = Tally()
    assert math.isnan(tally.accuracy)
    assert math.isnan(tally.lcs_ratio)
    tally.add([[1, 2], [1, 3]], [[1, 2], [1, 2]])
    tally.add([[4]], [[5]])
    assert (tally.count, tally.exact) == (3, 1)
    assert tally.accuracy == pytest.approx(1 / 3)
    assert tally.lcs_ratio == pytest.approx(1.5 / 3)
