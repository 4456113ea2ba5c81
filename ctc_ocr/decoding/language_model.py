"""Character n-gram language models, as tables of which the compiled search looks up single entries.

A table is an automaton: a state has edges, in the order of their units' codes, from starts[state] to
starts[state + 1]; edge i is taken with the code units[i] and leads to the state targets[i].
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK, Alphabet, UnitSplitter
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.text_files import read_text

Units = Sequence[str]
LINE = ""  # stands before the first unit of a line and after its last
END = BLANK  # its code: no text has it
MAX_ORDER = 20


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


NO_CODES = np.zeros(0, np.int64)
NO_NGRAMS = NgramTable(np.zeros(1, np.int64), NO_CODES, NO_CODES, np.zeros(0), NO_CODES, np.zeros(0))


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
        lines = [units for line in read_text(path).splitlines() for units in split.runs(line)]
        if not lines:
            raise InputError("has no text in the units of the alphabet", path)
        return cls.from_lines(lines, alphabet, order)

    @classmethod
    def from_lines(cls, lines: Iterable[Units], alphabet: Alphabet, order: int = 5) -> "LanguageModel":
        """Of lines given unit by unit. Smoothed by interpolation (Witten and Bell, 1991), as nltk.lm does it, with one
        occurrence of every unit added, so that none is impossible.
        """
        if not 1 <= order <= MAX_ORDER:
            raise InputError(f"the order of a language model is 1 to {MAX_ORDER}, not {order}")
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
