"""Readings and their probabilities, against plain definitions."""

import itertools

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet, collapse
from ctc_ocr.decoding.greedy import best_path, greedy
from ctc_ocr.decoding.likelihood import label_log_probability, log_softmax, true_steps
from ctc_ocr.decoding.mask import allowed_classes, restrict
from ctc_ocr.errors import InputError


def collapse_one(path):
    """The definition: merge repeats, then drop blanks."""
    return [int(code) for code, _ in itertools.groupby(path) if code != 0]


def test_collapse_equals_the_definition():
    rng = np.random.default_rng(0)
    for _ in range(50):
        path = rng.integers(0, 4, size=(rng.integers(1, 12), rng.integers(0, 6)))
        assert collapse(path) == [collapse_one(column) for column in path.T]


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float32])
def test_collapse_by_hand(dtype):
    path = np.array([[0, 1, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0], [2, 1, 0]], dtype=dtype)
    assert collapse(path) == [[1, 2], [1, 1], []]


def test_greedy_reads_the_largest_logit_of_each_step():
    path = np.array([[3, 0], [3, 2], [0, 2], [3, 1]])
    logits = np.random.default_rng(1).random((4, 2, 5), dtype=np.float32)
    np.put_along_axis(logits, path[:, :, None], 2.0, axis=2)
    assert (best_path(logits) == path).all()
    assert greedy(logits) == [[3, 3], [2, 1]]


def test_log_softmax_survives_large_logits():
    logits = np.array([[1000.0, 1001.0], [-2000.0, 0.0]], dtype=np.float32)
    expected = [[-np.log(1 + np.e), 1 - np.log(1 + np.e)], [-2000.0, 0.0]]
    np.testing.assert_allclose(log_softmax(logits), expected, atol=1e-12)


def all_labels(num_classes, max_length):
    codes = range(1, num_classes)
    return [list(label) for n in range(max_length + 1) for label in itertools.product(codes, repeat=n)]


def test_label_probability_is_the_sum_over_all_alignments():
    steps, classes = 5, 3
    labels = all_labels(classes, steps + 1)
    log_probs = log_softmax(np.random.default_rng(2).normal(size=(steps, len(labels), classes)) * 3)
    expected = np.zeros(len(labels))
    for alignment in itertools.product(range(classes), repeat=steps):
        index = labels.index(collapse_one(alignment))
        expected[index] += np.exp(log_probs[range(steps), index, alignment].sum())
    found = label_log_probability(log_probs, labels)
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-12)
    # Labels that no alignment gives: too long, or repeats that need blanks between them.
    assert np.isneginf(found[expected == 0]).all()
    assert (expected == 0).any()


def test_probabilities_of_all_labels_sum_to_one():
    labels = all_labels(3, 4)
    one = log_softmax(np.random.default_rng(3).normal(size=(4, 1, 3)))
    found = label_log_probability(np.repeat(one, len(labels), axis=1), labels)
    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-12)


def test_label_probability_of_only_empty_labels_and_of_no_images():
    log_probs = log_softmax(np.random.default_rng(4).normal(size=(6, 2, 4)))
    np.testing.assert_allclose(label_log_probability(log_probs, [[], []]), log_probs[:, :, 0].sum(axis=0))
    assert label_log_probability(log_probs[:, :0], []).shape == (0,)


def test_label_probability_of_one_step():
    log_probs = log_softmax(np.random.default_rng(5).normal(size=(1, 3, 3)))
    found = label_log_probability(log_probs, [[2], [], [1, 2]])
    np.testing.assert_allclose(found, [log_probs[0, 0, 2], log_probs[0, 1, 0], -np.inf])


