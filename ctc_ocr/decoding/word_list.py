"""Word lists: the only words that a beam search may output, as a table of which it looks up single entries.

A table is an automaton: a state has edges, in the order of their units' codes, from starts[state] to
starts[state + 1]; edge i is taken with the code units[i] and leads to the state targets[i].
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK, Alphabet, UnitSplitter
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.text_files import read_text

DEFAULT_SEPARATORS = " "
FAR = 2**31  # more steps than there can be


class WordTable(NamedTuple):
    """A code without an edge is not possible; at the end of a text the state is a final one. Text starts in state 0.

    Of each state, the least time steps from which a final one can be reached: where the last step was a blank, and
    where it was the last unit, which needs a blank before it can come again.
    """

    starts: NDArray[np.int64]
    units: NDArray[np.int64]
    targets: NDArray[np.int64]
    final: NDArray[np.bool_]
    steps_after_blank: NDArray[np.int64]
    steps_after_unit: NDArray[np.int64]


NO_CODES = np.zeros(0, np.int64)
ANY_WORDS = WordTable(np.zeros(1, np.int64), NO_CODES, NO_CODES, np.zeros(0, np.bool_), NO_CODES, NO_CODES)


@dataclass(frozen=True)
class WordList:
    """Texts made of listed words, with separators before, between and after them: at least one word a text."""

    table: WordTable
    codes: tuple[tuple[int, ...], ...]  # of each word
    separators: tuple[int, ...]  # their codes
    skipped: tuple[str, ...]  # words that the alphabet cannot spell

    @property
    def count(self) -> int:
        return len(self.codes)

    @classmethod
    def from_file(cls, path: str | Path, alphabet: Alphabet, separators: str = DEFAULT_SEPARATORS) -> "WordList":
        """Of a UTF-8 text file with a word a line. Raises InputError if it cannot be read, and as from_words does."""
        words = [line.strip() for line in read_text(path).splitlines()]
        return cls.from_words([word for word in words if word], alphabet, separators, str(path))

    @classmethod
    def from_words(
        cls, words: Iterable[str], alphabet: Alphabet, separators: str = DEFAULT_SEPARATORS, where: str = "words"
    ) -> "WordList":
        """Of words as they are written; separators are the units (of one character) that may stand around words.

        With no separators, or the space alone where the alphabet has none, every text is one word. Where a unit could
        go on with a word or separate, it goes on. Raises InputError for other separators that are not in the alphabet,
        and (starting with `where`) if no word can be spelt.
        """
        between = _separator_codes(separators, alphabet)
        split = UnitSplitter(alphabet)
        spelt, skipped = [], []
        for word in dict.fromkeys(words):
            units = split.units(word)
            if units:
                spelt.append(tuple(alphabet.encode(units)))
            else:
                skipped.append(word)
        if not spelt:
            raise InputError("no word that the units of the alphabet can spell", where)
        return cls(_word_table(spelt, between), tuple(spelt), between, tuple(skipped))

    def restricted(self, allowed: NDArray[np.bool_]) -> "WordList":
        """The words and separators that are made of the allowed classes (C,) alone. Raises InputError without any."""
        words = tuple(word for word in self.codes if allowed[list(word)].all())
        if not words:
            raise InputError("no listed word is made of allowed units alone")
        separators = tuple(code for code in self.separators if allowed[code])
        return replace(self, table=_word_table(words, separators), codes=words, separators=separators)


def _separator_codes(separators: str, alphabet: Alphabet) -> tuple[int, ...]:
    if separators == DEFAULT_SEPARATORS and separators not in alphabet.lookup:
        return ()
    try:
        return tuple(alphabet.encode(separators))
    except InputError as error:
        raise InputError(f"separators: {error}") from None


def _word_table(words: Sequence[tuple[int, ...]], separators: Sequence[int]) -> WordTable:
    before, after = 0, 1  # states: no word yet; at least one, and a separator
    edges: list[dict[int, int]] = [{}, {}]
    final = [False, True]
    for word in words:
        state = before
        for code in word:
            if code not in edges[state]:
                edges[state][code] = len(edges)
                edges.append({})
                final.append(False)
            state = edges[state][code]
        final[state] = True
    edges[after] = dict(edges[before])
    for code in separators:
        edges[before].setdefault(code, before)
        for state, is_final in enumerate(final):
            if is_final:
                edges[state].setdefault(code, after)
    ordered = [sorted(each.items()) for each in edges]
    units, targets = map(np.array, zip(*itertools.chain.from_iterable(ordered), strict=True))
    parts = np.cumsum([0, *map(len, ordered)]), units, targets, np.array(final)
    return WordTable(*parts, *_least_steps(*parts))


def _least_steps(
    starts: NDArray[np.int64], units: NDArray[np.int64], targets: NDArray[np.int64], final: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """steps_after_blank and steps_after_unit (S,) of a WordTable, by going back from its final states."""
    entered = np.full(len(final), BLANK)
    entered[targets] = units  # a state within a word has one way in
    repeated = units == np.repeat(entered, np.diff(starts))
    after_blank = after_unit = np.where(final, 0, FAR)
    while True:
        steps = 1 + after_unit[targets]
        after_blank = _least_of_edges(steps, starts, final)
        before, after_unit = after_unit, _least_of_edges(steps + repeated, starts, final)
        if (before == after_unit).all():
            return after_blank, after_unit


def _least_of_edges(steps: NDArray[np.int64], starts: NDArray[np.int64], final: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(S,): of each state the least number of its edges (E,), 0 of a final one. Only final ones may have no edge."""
    least: NDArray[np.int64] = np.minimum.reduceat(np.append(steps, FAR), starts[:-1])
    return np.where(final, 0, np.minimum(least, FAR))
