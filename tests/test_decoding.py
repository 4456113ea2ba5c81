"""Greedy decoding, masks and probabilities of labels, against plain definitions."""

import argparse
import itertools
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet, collapse
from ctc_ocr.cli.decoding_options import add_decoding, add_top_k, decoder
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.decoding.greedy import best_path, greedy
from ctc_ocr.decoding.language_model import LanguageModel
from ctc_ocr.decoding.likelihood import (
    ANYTHING,
    label_log_probability,
    likeliest_alignment,
    log_softmax,
    steps_per_image,
)
from ctc_ocr.decoding.mask import allowed_classes, restrict
from ctc_ocr.decoding.word_list import WordList
from ctc_ocr.errors import InputError
from ctc_ocr.lengths import Lengths


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


def test_greedy_takes_the_maximum_logit_of_each_step():
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


@pytest.mark.parametrize("label", [[], [1], [1, 1], [1, ANYTHING, 2], [ANYTHING, 1], [2, ANYTHING, 2, ANYTHING]])
def test_the_likeliest_alignment_may_have_anything_in_it(label):
    steps, classes = 5, 3
    log_probs = log_softmax(np.random.default_rng(6).normal(size=(steps, 1, classes)) * 3)
    of_anything = np.zeros((steps, 1))
    of_classes = np.hstack([log_probs[:, 0], of_anything])
    sought = [classes if code == ANYTHING else code for code in label]
    alignments = [each for each in itertools.product(range(classes + 1), repeat=steps) if collapse_one(each) == sought]
    best = max(of_classes[range(steps), each].sum() for each in alignments)
    assert likeliest_alignment(log_probs, [label])[0] == pytest.approx(best)


def test_anything_costs_nothing_where_other_units_are_read():
    """Between a 1 and a 2 is a sign that is read as the units 3 and 1."""
    read = np.array([1, 0, 3, 1, 0, 2])
    log_probs = log_softmax(20.0 * np.eye(4)[read][:, np.newaxis])
    assert likeliest_alignment(log_probs, [[1, ANYTHING, 2]])[0] == pytest.approx(0, abs=1e-6)
    assert label_log_probability(log_probs, [[1, 2]])[0] < -20


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
    """Probabilities far below the smallest float64: the recursion written down state by state."""
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


def test_steps_of_an_image_equal_an_image_that_ends_there():
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


def test_a_mask_is_a_softmax_over_the_allowed_classes():
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
    with pytest.raises(InputError, match="allowed: expected at least one unit"):
        allowed_classes(alphabet, "")


def test_steps_out_of_range_are_an_error():
    log_probs = log_softmax(np.random.default_rng(8).normal(size=(6, 2, 4)))
    assert steps_per_image(log_probs).tolist() == [6, 6]
    assert steps_per_image(log_probs, np.array([6.0, 0.0])).tolist() == [6, 0]
    invalid: list[Any] = [[6, 7], [-1, 6], [6], [6, 6, 6], [[6, 6]]]
    for steps in invalid:
        with pytest.raises(InputError, match="steps: expected 2 numbers from 0 to 6, got"):
            steps_per_image(log_probs, steps)
    with pytest.raises(InputError, match=r"from 0 to 6, got \[6, 7\]"):
        label_log_probability(log_probs, [[1], [2]], [6, 7])


def test_a_mask_names_what_is_not_in_the_alphabet():
    with pytest.raises(InputError, match="allowed: not in the alphabet: 'd', 'é'"):
        allowed_classes(Alphabet(("a", "b")), "adé")


LETTERS = Alphabet(tuple("abc "))


def random_log_probs(seed=9, classes=5):
    return log_softmax(np.random.default_rng(seed).normal(size=(6, 4, classes)) * 2)


def test_a_decoder_without_a_search_is_greedy():
    log_probs = random_log_probs()
    bound = Decoder().bind(LETTERS)
    codes = greedy(log_probs)
    found = bound.decode(log_probs)
    assert [[each.codes for each in image] for image in found] == [[each] for each in codes]
    expected = label_log_probability(log_probs, codes)
    np.testing.assert_allclose([image[0].log_probability for image in found], expected)
    assert all(image[0].score == image[0].log_probability for image in found)
    without = bound.decode(log_probs, with_probability=False)
    assert [image[0].codes for image in without] == codes
    assert np.isnan([image[0].log_probability for image in without]).all()
    with pytest.raises(InputError, match="steps: expected 4 numbers from 0 to 6"):
        bound.decode(log_probs, [7] * 4, with_probability=False)


@pytest.mark.parametrize(
    ("options", "width"),
    [
        ({}, None),
        ({"lm_weight": 2.0, "allowed": "ab"}, None),
        ({"beam_width": 3}, 3),
        ({"top_k": 4}, 10),
        ({"top_k": 12}, 12),
        ({"length_bonus": 0.5}, 10),
        ({"words": ["ab"]}, 10),
        ({"language_model": LanguageModel.from_lines(["ab"], LETTERS)}, 10),
    ],
)
def test_a_decoder_searches_where_an_option_needs_it(options, width):
    search = Decoder(**options).bind(LETTERS).search
    assert (search and search.width) == width
    assert (search and search.top_k) == (None if width is None else options.get("top_k", 1))


