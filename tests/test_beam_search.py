"""Prefix beam search against the enumeration of all texts."""

import collections
import itertools
import math
import re

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.decoding import beam_search
from ctc_ocr.decoding.beam_search import BeamSearch
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.decoding.greedy import greedy
from ctc_ocr.decoding.language_model import LanguageModel
from ctc_ocr.decoding.likelihood import log_softmax
from ctc_ocr.decoding.mask import allowed_classes, restrict
from ctc_ocr.decoding.word_list import WordList
from ctc_ocr.errors import InputError
from tests.reference_ctc import ctc_loss

pytestmark = pytest.mark.xdist_group("beam_search")  # one process compiles the search, and not two at the same time

ALPHABET = Alphabet(("a", "b", "c"))
EVERYTHING = 4096


def all_texts(log_probs):
    """{codes: log p(codes | image)} of every text that (T, C) log probabilities can give, by its definition."""
    steps, classes = log_probs.shape
    texts = {}
    for length in range(steps + 1):
        for codes in itertools.product(range(1, classes), repeat=length):
            if length + sum(a == b for a, b in itertools.pairwise(codes)) <= steps:
                texts[codes] = -ctc_loss(log_probs, codes)
    return texts


def by_score(scores):
    return sorted(((list(codes), score) for codes, score in scores.items()), key=lambda item: -item[1])


def check(found, scores, log_probs):
    """The hypotheses are the best texts of {codes: score}, in their order."""
    expected = by_score(scores)[: len(found)]
    assert [each.codes for each in found] == [codes for codes, _ in expected]
    np.testing.assert_allclose([each.score for each in found], [score for _, score in expected], rtol=1e-9)
    exact = [-ctc_loss(log_probs, each.codes) for each in found]
    np.testing.assert_allclose([each.log_probability for each in found], exact, rtol=1e-9)


def plain_beam(log_probs, width):
    """The prefixes in the beam at the end, written down with dictionaries after Hannun et al. (2014): {codes}."""
    # Probabilities of ending in a blank, in the last unit.
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}
    for row in np.exp(log_probs):
        grown: dict[tuple[int, ...], list[float]] = collections.defaultdict(lambda: [0.0, 0.0])
        for prefix, (blank, unit) in beam.items():
            grown[prefix][0] += (blank + unit) * row[0]
            if prefix:
                grown[prefix][1] += unit * row[prefix[-1]]
            for code in range(1, len(row)):
                longer = (*prefix, code)
                grown[longer][1] += (blank if prefix[-1:] == (code,) else blank + unit) * row[code]
        best = sorted(grown.items(), key=lambda item: -sum(item[1]))[:width]
        beam = {prefix: (blank, unit) for prefix, (blank, unit) in best}
    return set(beam)


def random_log_probs(rng, steps=5, images=2, classes=4):
    return log_softmax(rng.normal(size=(steps, images, classes)) * 2)


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_a_wide_beam_finds_all_texts_and_their_probabilities(classes):
    rng = np.random.default_rng(classes)
    log_probs = random_log_probs(rng, classes=classes)
    for image, found in enumerate(BeamSearch(EVERYTHING, EVERYTHING).decode(log_probs, [5, 3])):
        alone = log_probs[: [5, 3][image], image]
        texts = all_texts(alone)
        assert len(found) == len(texts)
        assert any(a == b for each in found for a, b in itertools.pairwise(each.codes))
        check(found, texts, alone)
        assert sum(math.exp(each.log_probability) for each in found) == pytest.approx(1.0)


def test_a_narrow_beam_finds_the_best_text_nearly_always_and_its_exact_probability():
    rng = np.random.default_rng(0)
    log_probs = random_log_probs(rng, images=40)
    best = [by_score(all_texts(log_probs[:, image]))[0][0] for image in range(40)]
    correct = {}
    for width in (1, 8):
        found = BeamSearch(width).decode(log_probs)
        correct[width] = sum(each[0].codes == codes for each, codes in zip(found, best, strict=True))
        for image, (hypothesis,) in enumerate(found):
            exact = -ctc_loss(log_probs[:, image], hypothesis.codes)
            assert hypothesis.log_probability == hypothesis.score == pytest.approx(exact)
    assert correct[1] >= 24
    assert correct[8] >= 36


