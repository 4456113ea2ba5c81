"""Prefix beam search: the most probable texts, where the best path gives only the most probable alignment.

After Graves (2012, Sequence Transduction) and Hannun et al. (2014, First-Pass Large Vocabulary Continuous Speech
Recognition). A language model and a word list may take part while it searches. No MXNet.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK
from ctc_ocr.decoding.language_model import END, NO_NGRAMS, LanguageModel
from ctc_ocr.decoding.likelihood import true_steps
from ctc_ocr.decoding.word_list import ANY_WORDS, WordList
from ctc_ocr.errors import InputError

WIDEST = 4096
NONE = -1  # as in the compiled half


@dataclass(frozen=True)
class Hypothesis:
    """A possible reading. `codes` are without blanks, `log_probability` is log p(codes | image) over all alignments.

    `score` is what the hypotheses of an image are ordered by: the log probability, and what the language model adds.
    """

    codes: list[int]
    log_probability: float
    score: float


class _Tree(NamedTuple):
    """Prefixes as the compiled search keeps them, an entry a node: what is added to its score, the nodes of its parent,
    first child and next sibling (or NONE), its last unit, its length, its place in the beam (or NONE), its states."""

    extras: NDArray[np.float64]
    parents: NDArray[np.int64]
    children: NDArray[np.int64]
    siblings: NDArray[np.int64]
    units: NDArray[np.int64]
    lengths: NDArray[np.int64]
    slots: NDArray[np.int64]
    ngram_states: NDArray[np.int64]
    word_states: NDArray[np.int64]


@dataclass(frozen=True)
class BeamSearch:
    """How to search. `width` prefixes are kept a step, and the `top_k` best texts are given.

    With a language model, a text scores log p(text | image) + weight * log p(text) + bonus * its number of units: the
    bonus, on its own too, makes up for the model's liking of short texts. With words, only texts made of them are read.
    The weight is at least 0. Bad values raise InputError.
    """

    width: int = 10
    top_k: int = 1
    language_model: LanguageModel | None = None
    weight: float = 0.5
    bonus: float = 0.0
    words: WordList | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.width <= WIDEST:
            raise InputError(f"the width of a beam is 1 to {WIDEST}, not {self.width}")
        if not 1 <= self.top_k <= self.width:
            raise InputError(f"of a beam {self.width} wide, 1 to {self.width} readings can be had, not {self.top_k}")
        if not (self.weight >= 0 and math.isfinite(self.weight)):
            raise InputError(f"the weight of a language model is a number from 0, not {self.weight}")
        if not math.isfinite(self.bonus):
            raise InputError(f"the bonus of a unit is a finite number, not {self.bonus}")

    def __call__(
        self, log_probs: NDArray[np.floating[Any]], steps: Sequence[int] | NDArray[Any] | None = None
    ) -> list[list[Hypothesis]]:
        """(T, N, C) log probabilities and the true steps (N,) of each image (None: T) -> for each image at most top_k
        hypotheses, best first, and at least one: where no text is possible, the empty one with -inf.

        As long as no prefix that matters falls out of the beam, these are the best texts there are. Their log
        probabilities are exact in any case. Raises InputError for steps that are not N numbers from 0 to T.
        """
        log_probs = np.ascontiguousarray(log_probs, dtype=np.float64)
        lengths = true_steps(log_probs, steps).tolist()
        return [self._read(log_probs, image, length) for image, length in enumerate(lengths)]

    def _read(self, log_probs: NDArray[np.float64], image: int, steps: int) -> list[Hypothesis]:
        width, found = self.width, self._search(log_probs, image, steps, self.width)
        while not found and self.words and width < WIDEST:
            # Classes of probability 0 left nothing of what was in the beam: there may be words beside it.
            width = min(8 * width, WIDEST)
            found = self._search(log_probs, image, steps, width)
        if not found:
            return [Hypothesis([], -math.inf, -math.inf)]
        return sorted(found, key=lambda each: -each.score)

    def _search(self, log_probs: NDArray[np.float64], image: int, steps: int, width: int) -> list[Hypothesis]:
        """The top_k of one beam, in any order."""
        # Only now: numba's import takes a fifth of a second, which commands that read the best path need not wait.
        from ctc_ocr.decoding.beam_search_kernels import forward, search

        tree = self._tree(1 + steps * width)
        model, ngrams = self.language_model, NO_NGRAMS
        if model is not None and self.weight:
            ngrams = model.table
        weight = self.weight if ngrams is not NO_NGRAMS else 0.0
        words = ANY_WORDS if self.words is None else self.words.table
        nodes, totals = search(log_probs, image, steps, width, tree, ngrams, weight, float(self.bonus), words)
        extras = tree.extras[nodes]
        if model is not None and weight:
            extras += [weight * model.step(state, END)[0] for state in tree.ngram_states[nodes]]
        if self.words is not None:
            extras[~words.final[tree.word_states[nodes]]] = -np.inf
        scores = totals + extras
        best = np.argsort(-scores, kind="stable")[: self.top_k]
        hypotheses = []
        for index in best[np.isfinite(scores[best])]:
            codes = _codes(tree, int(nodes[index]))
            log_probability = float(forward(log_probs, image, steps, codes))
            hypotheses.append(Hypothesis(codes.tolist(), log_probability, log_probability + float(extras[index])))
        return hypotheses

    def _tree(self, size: int) -> _Tree:
        tree = _Tree(np.empty(size), *(np.empty(size, np.int64) for _ in range(8)))
        for array in (tree.parents, tree.children, tree.siblings, tree.slots):
            array[0] = NONE
        tree.units[0], tree.lengths[0], tree.word_states[0], tree.extras[0] = BLANK, 0, 0, 0.0
        tree.ngram_states[0] = self.language_model.start if self.language_model else 0
        return tree


def _codes(tree: _Tree, node: int) -> NDArray[np.int64]:
    """The units from the root to a node."""
    codes = np.empty(tree.lengths[node], np.int64)
    for place in range(len(codes) - 1, -1, -1):
        codes[place] = tree.units[node]
        node = tree.parents[node]
    return codes