def test_a_decoder_is_bound_to_files_texts_and_ready_parts(tmp_path):
    (tmp_path / "text.txt").write_text("ab ba\nabc\n")
    (tmp_path / "words.txt").write_text("ab\nba\nabd\n")
    model = LanguageModel.from_file(tmp_path / "text.txt", LETTERS, 3)
    words = WordList.from_file(tmp_path / "words.txt", LETTERS, "c")
    decoders = [
        Decoder(5, 5, str(tmp_path / "text.txt"), 3, 0.7, 0.1, str(tmp_path / "words.txt"), "c"),
        Decoder(5, 5, tmp_path / "text.txt", 3, 0.7, 0.1, tmp_path / "words.txt", "c"),
        Decoder(5, 5, model, 5, 0.7, 0.1, ["ab", "ba", "abd"], "c"),
        Decoder(5, 5, model, 5, 0.7, 0.1, words),
    ]
    found = [each.bind(LETTERS).decode(random_log_probs()) for each in decoders]
    assert found[0] == found[1] == found[2] == found[3]
    search = decoders[0].bind(LETTERS).search
    assert search is not None
    assert search.words is not None
    assert (search.lm_weight, search.length_bonus, search.words.skipped) == (0.7, 0.1, ("abd",))
    with pytest.raises(InputError) as raised:
        Decoder(words=tmp_path / "missing.txt").bind(LETTERS)
    assert raised.value.where == str(tmp_path / "missing.txt")
    with pytest.raises(InputError, match="^separators: not in the alphabet: '#'"):
        Decoder(words=["ab"], separators="#").bind(LETTERS)
    for where, made in {"language_model": Decoder(language_model=model), "words": Decoder(words=words)}.items():
        with pytest.raises(InputError, match=f"^{where}: was made for another alphabet than the model's"):
            made.bind(Alphabet(tuple("abcd")))


def test_a_decoder_gives_only_what_is_allowed():
    log_probs = random_log_probs()
    searches: list[dict[str, Any]] = [{}, {"beam_width": 100, "top_k": 50}]
    for options in searches:
        for allowed in ("ca", ["a", "c"], {"c", "a"}):
            found = Decoder(allowed=allowed, **options).bind(LETTERS).decode(log_probs)
            assert {code for image in found for each in image for code in each.codes} == {1, 3}
    (searched,) = Decoder(beam_width=100, words=["ab", "ac"], allowed="ac ").bind(LETTERS).decode(log_probs[:, :1])
    assert set(LETTERS.decode(searched[0].codes).split()) == {"ac"}
    with pytest.raises(InputError, match="^allowed: not in the alphabet: 'x'"):
        Decoder(allowed="abx").bind(LETTERS)


def parsed(*flags):
    parser = argparse.ArgumentParser()
    add_decoding(parser)
    add_top_k(parser)
    return decoder(parser.parse_args(flags))


def test_flags_make_the_same_decoder_as_python(tmp_path):
    file = tmp_path / "words.txt"
    flags = ["--beam_width=20", "--top_k=3", f"--language_model={file}", "--lm_order=4", "--lm_weight=0.7",
             "--length_bonus=0.5", f"--words={file}", "--separators=.", "--allowed=abc", "--lengths=4-6"]  # fmt: skip
    assert parsed(*flags) == Decoder(20, 3, file, 4, 0.7, 0.5, file, ".", "abc", Lengths.parse("4-6"))
    assert parsed() == Decoder()
    assert parsed("--allowed=ab") == Decoder(allowed="ab")
    assert parsed("--words", str(file)) == Decoder(words=file)
    # Values that change nothing: greedy decoding, and a search of 100 prefixes for texts of another length.
    assert parsed("--top_k=1") == parsed("--length_bonus=0") == Decoder()
    assert parsed("--top_k=1", "--allowed=ab") == Decoder(allowed="ab")
    # The width follows from the model, as in Python.
    for lengths in (None, Lengths.parse("5")):
        for top_k in (3, 30):
            assert parsed(f"--top_k={top_k}").bind(LETTERS, lengths) == Decoder(top_k=top_k).bind(LETTERS, lengths)
        assert parsed("--length_bonus=1").bind(LETTERS, lengths) == Decoder(length_bonus=1).bind(LETTERS, lengths)


def test_greedy_decoding_imports_neither_numba_nor_nltk_nor_mxnet():
    """They take seconds to import."""
    script = """
import sys
import numpy as np
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.decoding.decoder import Decoder
logits = np.random.default_rng(0).normal(size=(5, 2, 4))
decoder = Decoder(allowed="ab").bind(Alphabet(("a", "b", "c")))
assert len(decoder.decode(logits)) == 2
print([name for name in ("numba", "nltk", "mxnet") if name in sys.modules])
Decoder(beam_width=2).bind(Alphabet(("a", "b", "c"))).decode(logits)
print([name for name in ("numba", "nltk", "mxnet") if name in sys.modules])
"""
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=250)
    assert ran.stdout.splitlines() == ["[]", "['numba']"]


def test_an_image_without_time_steps_has_the_empty_text() -> None:
    log_probs = log_softmax(np.random.default_rng(3).normal(size=(4, 3, 5)))
    assert label_log_probability(log_probs, [[], [1], []], [0, 0, 4]).tolist()[:2] == [0.0, -np.inf]
    assert label_log_probability(log_probs[:0], [[], [1], []]).tolist() == [0.0, -np.inf, 0.0]
    found = Decoder().bind(Alphabet(tuple("abcd"))).decode(log_probs, [0, 2, 4])
    assert (found[0][0].codes, found[0][0].log_probability) == ([], 0.0)