@pytest.mark.parametrize("spread", [3.0, 300.0, 2000.0])
@pytest.mark.parametrize("steps", [7, 700])
def test_improbable_labels_and_long_images_equal_the_recursion_of_logarithms(steps, spread):
    """Probabilities far below the least float64: the recursion written down state by state."""
    rng = np.random.default_rng(6)
    labels = [[1, 2, 2], [], [3], [2, 1, 3]]
    log_probs = log_softmax(rng.normal(size=(steps, len(labels), 4)) * spread)
    found = label_log_probability(log_probs, labels)
    for image, label in enumerate(labels):
        states = [0, *itertools.chain.from_iterable((code, 0) for code in label)]
        alpha = [-np.inf] * len(states)
        for step in range(steps):
            before = alpha if step else None
            alpha = []
            for s, state in enumerate(states):
                if before is None:
                    reached = 0.0 if s < 2 else -np.inf
                else:
                    sources = [before[s], *(before[s - 1 : s] if s else [])]
                    if s > 1 and state not in (0, states[s - 2]):
                        sources.append(before[s - 2])
                    reached = np.logaddexp.reduce(sources)
                alpha.append(reached + log_probs[step, image, state])
        np.testing.assert_allclose(found[image], np.logaddexp.reduce(alpha[-2:]), rtol=1e-11)


def test_true_steps_equal_images_that_end_there():
    rng = np.random.default_rng(7)
    logits = rng.normal(size=(6, 3, 4)) * 3
    steps = [6, 4, 2]
    log_probs, labels = log_softmax(logits), [[1, 2], [3], [2, 2]]
    alone = [(logits[:n, [image]], log_probs[:n, [image]]) for image, n in enumerate(steps)]
    assert greedy(logits, steps) == [greedy(each)[0] for each, _ in alone]
    assert greedy(logits, steps) != greedy(logits)
    found = label_log_probability(log_probs, labels, steps)
    expected = [label_log_probability(each, [label])[0] for (_, each), label in zip(alone, labels, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.isneginf(found).tolist() == [False, False, True]


def test_a_mask_is_a_softmax_over_what_is_allowed():
    alphabet = Alphabet(("a", "b", "c"))
    allowed = allowed_classes(alphabet, "ca")
    assert allowed.tolist() == [True, True, False, True]
    logits = np.array([[[0.0, 1.0, 9.0, 2.0]], [[0.0, -1.0, 9.0, -2.0]]], dtype=np.float32)
    masked = restrict(logits, allowed)
    assert np.isneginf(masked[:, :, 2]).all()
    np.testing.assert_allclose(masked[:, :, allowed], log_softmax(logits[:, :, allowed]), atol=1e-12)
    np.testing.assert_allclose(masked, restrict(log_softmax(logits), allowed), atol=1e-12)
    assert (greedy(logits), greedy(masked)) == ([[2]], [[3]])
    assert restrict(logits, allowed_classes(alphabet, ())).max(axis=2).tolist() == [[0.0], [0.0]]
    assert np.exp(label_log_probability(masked, [[2]])) == [0.0]


def test_a_mask_of_units_of_several_characters():
    alphabet = Alphabet(("s", "sch", "ch", "a"))
    assert allowed_classes(alphabet, "scha").tolist() == [True, False, True, False, True]
    assert allowed_classes(alphabet, "chs").tolist() == [True, True, False, True, False]
    assert allowed_classes(alphabet, ["sch"]).tolist() == [True, False, True, False, False]
    with pytest.raises(InputError, match="not in the alphabet: 'c'$"):
        allowed_classes(alphabet, "schca")
    with pytest.raises(InputError, match="at least one must be allowed"):
        allowed_classes(alphabet, "")


def test_steps_that_no_image_has_are_refused():
    log_probs = log_softmax(np.random.default_rng(8).normal(size=(6, 2, 4)))
    assert true_steps(log_probs).tolist() == [6, 6]
    assert true_steps(log_probs, np.array([6.0, 0.0])).tolist() == [6, 0]
    for steps in ([6, 7], [-1, 6], [6], [6, 6, 6], [[6, 6]]):
        with pytest.raises(InputError, match="expected 2 numbers of steps from 0 to 6, got"):
            true_steps(log_probs, steps)
    with pytest.raises(InputError, match=r"from 0 to 6, got \[6, 7\]"):
        label_log_probability(log_probs, [[1], [2]], [6, 7])


def test_a_mask_names_what_is_not_in_the_alphabet():
    with pytest.raises(InputError, match="not in the alphabet: 'd', 'é'"):
        allowed_classes(Alphabet(("a", "b")), "adé")