@pytest.mark.parametrize("width", [1, 2, 7, 30])
def test_what_falls_out_of_a_narrow_beam_is_what_falls_out_of_a_plain_one(width):
    log_probs = random_log_probs(np.random.default_rng(width), steps=25, images=20, classes=5)
    for image, found in enumerate(BeamSearch(width, width).decode(log_probs)):
        assert {tuple(each.codes) for each in found} == plain_beam(log_probs[:, image], width)


def test_the_best_text_is_not_that_of_the_best_path():
    # Graves (2006), figure 2: two steps of blank 0.6 and a 0.4 make "a" of probability 0.64, "" of 0.36.
    log_probs = np.log(np.array([[[0.6, 0.4]], [[0.6, 0.4]]]))
    assert greedy(log_probs) == [[]]
    first, second = BeamSearch(2, 2).decode(log_probs)[0]
    assert (first.codes, second.codes) == ([1], [])
    np.testing.assert_allclose([first.log_probability, second.log_probability], np.log([0.64, 0.36]))


def test_a_clear_image_is_read_as_the_best_path_at_every_width():
    rng = np.random.default_rng(1)
    path = np.repeat(rng.integers(0, 20, size=(40, 3)), 2, axis=0)
    logits = rng.normal(size=(80, 3, 20)).astype(np.float32)
    np.put_along_axis(logits, path[:, :, None], 15.0, axis=2)
    expected = greedy(logits)
    for width in (1, 2, 10, 100):
        assert [each[0].codes for each in BeamSearch(width).decode(log_softmax(logits))] == expected


def test_a_prefix_that_fell_out_of_the_beam_comes_back_as_itself():
    """Narrow beams over long random images: no text twice, probabilities never too large."""
    log_probs = random_log_probs(np.random.default_rng(2), steps=30, images=20, classes=3)
    for found in BeamSearch(7, 7).decode(log_probs):
        texts = [tuple(each.codes) for each in found]
        assert len(set(texts)) == len(texts) == 7
        assert sum(math.exp(each.log_probability) for each in found) <= 1.0 + 1e-9
        assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_a_language_model_scores_as_the_rescoring_of_all_texts():
    model = LanguageModel.from_lines(["abc", "cab", "abcc", "ba"], ALPHABET, 3)
    log_probs = random_log_probs(np.random.default_rng(3))
    for weight, bonus in ((0.7, 0.0), (1.5, 0.8), (0.5, -1.0), (0.0, 1.0)):
        for image, found in enumerate(BeamSearch(EVERYTHING, 300, model, weight, bonus).decode(log_probs)):
            scores = {
                codes: log_prob + weight * model.log_probability(codes) + bonus * len(codes)
                for codes, log_prob in all_texts(log_probs[:, image]).items()
            }
            check(found, scores, log_probs[:, image])


def test_words_are_read_as_if_all_other_texts_were_struck_out():
    words = WordList.from_words(["abc", "cab", "a", "bb"], ALPHABET)
    model = LanguageModel.from_lines(["abc", "cab"], ALPHABET, 2)
    log_probs = random_log_probs(np.random.default_rng(4))
    for image, found in enumerate(BeamSearch(200, 200, words=words).decode(log_probs)):
        texts = all_texts(log_probs[:, image])
        check(found, {tuple(ALPHABET.encode(word)): texts[tuple(ALPHABET.encode(word))]
                      for word in ("abc", "cab", "a", "bb")}, log_probs[:, image])  # fmt: skip
        assert len(found) == 4
    for image, found in enumerate(BeamSearch(200, 2, model, 1.0, words=words).decode(log_probs)):
        texts = all_texts(log_probs[:, image])
        scores = {
            codes: texts[codes] + model.log_probability(codes)
            for codes in map(tuple, map(ALPHABET.encode, ("abc", "cab", "a", "bb")))
        }
        check(found, scores, log_probs[:, image])


