"""How a network's log probabilities are read: by the best path or a beam search, of all classes or some. No MXNet."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.decoding.beam_search import BeamSearch, Hypothesis
from ctc_ocr.decoding.greedy import greedy
from ctc_ocr.decoding.likelihood import Steps, label_log_probability
from ctc_ocr.decoding.mask import restrict


@dataclass(frozen=True)
class Decoder:
    """`search` None takes the best path alone; `allowed` (C,) bool are the classes that may be read, None: all. Of the
    search's words, only those made of them are left: InputError if there is none."""

    search: BeamSearch | None = None
    allowed: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.search is not None and self.search.words is not None and self.allowed is not None:
            search = replace(self.search, words=self.search.words.restricted(self.allowed))
            object.__setattr__(self, "search", search)

    def read(
        self, log_probs: NDArray[np.floating[Any]], steps: Steps | None = None, confidence: bool = True
    ) -> list[list[Hypothesis]]:
        """(T, N, C) log probabilities and true steps (N,) -> for each image its hypotheses, best first, at least one.

        exp(log_probability) is a reading's confidence. The best path has one hypothesis an image, and without
        `confidence` no log probability (NaN): it takes longer than the reading. More steps than T raise InputError.
        """
        if self.allowed is not None:
            log_probs = restrict(log_probs, self.allowed)
        if self.search is not None:
            return self.search(log_probs, steps)
        codes = greedy(log_probs, steps)
        found = label_log_probability(log_probs, codes, steps) if confidence else np.full(len(codes), np.nan)
        return [[Hypothesis(*each)] for each in zip(codes, found.tolist(), found.tolist(), strict=True)]
