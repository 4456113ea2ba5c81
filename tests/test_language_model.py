"""Language models and word lists: against nltk's own scores, and against plain string matching."""

import itertools
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from nltk.lm import WittenBellInterpolated
from nltk.lm.counter import NgramCounter

from ctc_ocr.alphabet import Alphabet, UnitSplitter
from ctc_ocr.decoding.language_model import END, LanguageModel
from ctc_ocr.decoding.word_list import WordList
from ctc_ocr.errors import InputError

LETTERS = Alphabet(tuple("abcdefgh "))
LINES = ["bad cab", "a bad egg" * 2, "fed a cab", "", "dad", "bead"]


def all_ngrams(lines, order):
    """Every n-gram up to the order that ends in a unit or at the end of a line, by slices."""
    for line in lines:
        padded = [""] * (order - 1) + [*line, ""]
        for end in range(order, len(padded) + 1):
            yield from (tuple(padded[end - n : end]) for n in range(1, order + 1))


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_the_table_gives_the_probabilities_of_nltk(order):
    model = LanguageModel.from_lines(LINES, LETTERS, order)
    counter = NgramCounter([[(unit,) for unit in ("", *LETTERS.units)], list(all_ngrams(LINES, order))])
    theirs = WittenBellInterpolated(order, counter=counter)
    rng = np.random.default_rng(0)
    for text in [*LINES, *("".join(rng.choice(LETTERS.units, size=6)) for _ in range(20))]:
        padded = [""] * (order - 1) + [*text, ""]
        contexts = (tuple(padded[end - order + 1 : end]) for end in range(order - 1, len(padded)))
        expected = sum(
            np.log(theirs.unmasked_score(unit, context))
            for unit, context in zip([*text, ""], contexts, strict=True)
        )  # fmt: skip
        assert model.log_probability(LETTERS.encode(text)) == pytest.approx(expected, rel=1e-12)


def test_probabilities_after_any_text_sum_to_one():
    model = LanguageModel.from_lines(LINES, LETTERS, 4)
    for codes in itertools.product(range(1, 10), repeat=2):
        state = model.start
        for code in codes:
            state = model.step(state, code)[1]
        assert sum(np.exp(model.step(state, code)[0]) for code in range(10)) == pytest.approx(1.0)


def test_characters_outside_the_alphabet_split_lines(tmp_path: Path):
    file = tmp_path / "text.txt"
    file.write_bytes("\ufeffbad CAB fed\r\négg\n\n".encode())
    found = LanguageModel.from_file(file, LETTERS, 3)
    same = LanguageModel.from_lines(["bad ", " fed", "gg"], LETTERS, 3)
    assert found.log_probability(LETTERS.encode("bad")) == same.log_probability(LETTERS.encode("bad"))
    assert (found.table.log_probs == same.table.log_probs).all()


def test_a_unit_that_is_not_in_the_alphabet_is_named():
    with pytest.raises(InputError, match="not in the alphabet: 'c'"):
        LanguageModel.from_lines(["abc"], Alphabet(("a", "b")))


def test_units_of_several_characters():
    units = ("s", "sch", "c", "h", "[[", ".")
    splitter = UnitSplitter(Alphabet(units))
    assert splitter.units("schs[[.") == ["sch", "s", "[[", "."]
    assert list(splitter.runs("schxcs")) == [["sch"], ["c", "s"]]
    assert splitter.units("sx") == splitter.units("") == []
    assert splitter.pieces("schxs[\n[[") == ["sch", "x", "s", "[", "\n", "[["]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"XYZ\n\n", "expected text in the units of the alphabet, found none"),
        (b"\xff\xfe", "not UTF-8 text, at byte 0: save the file as UTF-8"),
        (None, "No such file or directory"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, content, reason):
    file = tmp_path / "text.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError) as raised:
        LanguageModel.from_file(file, LETTERS)
    assert (raised.value.where, raised.value.reason) == (str(file), reason)


