"""How well readings agree with the truth. Readings and truths are strings or lists of codes."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq

Text = Sequence[Hashable]


def exact_matches(predictions: Sequence[Text], truths: Sequence[Text]) -> NDArray[np.bool_]:
    """(N,) bool: which of N predictions equal their truth."""
    return np.array([list(p) == list(t) for p, t in zip(predictions, truths, strict=True)], dtype=bool)


def lcs_ratio(prediction: Text, truth: Text) -> float:
    """Length of the longest common subsequence over the truth's length, 0 to 1.

    An empty truth gives 1 for an empty prediction and 0 for any other.
    """
    if not truth:
        return 0.0 if prediction else 1.0
    return LCSseq.similarity(prediction, truth) / len(truth)


def lcs_ratios(predictions: Sequence[Text], truths: Sequence[Text]) -> NDArray[np.float64]:
    """(N,) float64: lcs_ratio of N predictions and truths."""
    return np.array([lcs_ratio(p, t) for p, t in zip(predictions, truths, strict=True)], dtype=np.float64)


@dataclass
class Tally:
    """Sums over all the samples that were added; the two rates are their means, NaN before the first sample."""

    count: int = 0
    exact: int = 0
    lcs: float = 0.0

    def add(self, predictions: Sequence[Text], truths: Sequence[Text]) -> None:
        """Count N more samples."""
        self.count += len(truths)
        self.exact += int(exact_matches(predictions, truths).sum())
        self.lcs += float(lcs_ratios(predictions, truths).sum())

    @property
    def accuracy(self) -> float:
        """Share of samples that were read exactly, 0 to 1."""
        return self.exact / self.count if self.count else float("nan")

    @property
    def lcs_ratio(self) -> float:
        """Mean LCS ratio, 0 to 1."""
        return self.lcs / self.count if self.count else float("nan")
