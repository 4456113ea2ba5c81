"""Word lists: the only words that a beam search may output, as tables for its compiled part."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK, Alphabet, UnitSplitter
from ctc_ocr.errors import InputError, check_kind, list_of, refuse_single
from ctc_ocr.runtime.text_files import read_text

DEFAULT_SEPARATORS = " "
UNREACHABLE = 2**31  # more time steps than an image has
BEFORE, AFTER = 0, 1  # states: before the first word; after a word and a separator


class WordTable(NamedTuple):
    """An automaton that accepts the texts made of the words. Texts start in state 0 and end in a final state.

    The edges of a state are starts[state] to starts[state + 1], sorted by code: edge i is for codes[i] and leads to the
    state targets[i]. A code without an edge is not possible.

    steps_after_blank and steps_after_unit are the minimum numbers of time steps from a state to a final one: where the
    last class was a blank, and where it was the last unit, which needs a blank before it can be repeated.
    """

    starts: NDArray[np.int64]
    codes: NDArray[np.int64]
    targets: NDArray[np.int64]
    final: NDArray[np.bool_]
    steps_after_blank: NDArray[np.int64]
    steps_after_unit: NDArray[np.int64]


NO_CODES = np.zeros(0, np.int64)
ANY_WORDS = WordTable(np.zeros(1, np.int64), NO_CODES, NO_CODES, np.zeros(0, np.bool_), NO_CODES, NO_CODES)


@dataclass(frozen=True)
class WordList:
    """Texts of at least one of some words, with separators before, between and after them.

    `codes` are those of each word in the alphabet, `separators` the separators' codes, `skipped` the words that the
    alphabet cannot spell.
    """

    table: WordTable
    codes: tuple[tuple[int, ...], ...]
    separators: tuple[int, ...]
    skipped: tuple[str, ...]
    alphabet: Alphabet

    @property
    def count(self) -> int:
        """Number of words."""
        return len(self.codes)

    @classmethod
    def from_file(cls, path: str | Path, alphabet: Alphabet, separators: str = DEFAULT_SEPARATORS) -> "WordList":
        """The words of a UTF-8 text file, one per line. Raises InputError if it cannot be read, and as from_words."""
        check_kind("a path", path=path)
        words = [line.strip() for line in read_text(path).splitlines()]
        return cls.from_words([word for word in words if word], alphabet, separators, str(path))

    @classmethod
    def from_words(
        cls, words: Iterable[str], alphabet: Alphabet, separators: str = DEFAULT_SEPARATORS, where: str = "words"
    ) -> "WordList":
        """Words as plain text; each character of `separators` is a unit that may stand around words.

        Without separators, each text is one word; so it is with the default, a space, if the alphabet has none. Words
        may contain separators. Raises InputError for other separators that are not in the alphabet, and (at `where`) if
        it can spell no word.
        """
        check_kind(Alphabet, alphabet=alphabet)
        check_kind("a text", separators=separators)
        refuse_single(words, "words")
        separator_codes = _separator_codes(separators, alphabet)
        splitter = UnitSplitter(alphabet)
        codes, skipped = [], []
        for word in dict.fromkeys(list_of(str, words, where)):
            units = splitter.units(word)
            if units:
                codes.append(tuple(alphabet.encode(units)))
            else:
                skipped.append(word)
        if not codes:
            raise InputError("expected words that the alphabet can spell, found none", where)
        return cls(_word_table(codes, separator_codes), tuple(codes), separator_codes, tuple(skipped), alphabet)

    def restricted(self, mask: NDArray[np.bool_]) -> "WordList":
        """The words and separators made only of the classes in the mask (C,). Raises InputError if there is no word."""
        words = tuple(word for word in self.codes if mask[list(word)].all())
        if not words:
            raise InputError("no listed word is made of allowed units alone", "words")
        separators = tuple(code for code in self.separators if mask[code])
        return replace(self, table=_word_table(words, separators), codes=words, separators=separators)


def _separator_codes(separators: str, alphabet: Alphabet) -> tuple[int, ...]:
    if separators == DEFAULT_SEPARATORS and separators not in alphabet.lookup:
        return ()
    try:
        return tuple(alphabet.encode(separators))
    except InputError as error:
        raise error.within("separators") from None


def _word_table(words: Sequence[tuple[int, ...]], separators: Sequence[int]) -> WordTable:
    """The words as a trie, whose final states return to its beginning by a separator."""
    edges: list[dict[int, int]] = [{}, {}]  # of each state, {code: target}
    final = [False, True]
    for word in words:
        state = BEFORE
        for code in word:
            if code not in edges[state]:
                edges[state][code] = len(edges)
                edges.append({})
                final.append(False)
            state = edges[state][code]
        final[state] = True
    edges[AFTER] = dict(edges[BEFORE])
    _add_separators(edges, final, separators)
    ordered = [sorted(each.items()) for each in edges]
    codes, targets = map(np.array, zip(*itertools.chain.from_iterable(ordered), strict=True))
    automaton = np.cumsum([0, *map(len, ordered)]), codes, targets, np.array(final)
    return WordTable(*automaton, *_minimum_steps(*automaton))


class _Subsets:
    """States that stand for several states of a trie at once, numbered after them (the subset construction of Rabin and
    Scott, "Finite automata and their decision problems", 1959)."""

    def __init__(self, num_states: int) -> None:
        self.members: list[tuple[int, ...]] = []  # of each new state
        self._num_states = num_states
        self._numbers: dict[tuple[int, ...], int] = {}

    def union(self, *states: int) -> int:
        """The number of the state that stands for all of these."""
        of_trie = tuple(sorted({each for state in states for each in self._trie_states(state)}))
        if len(of_trie) == 1:
            return of_trie[0]
        if of_trie not in self._numbers:
            self._numbers[of_trie] = self._num_states + len(self.members)
            self.members.append(of_trie)
        return self._numbers[of_trie]

    def _trie_states(self, state: int) -> tuple[int, ...]:
        return (state,) if state < self._num_states else self.members[state - self._num_states]


def _add_separators(edges: list[dict[int, int]], final: list[bool], separators: Sequence[int]) -> None:
    """Let separators stand before, between and after the words of a trie, in place. Where one could continue a word as
    well, both are possible."""
    subsets = _Subsets(len(edges))
    for state, is_final in enumerate(final):
        if is_final or state == BEFORE:
            back = AFTER if is_final else BEFORE
            edges[state].update({code: subsets.union(edges[state].get(code, back), back) for code in separators})
    for members in subsets.members:  # which grow meanwhile
        joined: dict[int, int] = {}
        for state in members:
            for code, target in edges[state].items():
                joined[code] = subsets.union(joined.get(code, target), target)
        edges.append(joined)
        final.append(any(final[state] for state in members))


def _minimum_steps(
    starts: NDArray[np.int64], codes: NDArray[np.int64], targets: NDArray[np.int64], final: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """steps_after_blank and steps_after_unit (S,) of a WordTable, by iteration from its final states backwards."""
    last_codes = np.full(len(final), BLANK)
    last_codes[targets] = codes  # a state within a word is entered by one code only
    repeats = codes == np.repeat(last_codes, np.diff(starts))
    after_blank = after_unit = np.where(final, 0, UNREACHABLE)
    while True:
        steps = 1 + after_unit[targets]
        after_blank = _minimum_of_edges(steps, starts, final)
        previous, after_unit = after_unit, _minimum_of_edges(steps + repeats, starts, final)
        if (previous == after_unit).all():
            return after_blank, after_unit


def _minimum_of_edges(
    steps: NDArray[np.int64], starts: NDArray[np.int64], final: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """The minimum of `steps` (E,) over the edges of each state (S,); 0 for final states, the only ones that may have no
    edge."""
    minimum: NDArray[np.int64] = np.minimum.reduceat(np.append(steps, UNREACHABLE), starts[:-1])
    return np.where(final, 0, np.minimum(minimum, UNREACHABLE))