def test_order_and_a_missing_extra(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match="order of the language model: expected 1 to 20, got 0"):
        LanguageModel.from_lines(LINES, LETTERS, 0)
    monkeypatch.setitem(sys.modules, "nltk.lm.counter", None)
    with pytest.raises(InputError, match=r"pip install 'ctc_ocr\[lm\]'"):
        LanguageModel.from_lines(LINES, LETTERS, 2)


def accepts(words: WordList, codes):
    state, table = 0, words.table
    for code in codes:
        edges = range(table.starts[state], table.starts[state + 1])
        targets = [table.targets[edge] for edge in edges if table.codes[edge] == code]
        if not targets:
            return False
        (state,) = targets
    return bool(table.final[state])


@pytest.mark.parametrize(
    ("separators", "pattern"),
    [
        ("", "a|ab|ba"),
        (" ", " *(a|ab|ba)( +(a|ab|ba))* *"),
        (". ", "[ .]*(a|ab|ba)([ .]+(a|ab|ba))*[ .]*"),
    ],
)
def test_a_word_list_accepts_what_a_regular_expression_does(separators, pattern):
    alphabet = Alphabet(tuple("ab ."))
    words = WordList.from_words(["ab", "a", "ba", "a", "bx"], alphabet, separators)
    assert (words.count, words.skipped) == (3, ("bx",))
    for length in range(7):
        for codes in itertools.product(range(1, 5), repeat=length):
            assert accepts(words, codes) == bool(re.fullmatch(pattern, alphabet.decode(codes)))


def test_separators_that_are_not_in_the_alphabet_are_named():
    alphabet = Alphabet(tuple("ab."))
    for separators in ("#", ".#", ". "):
        with pytest.raises(InputError, match=f"^separators: not in the alphabet: '{separators[-1]}'"):
            WordList.from_words(["ab"], alphabet, separators)
    # The default holds for alphabets with and without a space.
    words = WordList.from_words(["ab"], alphabet)
    assert words.separators == ()
    assert accepts(words, alphabet.encode("ab"))


def test_words_of_allowed_units_alone():
    alphabet = Alphabet(tuple("ab ."))
    words = WordList.from_words(["ab", "a", "ba", "bx"], alphabet, ". ")
    some = words.restricted(np.array([True, True, False, True, False]))
    assert (some.count, some.skipped) == (1, ("bx",))
    for length in range(5):
        for codes in itertools.product(range(1, 5), repeat=length):
            assert accepts(some, codes) == bool(re.fullmatch(" *a( +a)* *", alphabet.decode(codes)))
    with pytest.raises(InputError, match="no listed word is made of allowed units"):
        words.restricted(np.array([True, False, True, True, True]))


def test_the_minimum_steps_to_the_end_of_a_word():
    alphabet = Alphabet(tuple("ab "))
    table = WordList.from_words(["aaab", "abb", "bb"], alphabet).table
    states = {"": 0}
    for text in ("a", "aa", "aaa", "aaab", "ab", "abb", "b", "bb", "bb "):
        edges = range(table.starts[states[text[:-1]]], table.starts[states[text[:-1]] + 1])
        (states[text],) = (table.targets[edge] for edge in edges if table.codes[edge] == alphabet.lookup[text[-1]])
    found = {text: (table.steps_after_blank[s], table.steps_after_unit[s]) for text, s in states.items()}
    assert found == {
        "": (3, 3), "a": (3, 3), "aa": (2, 3), "aaa": (1, 1), "aaab": (0, 0), "ab": (1, 2), "abb": (0, 0),
        "b": (1, 2), "bb": (0, 0), "bb ": (0, 0),
    }  # fmt: skip


def test_a_word_list_from_a_file(tmp_path: Path):
    file = tmp_path / "words.txt"
    file.write_text("bad\n\n cab \nXX\n", encoding="utf-8")
    words = WordList.from_file(file, LETTERS)
    assert (words.count, words.skipped) == (2, ("XX",))
    assert accepts(words, LETTERS.encode("cab bad"))
    assert END not in words.table.codes
    file.write_text("XX\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"words\.txt: expected words that the alphabet can spell, found none"):
        WordList.from_file(file, LETTERS)
