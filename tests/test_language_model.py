"""Language models and word lists: against nltk's own scores, and against plain string matching."""

import itertools
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from nltk.lm import WittenBellInterpolated
from nltk.lm.counter import NgramCounter

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.errors import InputError
from ctc_ocr.language_model import END, LanguageModel, UnitSplitter, WordList

LETTERS = Alphabet(tuple("abcdefgh "))
LINES = ["bad cab", "a bad egg" * 2, "fed a cab", "", "dad", "bead"]


def all_ngrams(lines, order):
    """Every n-gram up to the order that ends in a unit or in the end of a line, by slices."""
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


def test_from_text_divides_lines_at_what_is_not_in_the_alphabet(tmp_path: Path):
    file = tmp_path / "text.txt"
    file.write_bytes("\ufeffbad CAB fed\r\négg\n\n".encode())
    found = LanguageModel.from_text(file, LETTERS, 3)
    same = LanguageModel.from_lines(["bad ", " fed", "gg"], LETTERS, 3)
    assert found.log_probability(LETTERS.encode("bad")) == same.log_probability(LETTERS.encode("bad"))
    assert (found.table.log_probs == same.table.log_probs).all()


def test_units_of_several_characters():
    units = ("s", "sch", "c", "h", "[[", ".")
    splitter = UnitSplitter(Alphabet(units))
    assert splitter.whole("schs[[.") == ["sch", "s", "[[", "."]
    assert list(splitter.known("schxcs")) == [["sch"], ["c", "s"]]
    assert splitter.whole("sx") == splitter.whole("") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"XYZ\n\n", "no text in the units"), (b"\xff\xfe", "not UTF-8"), (None, "cannot be read: No such file")],
)
def test_a_bad_file_is_named(tmp_path: Path, content, message):
    file = tmp_path / "text.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=f"text.txt: .*{message}"):
        LanguageModel.from_text(file, LETTERS)


def test_order_and_a_missing_extra(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match="1 to 20, not 0"):
        LanguageModel.from_lines(LINES, LETTERS, 0)
    monkeypatch.setitem(sys.modules, "nltk.lm.counter", None)
    with pytest.raises(InputError, match=r"pip install 'ctc_ocr\[lm\]'"):
        LanguageModel.from_lines(LINES, LETTERS, 2)


def accepts(words: WordList, codes):
    state, table = 0, words.table
    for code in codes:
        edges = range(table.starts[state], table.starts[state + 1])
        targets = [table.targets[edge] for edge in edges if table.units[edge] == code]
        if not targets:
            return False
        (state,) = targets
    return bool(table.final[state])


@pytest.mark.parametrize(
    ("separators", "pattern"),
    [
        ("", "a|ab|ba"),
        ("x", "a|ab|ba"),
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


def test_a_word_list_from_a_file(tmp_path: Path):
    file = tmp_path / "words.txt"
    file.write_text("bad\n\n cab \nXX\n", encoding="utf-8")
    words = WordList.from_file(file, LETTERS)
    assert (words.count, words.skipped) == (2, ("XX",))
    assert accepts(words, LETTERS.encode("cab bad"))
    assert END not in words.table.units
    file.write_text("XX\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"words\.txt: no word"):
        WordList.from_file(file, LETTERS)
