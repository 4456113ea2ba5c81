"""Alignments of texts, against all alignments that there are."""

import itertools

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.decoding.alignment import NOWHERE, align, align_greedy
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.decoding.greedy import greedy
from ctc_ocr.decoding.likelihood import log_softmax
from ctc_ocr.errors import InputError
from tests.reference_ctc import paths


def spans_of(path):
    """(code, start, stop) of each unit of a path, by the definition: a run of one class that is not the blank."""
    runs = [(code, len(list(run))) for code, run in itertools.groupby(path)]
    starts = np.cumsum([0, *(length for _, length in runs)])
    return [(code, start, start + length) for (code, length), start in zip(runs, starts, strict=False) if code]


def best_alignment(log_probs, label):
    """The spans of the most probable of all the paths that collapse to a label; None if there is none."""
    steps, classes = log_probs.shape
    every = paths(steps, classes, tuple(label))
    if not len(every):
        return None
    return spans_of(every[log_probs[np.arange(steps), every].sum(axis=1).argmax()])


def labels_up_to(length, classes):
    codes = range(1, classes)
    return [list(label) for n in range(length + 1) for label in itertools.product(codes, repeat=n)]


@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_the_best_of_all_alignments_is_found(scale):
    """All labels at once, also those that do not fit, each with probabilities and time steps of its own."""
    rng = np.random.default_rng(1)
    labels = labels_up_to(4, classes=3)
    log_probs = log_softmax(rng.normal(size=(7, len(labels), 3)) * scale)
    steps = rng.integers(1, 8, len(labels))
    fitting = 0
    for image, (label, found) in enumerate(zip(labels, align(log_probs, labels, steps), strict=True)):
        own = log_probs[: steps[image], image]
        expected = best_alignment(own, label)
        if expected is None:
            assert found == [NOWHERE] * len(label)
            continue
        fitting += 1
        assert [(code, unit.start, unit.stop) for code, unit in zip(label, found, strict=True)] == expected
        for unit, (code, start, stop) in zip(found, expected, strict=True):
            assert unit.probability == np.exp(own[start:stop, code].max())
    assert 15 < fitting < len(labels)


def test_greedy_texts_are_where_their_best_path_has_them():
    """By both functions, also the short one."""
    log_probs = log_softmax(np.random.default_rng(2).normal(size=(40, 16, 4)) * 3)
    for steps in (None, [*range(1, 16), 40]):
        texts = greedy(log_probs, steps)
        aligned = align(log_probs, texts, steps)
        assert align_greedy(log_probs, steps) == aligned
        for image, units in enumerate(aligned):
            path = log_probs[: steps[image] if steps else None, image].argmax(axis=1)
            assert [(unit.start, unit.stop) for unit in units] == [each[1:] for each in spans_of(path)]
            assert all(unit.probability > 1 / 4 for unit in units)
    assert align_greedy(log_probs[:, :0]) == []


def test_two_equal_units_have_a_blank_between_them():
    log_probs = np.log([[[0.1, 0.9]], [[0.2, 0.8]], [[0.3, 0.7]]])
    (units,) = align(log_probs, [[1, 1]])
    assert [(unit.start, unit.stop) for unit in units] == [(0, 1), (2, 3)]
    assert [unit.probability for unit in units] == pytest.approx([0.9, 0.7])


def test_long_and_empty_texts_and_classes_that_are_impossible():
    rng = np.random.default_rng(3)
    log_probs = log_softmax(rng.normal(size=(900, 2, 5)) * 4).astype(np.float32)
    log_probs[:, 1, 3] = -np.inf
    long = rng.integers(1, 5, 400).tolist()
    first, second = align(log_probs, [long, [3]])
    assert len(first) == 400
    assert all(unit.start < unit.stop <= after.start for unit, after in itertools.pairwise(first))
    assert all(0 <= unit.probability <= 1 for unit in first)
    assert [unit.probability for unit in second] == [0.0]
    assert align(log_probs, [[], []]) == [[], []]
    assert align(log_probs[:, :0], []) == []
    with pytest.raises(InputError, match="steps: expected 2 numbers from 0 to 900"):
        align(log_probs, [[], []], [901, 1])


@pytest.mark.parametrize("options", [{}, {"beam_width": 8}, {"beam_width": 8, "top_k": 3}, {"allowed": "ab"}])
def test_decoders_give_the_probabilities_of_their_best_texts(options):
    log_probs = log_softmax(np.random.default_rng(4).normal(size=(12, 5, 4)) * 2)
    decoder = Decoder(**options).bind(Alphabet(("a", "b", "c")))
    steps = [12, 3, 1, 7, 12]
    for found in decoder.decode(log_probs, steps):
        best, *others = found
        probabilities = tuple(unit.probability for unit in best.units or ())
        assert len(probabilities) == len(best.codes)
        assert all(0 < each <= 1 for each in probabilities)
        assert all(each.units is None for each in others)
    plain = decoder.decode(log_probs, steps, with_probability=False)
    assert all(best.units is None for best, *_ in plain)


def test_a_mask_raises_the_probabilities_of_what_is_left():
    """`allowed` renormalises before the softmax: with one unit left, the blank and it sum to 1 at each step."""
    log_probs = np.log([[[0.2, 0.4, 0.4]], [[0.9, 0.05, 0.05]]])
    ((best,),) = Decoder(allowed="a").bind(Alphabet(("a", "b"))).decode(log_probs)
    assert best.codes == [1]
    assert best.units is not None
    assert [unit.probability for unit in best.units] == pytest.approx([0.4 / 0.6])


def test_the_alternatives_of_a_unit_are_the_best_others_at_its_most_probable_step():
    """But for the blank, at most four, and none that is hardly possible."""
    alphabet = Alphabet(tuple("abcdefgh"))
    log_probs = log_softmax(np.random.default_rng(6).normal(size=(20, 8, 9)) * 3)
    for options in ({}, {"beam_width": 8}, {"allowed": "abcd"}):
        shown = 0
        for image, (best, *_) in enumerate(Decoder(**options).bind(alphabet).decode(log_probs)):
            own = log_probs[:, image]
            if "allowed" in options:
                own = log_softmax(own[:, :5])
            for code, unit in zip(best.codes, best.units or (), strict=True):
                step = unit.start + own[unit.start : unit.stop, code].argmax()
                others = [other for other in np.argsort(-own[step]).tolist() if other not in (0, code)]
                expected = [(other, np.exp(own[step, other])) for other in others if np.exp(own[step, other]) >= 0.001]
                assert [other for other, _ in unit.alternatives] == [other for other, _ in expected[:4]]
                assert [value for _, value in unit.alternatives] == pytest.approx([v for _, v in expected[:4]])
                shown += len(expected)
        assert shown > 30