def ambiguous(text, likely, alphabet, probability):
    """(2 * length, 1, C): each character of `text` in a step of its own with a blank after it, or, with this
    probability, the character of `likely` at its place."""
    steps = np.full((2 * len(text), 1, alphabet.num_classes), 1e-3)
    for index, (code, likely_code) in enumerate(zip(alphabet.encode(text), alphabet.encode(likely), strict=True)):
        steps[2 * index, 0, code] += 1 - probability
        steps[2 * index, 0, likely_code] += probability
        steps[2 * index + 1, 0, 0] += 1.0
    return np.log(steps / steps.sum(axis=2, keepdims=True))


def test_language_model_and_words_mend_what_the_image_does_not_show():
    alphabet = Alphabet(tuple("abcdefghijklmnopqrstuvwxyz "))
    log_probs = ambiguous("the quick fox", "tbe quiok fex", alphabet, 0.6)
    lines = ["the quick brown fox", "a fox is quick", "the other", "then the fox"]
    model = LanguageModel.from_lines(lines, alphabet, 4)
    words = WordList.from_words(["the", "quick", "brown", "fox", "fax"], alphabet)
    read = lambda search: alphabet.decode(search.decode(log_probs)[0][0].codes)  # noqa: E731
    assert read(BeamSearch(20)) == "tbe quiok fex"
    assert read(BeamSearch(20, language_model=model)) == "the quick fox"
    assert read(BeamSearch(20, words=words)) == "the quick fox"


def test_only_listed_words_are_read_even_where_the_image_shows_none_of_them():
    alphabet = Alphabet(tuple("abcdefgh"))
    listed = ["cafe", "babe", "hedge"]
    words = WordList.from_words(listed, alphabet)
    rng = np.random.default_rng(5)
    for scale in (0.1, 3.0, 10.0):
        for found in BeamSearch(2, 2, words=words).decode(log_softmax(rng.normal(size=(12, 30, 9)) * scale)):
            assert {alphabet.decode(each.codes) for each in found} <= set(listed)
    blank = np.log(np.array([0.999, *[0.001 / 8] * 8])) * np.ones((12, 1, 9))
    assert alphabet.decode(BeamSearch(1, words=words).decode(blank)[0][0].codes) in listed
    # Too few steps for any word: nothing is read, and nothing is sure about it.
    (nothing,) = BeamSearch(2, 2, words=words).decode(blank[:3])[0]
    assert (nothing.codes, nothing.log_probability) == ([], -math.inf)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("length", "repeats", "count", "steps"), [(12, 1, 30_000, 20), (70, 1, 300, 80), (6, 2, 3_000, 20)]
)
def test_long_words_are_read_where_nothing_but_blanks_is_shown(length, repeats, count, steps):
    """The empty text is the likeliest by far until no word can be finished any more. Equal neighbours need a blank."""
    alphabet = Alphabet(tuple("abcdefghijklmnopqrstuvwxyz"))
    rng = np.random.default_rng(8)
    listed = ["".join(np.repeat(word, repeats)) for word in rng.choice(alphabet.units, size=(count, length))]
    words = WordList.from_words(listed, alphabet)
    logits = rng.normal(size=(steps, 10, 27))
    logits[:, :, 0] += 4
    for (found,) in BeamSearch(10, words=words).decode(log_softmax(logits)):
        assert alphabet.decode(found.codes) in listed
        assert math.isfinite(found.score)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_word_is_read_if_and_only_if_the_steps_suffice_for_one(monkeypatch, width):
    monkeypatch.setattr(beam_search, "MAX_WIDTH", width)  # at once, not by a wider beam
    alphabet = Alphabet(tuple("ab "))
    rng = np.random.default_rng(width)
    for listed in (["aab"], ["abba", "bbb"], ["aa", "babab"], ["abab", "abaa", "bbaa"]):
        needed = min(len(word) + sum(a == b for a, b in itertools.pairwise(word)) for word in listed)
        words = WordList.from_words(listed, alphabet)
        for steps in range(8):
            for (found,) in BeamSearch(width, words=words).decode(random_log_probs(rng, 8, 10), [steps] * 10):
                read = alphabet.decode(found.codes).split()
                assert bool(read) == (steps >= needed)
                assert set(read) <= set(listed)


