"""The prior of the lengths of texts: from labels to a decoder that prefers what they have."""

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.config.presets import preset
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.decoding.greedy import greedy
from ctc_ocr.decoding.likelihood import label_log_probability, log_softmax
from ctc_ocr.errors import InputError
from ctc_ocr.lengths import NEVER, Lengths

LETTERS = Alphabet(tuple("abc"))
FIVE = Lengths.of_labels([5] * 98)


def test_of_labels() -> None:
    assert Lengths(5, 5, 1 / 100) == FIVE
    assert Lengths.of_labels([3, 5, 4]) == Lengths(3, 5, 1 / 5)
    # Two wrong labels of 300 do not widen the range.
    assert Lengths.of_labels([6] * 298 + [2, 7]) == Lengths(6, 6, 3 / 302)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", Lengths(5, 5, NEVER)), ("4-6", Lengths(4, 6, NEVER)), ("any", Lengths(0, 0, 1.0))],
)
def test_parse(text: str, expected: Lengths) -> None:
    assert Lengths.parse(text) == expected


@pytest.mark.parametrize("text", ["", "5-", "-5", "a", "6-4", "0", "0-0", "4 - 6", "٥", "1234567"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(InputError, match="^lengths: expected a length such as 5"):
        Lengths.parse(text)


def test_log_prior() -> None:
    assert [FIVE.log_prior(length) for length in (4, 5, 6)] == [math.log(0.01), 0.0, math.log(0.01)]
    assert Lengths.parse("any").log_prior(7) == 0.0


def test_description() -> None:
    model = Model(preset("word"), LETTERS, lengths=FIVE)
    assert Model.from_json(model.to_json().encode(), Path("ocr.json")) == model
    assert "lengths" not in Model(preset("word"), LETTERS).to_json()


@pytest.mark.parametrize(
    "wrong",
    [
        5, [], {"shortest": 1}, {"shortest": 1, "longest": 2, "outside": 0},
        {"shortest": 3, "longest": 2, "outside": 1},
        {"shortest": True, "longest": 2, "outside": 0.5}, {"shortest": 1, "longest": 2, "outside": "0.5"},
        {"shortest": 1, "longest": 2, "outside": math.nan},
    ],
)  # fmt: skip
def test_a_description_from_outside_is_checked(wrong: object) -> None:
    values = json.loads(Model(preset("word"), LETTERS).to_json()) | {"lengths": wrong}
    with pytest.raises(InputError, match=r"^ocr\.json: lengths"):
        Model.from_json(json.dumps(values).encode(), Path("ocr.json"))


def log_probabilities(images: int = 60) -> np.ndarray:
    return log_softmax(np.random.default_rng(4).normal(size=(5, images, 4)) * 2)


def all_labels() -> list[list[int]]:
    return [list(label) for n in range(6) for label in itertools.product((1, 2, 3), repeat=n)]


def best_of_all(log_probs: np.ndarray, prior: Callable[[int], float]) -> list[int]:
    """The label with the highest score, of all that there are."""
    labels = all_labels()
    scores = label_log_probability(np.repeat(log_probs, len(labels), axis=1), labels)
    return labels[int(np.argmax(scores + [prior(len(label)) for label in labels]))]


@pytest.mark.parametrize("lengths", [Lengths(2, 3, 0.02), Lengths(4, 4, NEVER)])
def test_a_decoder_finds_the_most_probable_text_with_the_prior(lengths: Lengths) -> None:
    log_probs = log_probabilities()
    bound = Decoder().bind(LETTERS, lengths)
    found, by_greedy = bound.decode(log_probs), greedy(log_probs)
    changed = 0
    for image, (best, *_) in enumerate(found):
        if lengths.shortest <= len(by_greedy[image]) <= lengths.longest:
            assert best.codes == by_greedy[image]
            continue
        assert best.codes == best_of_all(log_probs[:, [image]], lengths.log_prior)
        assert best.units is not None
        assert len(best.units) == len(best.codes)
        assert best.score == pytest.approx(best.log_probability + lengths.log_prior(len(best.codes)))
        changed += best.codes != by_greedy[image]
    assert changed > 10
    plain = bound.decode(log_probs, with_probability=False)
    assert [best.codes for best, *_ in plain] == [best.codes for best, *_ in found]


def test_a_beam_search_has_the_prior_too() -> None:
    log_probs, lengths = log_probabilities(), Lengths(2, 3, 0.02)
    found = Decoder(beam_width=200).bind(LETTERS, lengths).decode(log_probs)
    for image, (best, *_) in enumerate(found):
        assert best.codes == best_of_all(log_probs[:, [image]], lengths.log_prior)


def test_further_texts_do_not_change_the_first_one() -> None:
    """Clear texts of six or seven characters, where five are expected: the best prefixes are the wrong ones."""
    alphabet, generator = Alphabet(tuple("abcdefghij")), np.random.default_rng(1)
    for _ in range(40):
        codes = generator.integers(1, 11, size=generator.integers(6, 8)).tolist()
        path = [code for each in codes for code in (each, 0)]
        logits = generator.normal(size=(len(path), 1, 11)) * 1.2
        logits[np.arange(len(path)), 0, path] += 5 + 2 * generator.normal(size=len(path))
        log_probs = log_softmax(logits)
        one, several = (Decoder(lengths="5", top_k=k).bind(alphabet).decode(log_probs)[0] for k in (1, 3))
        assert len(several) == 3
        assert several[0].score == pytest.approx(one[0].score) or several[0].score > one[0].score


def test_the_decoders_own_lengths_come_first() -> None:
    log_probs = log_probabilities()
    any_length = Decoder(lengths=Lengths.parse("any")).bind(LETTERS, Lengths(4, 4, 0.01)).decode(log_probs)
    assert [best.codes for best, *_ in any_length] == greedy(log_probs)
    steps = np.full(60, 3)
    for best, *_ in Decoder(lengths=Lengths.parse("2")).bind(LETTERS, FIVE).decode(log_probs, steps):
        assert len(best.codes) == 2
