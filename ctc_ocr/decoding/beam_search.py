"""Prefix beam search: the most probable texts, where the best path gives only the most probable alignment.

After Graves (2012, Sequence Transduction) and Hannun et al. (2014, First-Pass Large Vocabulary Continuous Speech
Recognition), with an optional language model (shallow fusion) and an optional word list.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.decoding.hypothesis import Hypothesis
from ctc_ocr.decoding.language_model import END, NO_NGRAMS, LanguageModel
from ctc_ocr.decoding.likelihood import Steps, steps_per_image
from ctc_ocr.decoding.prefix_tree import PrefixTree
from ctc_ocr.decoding.word_list import ANY_WORDS, WordList
from ctc_ocr.errors import InputError
from ctc_ocr.lengths import Lengths

MAX_WIDTH = 4096


@dataclass(frozen=True)
class BeamSearch:
    """Keeps `width` prefixes at each time step (1 to 4096) and gives the `top_k` best texts (1 to `width`).

    The score of a text is log p(text | image) + lm_weight * log p(text) + length_bonus * units of the text + the log
    prior of its length. The length bonus balances the language model's preference for short texts. With `words`, only
    texts made of them are found.
    Raises InputError for values out of range; `lm_weight` is at least 0.
    """

    width: int = 10
    top_k: int = 1
    language_model: LanguageModel | None = None
    lm_weight: float = 0.5
    length_bonus: float = 0.0
    words: WordList | None = None
    lengths: Lengths | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MAX_WIDTH:
            raise InputError(f"expected 1 to {MAX_WIDTH}, got {self.width}", "beam width")
        if not 1 <= self.top_k <= self.width:
            raise InputError(f"expected 1 to {self.width}, the beam width; got {self.top_k}", "top_k")
        if not (self.lm_weight >= 0 and math.isfinite(self.lm_weight)):
            raise InputError(f"expected a finite number, at least 0; got {self.lm_weight}", "lm_weight")
        if not math.isfinite(self.length_bonus):
            raise InputError(f"expected a finite number, got {self.length_bonus}", "length_bonus")

    def decode(self, log_probs: NDArray[np.floating[Any]], steps: Steps | None = None) -> list[list[Hypothesis]]:
        """(T, N, C) log probabilities and the time steps (N,) of each image (None: T) -> for each image up to `top_k`
        hypotheses, best first. Where no text is possible, it is one without codes, of log probability -inf.

        The log probabilities are exact. The texts are the best ones unless a prefix of theirs falls out of the beam.
        Raises InputError for steps that are not N numbers from 0 to T.
        """
        log_probs = np.ascontiguousarray(log_probs, dtype=np.float64)
        lengths = steps_per_image(log_probs, steps).tolist()
        return [self._decode(log_probs, image, length) for image, length in enumerate(lengths)]

    def _decode(self, log_probs: NDArray[np.float64], image: int, steps: int) -> list[Hypothesis]:
        width, found = self.width, self._search(log_probs, image, steps, self.width)
        while not found and self.words and width < MAX_WIDTH:
            # All prefixes in the beam met a class of probability 0. A wider beam may hold other words.
            width = min(8 * width, MAX_WIDTH)
            found = self._search(log_probs, image, steps, width)
        if not found:
            return [Hypothesis([], -math.inf, -math.inf)]
        return sorted(found, key=lambda hypothesis: -hypothesis.score)

    def _search(self, log_probs: NDArray[np.float64], image: int, steps: int, width: int) -> list[Hypothesis]:
        """The `top_k` possible texts of one beam, in any order."""
        # Imported only here: numba takes a fifth of a second, which greedy decoding does not need.
        from ctc_ocr.decoding.beam_search_kernels import forward, search

        model = self.language_model
        ngrams, start = (NO_NGRAMS, 0) if model is None else (model.table, model.start)
        lm_weight = 0.0 if model is None else float(self.lm_weight)
        words = ANY_WORDS if self.words is None else self.words.table
        tree = PrefixTree.with_root(1 + steps * width, start)
        nodes, prefix_log_probs = search(
            log_probs, image, steps, width, tree, ngrams, lm_weight, float(self.length_bonus), words
        )
        fusion_scores = self._final_fusion_scores(tree, nodes)
        scores = prefix_log_probs + fusion_scores
        best = np.argsort(-scores, kind="stable")[: self.top_k]
        hypotheses = []
        for index in best[np.isfinite(scores[best])]:
            codes = tree.prefix(int(nodes[index]))
            # The beam's own sum lacks the alignments through prefixes that fell out of it.
            log_probability = float(forward(log_probs, image, steps, codes))
            score = log_probability + float(fusion_scores[index])
            hypotheses.append(Hypothesis(codes.tolist(), log_probability, score))
        return hypotheses

    def _final_fusion_scores(self, tree: PrefixTree, nodes: NDArray[np.int64]) -> NDArray[np.float64]:
        """(K,): what is added to the scores of K whole texts: with the end of the line and the prior of their
        lengths, -inf for an unfinished word."""
        scores = tree.fusion_scores[nodes]
        if self.language_model is not None and self.lm_weight:
            scores += [self.lm_weight * self.language_model.step(state, END)[0] for state in tree.ngram_states[nodes]]
        if self.words is not None:
            scores[~self.words.table.final[tree.word_states[nodes]]] = -np.inf
        if self.lengths is not None:
            scores += [self.lengths.log_prior(len(tree.prefix(int(node)))) for node in nodes]
        return scores
