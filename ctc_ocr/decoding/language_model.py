"""Character n-gram language models, smoothed after Witten and Bell (1991), as tables for the compiled beam search."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK, Alphabet, UnitSplitter
from ctc_ocr.errors import InputError, check_kind
from ctc_ocr.runtime.text_files import read_text

Units = Sequence[str]
LINE_END = ""  # the unit that pads a line at both ends
END = BLANK  # its code, which no text has
MAX_ORDER = 20


class NgramTable(NamedTuple):
    """An automaton whose states are contexts. State 0 is the empty context.

    The edges of a state are starts[state] to starts[state + 1], sorted by code: edge i is for codes[i], has its log
    probability and leads to the state targets[i]. State 0 has an edge for every code. In other states, a code without
    an edge has its log probability in the state's back-off, plus back_off_log_probs[state].
    """

    starts: NDArray[np.int64]
    codes: NDArray[np.int64]
    targets: NDArray[np.int64]
    log_probs: NDArray[np.float64]
    back_offs: NDArray[np.int64]
    back_off_log_probs: NDArray[np.float64]


NO_CODES = np.zeros(0, np.int64)
NO_NGRAMS = NgramTable(np.zeros(1, np.int64), NO_CODES, NO_CODES, np.zeros(0), NO_CODES, np.zeros(0))


@dataclass(frozen=True)
class LanguageModel:
    """Probabilities of each unit of an alphabet, and of the end of the line (code 0), given the units before.

    Its states are those of the table; `start` is the state at the beginning of a line.
    """

    table: NgramTable
    start: int
    alphabet: Alphabet

    @classmethod
    def from_file(cls, path: str | Path, alphabet: Alphabet, order: int = 5) -> "LanguageModel":
        """Trained on a UTF-8 text file with one example text per line.

        Characters outside the alphabet split a line. Raises InputError if the file cannot be read or has no unit of the
        alphabet, and as from_lines does.
        """
        check_kind("a path", path=path)
        check_kind(Alphabet, alphabet=alphabet)
        split = UnitSplitter(alphabet)
        lines = [units for line in read_text(path).splitlines() for units in split.runs(line)]
        if not lines:
            raise InputError("expected text in the units of the alphabet, found none", path)
        return cls.from_lines(lines, alphabet, order)

    @classmethod
    def from_lines(cls, lines: Iterable[Units], alphabet: Alphabet, order: int = 5) -> "LanguageModel":
        """Trained on lines, each a sequence of units. The order is the n of the longest n-grams.

        Interpolated as nltk.lm does it, with one occurrence of every unit added, so that none is impossible. Raises
        InputError for an order that is not 1 to 20, for a unit that is not in the alphabet, and if nltk is not
        installed.
        """
        check_kind(Alphabet, alphabet=alphabet)
        check_kind("a list", lines=lines)
        check_kind("an integer", order=order)
        if not 1 <= order <= MAX_ORDER:
            raise InputError(f"expected 1 to {MAX_ORDER}, got {order}", "order of the language model")
        counter = _count(lines, alphabet, order)
        contexts = [(), *itertools.chain.from_iterable(sorted(counter[n]) for n in range(2, order + 1))]
        states = {context: state for state, context in enumerate(contexts)}

        def state_after(units: tuple[str, ...]) -> int:
            """The state of the longest suffix that is a context."""
            while units not in states:
                units = units[1:]
            return states[units]

        start = state_after((LINE_END,) * (order - 1))
        return cls(_tabulate(counter, alphabet, contexts, state_after), start, alphabet)

    def step(self, state: int, code: int) -> tuple[float, int]:
        """(natural log of the probability of a code in a state, state after it)."""
        from ctc_ocr.decoding.beam_search_kernels import ngram_step  # imported only here: it imports numba

        log_prob, next_state = ngram_step(self.table, state, code)
        return log_prob, next_state

    def log_probability(self, codes: Sequence[int]) -> float:
        """Natural log of the probability of a whole line, with its end."""
        total, state = 0.0, self.start
        for code in [*codes, END]:
            log_prob, state = self.step(state, code)
            total += log_prob
        return total


def _count(lines: Iterable[Units], alphabet: Alphabet, order: int) -> Any:
    """An nltk NgramCounter of all n-grams up to the order that end in a unit of a line or in its end."""
    try:
        from nltk.lm.counter import NgramCounter
        from nltk.util import ngrams
    except ImportError:
        raise InputError("a language model needs nltk: pip install 'ctc_ocr[lm]'") from None
    counter = NgramCounter([[(unit,) for unit in (LINE_END, *alphabet.units)]])
    for line in lines:
        alphabet.encode(line)
        padded = [LINE_END] * (order - 1) + [*line, LINE_END]
        try:
            counter.update([ngrams(padded[order - n :], n) for n in range(1, order + 1)])
        except ValueError as error:  # nltk bounds its memory
            raise InputError(f"the text is too large for a language model: {error}") from None
    return counter


def _tabulate(
    counter: Any, alphabet: Alphabet, contexts: list[tuple[str, ...]], state_after: Callable[[tuple[str, ...]], int]
) -> NgramTable:
    """The probabilities of all n-grams counted. `contexts` are sorted by length: longer ones need shorter ones."""
    from nltk.lm.smoothing import WittenBell

    smoothing = WittenBell(None, counter)
    codes = {LINE_END: END, **alphabet.lookup}
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
    edge_codes, targets, values = map(np.array, zip(*edges, strict=True))
    lower, weights = map(np.array, zip(*back_offs, strict=True))
    return NgramTable(np.array(starts), edge_codes, targets, np.log(values), lower, np.log(weights))
