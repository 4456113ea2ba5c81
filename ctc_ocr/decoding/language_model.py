"""What texts are likely or possible, in tables of which a compiled search looks up single entries. No MXNet.

Both tables are automata: a state has edges, in the order of their units' codes, from starts[state] to
starts[state + 1]; edge i is taken with the code units[i] and leads to the state targets[i].
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK, Alphabet
from ctc_ocr.errors import InputError

Units = Sequence[str]
LINE = ""  # stands before the first unit of a line and after its last
END = BLANK  # its code: no text has it
LARGEST_ORDER = 20
DEFAULT_SEPARATORS = " "
FAR = 2**31  # more steps than there can be


class NgramTable(NamedTuple):
    """States are contexts; state 0 is the empty one, with an edge for every code.

    A code without an edge has the log probability that it has in the state's back-off, plus back_off_log_probs[state].
    """

    starts: NDArray[np.int64]
    units: NDArray[np.int64]
    targets: NDArray[np.int64]
    log_probs: NDArray[np.float64]
    back_offs: NDArray[np.int64]
    back_off_log_probs: NDArray[np.float64]


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
NO_NGRAMS = NgramTable(np.zeros(1, np.int64), NO_CODES, NO_CODES, np.zeros(0), NO_CODES, np.zeros(0))
ANY_WORDS = WordTable(np.zeros(1, np.int64), NO_CODES, NO_CODES, np.zeros(0, np.bool_), NO_CODES, NO_CODES)


@dataclass(frozen=True)
class LanguageModel:
    """A character n-gram model (character here: unit of the alphabet) in the form the search needs.

    It gives each unit, and the end of the line (code 0), a probability after the units before it.
    """

    table: NgramTable
    start: int  # the state at the beginning of a line

    @classmethod
    def from_text(cls, path: str | Path, alphabet: Alphabet, order: int = 5) -> "LanguageModel":
        """Of a UTF-8 text file, each line of which is a text that could be read.

        What is not in the alphabet divides a line. Raises InputError for a file that cannot be read or has no unit
        of the alphabet, and if nltk is not installed.
        """
        split = UnitSplitter(alphabet)
        lines = [units for line in read_lines(path) for units in split.known(line)]
        if not lines:
            raise InputError(f"{path}: has no text in the units of the alphabet")
        return cls.from_lines(lines, alphabet, order)

    @classmethod
    def from_lines(cls, lines: Iterable[Units], alphabet: Alphabet, order: int = 5) -> "LanguageModel":
        """Of lines given unit by unit. Smoothed by interpolation (Witten and Bell, 1991), as nltk.lm does it, with one
        occurrence of every unit added, so that none is impossible.
        """
        if not 1 <= order <= LARGEST_ORDER:
            raise InputError(f"the order of a language model is 1 to {LARGEST_ORDER}, not {order}")
        counter = _count(lines, alphabet, order)
        contexts = [(), *itertools.chain.from_iterable(sorted(counter[n]) for n in range(2, order + 1))]
        states = {context: state for state, context in enumerate(contexts)}

        def state_after(units: tuple[str, ...]) -> int:
            """That of the longest end of the units which is a context."""
            while units not in states:
                units = units[1:]
            return states[units]

        return cls(_tabulate(counter, alphabet, contexts, state_after), state_after((LINE,) * (order - 1)))

    def step(self, state: int, code: int) -> tuple[float, int]:
        """(natural log of the probability of a code in a state, state after it)."""
        from ctc_ocr.decoding.beam_search_kernels import read_ngram  # not before it is needed: it imports numba

        log_prob, after = read_ngram(self.table, state, code)
        return log_prob, after

    def log_probability(self, codes: Sequence[int]) -> float:
        """Natural log of the probability of a line, its end included."""
        total, state = 0.0, self.start
        for code in [*codes, END]:
            log_prob, state = self.step(state, code)
            total += log_prob
        return total


def _count(lines: Iterable[Units], alphabet: Alphabet, order: int) -> Any:
    """nltk's counts of all n-grams up to the order, each of which ends in a unit of a line or in its end."""
    try:
        from nltk.lm.counter import NgramCounter
        from nltk.util import ngrams
    except ImportError:
        raise InputError("a language model needs nltk: pip install 'ctc_ocr[lm]'") from None
    counter = NgramCounter([[(unit,) for unit in (LINE, *alphabet.units)]])
    for line in lines:
        padded = [LINE] * (order - 1) + [*line, LINE]
        try:
            counter.update([ngrams(padded[order - n :], n) for n in range(1, order + 1)])
        except ValueError as error:  # its bound on memory
            raise InputError(f"the text is too large for a language model: {error}") from None
    return counter


def _tabulate(
    counter: Any, alphabet: Alphabet, contexts: list[tuple[str, ...]], state_after: Callable[[tuple[str, ...]], int]
) -> NgramTable:
    """The probabilities of all n-grams that were counted; the contexts are in the order of their lengths."""
    from nltk.lm.smoothing import WittenBell

    smoothing = WittenBell(None, counter)
    codes = {LINE: END, **alphabet.lookup}
    probabilities = {(unit,): smoothing.unigram_score(unit) for unit in codes}
    starts, edges, back_offs = [0], [], []
    for context in contexts:
        weight = 1.0
        for unit in sorted(counter[context] if context else codes, key=codes.__getitem__):
            ngram = (*context, unit)
            if context:
                alpha, weight = smoothing.alpha_gamma(unit, context)
                probabilities[ngram] = alpha + weight * probabilities[ngram[1:]]
            edges.append((codes[unit], state_after(ngram), probabilities[ngram]))
        starts.append(len(edges))
        back_offs.append((state_after(context[1:]), weight))
    units, targets, values = map(np.array, zip(*edges, strict=True))
    lower, weights = map(np.array, zip(*back_offs, strict=True))
    return NgramTable(np.array(starts), units, targets, np.log(values), lower, np.log(weights))


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
        words = [line.strip() for line in read_lines(path)]
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
            units = split.whole(word)
            if units:
                spelt.append(tuple(alphabet.encode(units)))
            else:
                skipped.append(word)
        if not spelt:
            raise InputError(f"{where}: no word that the units of the alphabet can spell")
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


class UnitSplitter:
    """Plain text into units of an alphabet: of those that fit, the longest is taken."""

    def __init__(self, alphabet: Alphabet) -> None:
        longest_first = sorted(alphabet.units, key=len, reverse=True)
        self._unit = re.compile("|".join(map(re.escape, longest_first)), re.DOTALL)
        self._piece = re.compile(f"{self._unit.pattern}|.", re.DOTALL)
        self._run = re.compile(f"(?:{self._unit.pattern})+", re.DOTALL)

    def known(self, text: str) -> Iterator[list[str]]:
        """The stretches of a text that are made of units."""
        return (self._unit.findall(run) for run in self._run.findall(text))

    def pieces(self, text: str) -> list[str]:
        """The units of a text, and each character of it that is in none."""
        return self._piece.findall(text)

    def whole(self, text: str) -> list[str]:
        """The units of a text; none if something in it is no unit."""
        units = self._unit.findall(text)
        return units if sum(map(len, units)) == len(text) else []


def read_lines(path: str | Path) -> list[str]:
    """Lines of a UTF-8 text file without their ends, a byte order mark skipped. Raises InputError that names it."""
    try:
        return Path(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: byte {error.start}") from None