def test_texts_of_words_are_the_best_of_all_that_are_made_of_them():
    alphabet = Alphabet(tuple("ab "))
    words = WordList.from_words(["aa", "ab", "bab"], alphabet)
    log_probs = random_log_probs(np.random.default_rng(9), steps=6)
    for image, found in enumerate(BeamSearch(EVERYTHING, 500, words=words).decode(log_probs)):
        texts = {
            codes: log_prob
            for codes, log_prob in all_texts(log_probs[:, image]).items()
            if re.fullmatch(" *(aa|ab|bab)( +(aa|ab|bab))* *", alphabet.decode(codes))
        }
        assert len(found) == len(texts)
        check(found, texts, log_probs[:, image])


def test_a_word_is_found_beside_those_that_a_probability_of_0_ends():
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.array([[[0.0, 0.9, 0.0, 0.1, 0.0]], [[0.1, 0.0, 0.0, 0.0, 0.9]]]))
    alphabet = Alphabet(tuple("abcd"))
    (found,) = BeamSearch(1, words=WordList.from_words(["ab", "cd"], alphabet)).decode(log_probs)[0]
    assert alphabet.decode(found.codes) == "cd"


def test_words_with_units_that_are_not_allowed_are_not_searched():
    alphabet = Alphabet(tuple("abcd"))
    decoder = Decoder(beam_width=1, words=["ab", "cd"], allowed="acd").bind(alphabet)
    assert decoder.search is not None
    assert decoder.search.words is not None
    assert decoder.search.words.codes == ((3, 4),)
    log_probs = random_log_probs(np.random.default_rng(10), classes=5)
    assert [[each.codes for each in found] for found in decoder.decode(log_probs)] == [[[3, 4]], [[3, 4]]]
    with pytest.raises(InputError, match="no listed word is made of allowed units"):
        Decoder(words=["ab", "cd"], allowed="ac").bind(alphabet)


def test_steps_out_of_range_are_an_error():
    """The compiled search does not check the bounds of arrays."""
    log_probs = random_log_probs(np.random.default_rng(11))
    for steps in ([5, 6], [-1, 5], [5]):
        with pytest.raises(InputError, match="steps: expected 2 numbers from 0 to 5"):
            BeamSearch(3).decode(log_probs, steps)


def test_a_mask_holds_in_the_search():
    log_probs = random_log_probs(np.random.default_rng(6))
    masked = restrict(log_probs, allowed_classes(ALPHABET, "ac"))
    for image, found in enumerate(BeamSearch(EVERYTHING, 30).decode(masked)):
        texts = {codes: p for codes, p in all_texts(log_probs[:, image]).items() if 2 not in codes}
        assert {tuple(each.codes) for each in found} <= set(texts)
        without = np.delete(log_probs[:, image], 2, axis=1)
        renumbered = [[2 if code == 3 else code for code in each.codes] for each in found]
        expected = [-ctc_loss(without, codes) for codes in renumbered]
        np.testing.assert_allclose([each.log_probability for each in found], expected, rtol=1e-9)


def test_float32_no_steps_and_no_images():
    log_probs = random_log_probs(np.random.default_rng(7)).astype(np.float32)
    assert BeamSearch(5, 2).decode(log_probs[:, :0]) == []
    (empty,) = BeamSearch(5, 2).decode(log_probs[:, :1], [0])[0]
    assert (empty.codes, empty.log_probability) == ([], 0.0)
    single, double = (BeamSearch(500, 9).decode(each) for each in (log_probs, log_probs.astype(np.float64)))
    assert single == double


@pytest.mark.parametrize(
    ("settings", "where", "reason"),
    [
        ({"width": 0}, "beam width", "expected 1 to 4096, got 0"),
        ({"width": 5, "top_k": 6}, "top_k", "expected 1 to 5, the beam width; got 6"),
        ({"lm_weight": -1.0}, "lm_weight", "expected a finite number, at least 0; got -1.0"),
        ({"length_bonus": math.nan}, "length_bonus", "expected a finite number, got nan"),
    ],
)
def test_values_out_of_range_are_named(settings, where, reason):
    with pytest.raises(InputError) as raised:
        BeamSearch(**settings)
    assert (raised.value.where, raised.value.reason) == (where, reason)
    with pytest.raises(InputError) as raised:
        Decoder(**{"beam_width" if name == "width" else name: value for name, value in settings.items()}, words=["a"])
    assert (raised.value.where, raised.value.reason) == (where, reason)
