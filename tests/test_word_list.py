"""The automaton of a word list accepts the texts that are made of its words, and no others."""

import itertools
import re

import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.decoding.mask import allowed_classes
from ctc_ocr.decoding.word_list import WordList, WordTable

ALPHABET = Alphabet(("a", "b", " ", "-"))


def accepts(table: WordTable, codes: list[int]) -> bool:
    state = 0
    for code in codes:
        first, end = table.starts[state : state + 2]
        edges = dict(zip(table.codes[first:end].tolist(), table.targets[first:end].tolist(), strict=True))
        if code not in edges:
            return False
        state = edges[code]
    return bool(table.final[state])


@pytest.mark.parametrize("separators", ["", " ", " -"])
@pytest.mark.parametrize(
    "listed",
    [
        ("a", "ab"),
        ("a", "b", "a b"),  # a phrase whose first word is listed too
        ("a", "a b", "b a", "a-a"),
        ("a b a", "a b", "b b"),
        (" a", "b ", "-"),  # separators at the ends of words, and alone
        ("a", "aa", "a a a", "a  b"),
    ],
)
def test_what_is_accepted(listed: tuple[str, ...], separators: str) -> None:
    table = WordList.from_words(listed, ALPHABET, separators).table
    word, between = "|".join(map(re.escape, listed)), f"[{re.escape(separators)}]" if separators else "(?!)"
    made_of_words = re.compile(f"(?:{between})*(?:{word})(?:(?:{between})+(?:{word}))*(?:{between})*")
    for length in range(7):
        for units in itertools.product(ALPHABET.units, repeat=length):
            text = "".join(units)
            assert accepts(table, ALPHABET.encode(units)) == bool(made_of_words.fullmatch(text)), text


def test_a_mask_leaves_the_words_of_its_units() -> None:
    words = WordList.from_words(["a", "a b", "b-"], ALPHABET, " -")
    table = words.restricted(allowed_classes(ALPHABET, "ab ")).table
    assert accepts(table, ALPHABET.encode("a a b"))
    assert not accepts(table, ALPHABET.encode("b-"))
    assert not accepts(table, ALPHABET.encode("a-a"))
