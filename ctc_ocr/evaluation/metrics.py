"""How well predictions agree with their labels. Both are strings, or sequences of codes or units."""

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq, Levenshtein

Text = Sequence[Hashable]
Z_95 = 1.959963984540054  # 95 % of a normal distribution are within so many standard deviations


def exact_matches(predictions: Sequence[Text], labels: Sequence[Text]) -> NDArray[np.bool_]:
    """(N,) bool: which of N predictions equal their label."""
    return np.array([list(p) == list(label) for p, label in zip(predictions, labels, strict=True)], dtype=bool)


def lcs_ratio(prediction: Text, label: Text) -> float:
    """Length of the longest common subsequence over the length of the label, 0 to 1.

    For an empty label, 1 if the prediction is empty too, and 0 otherwise.
    """
    if not label:
        return 0.0 if prediction else 1.0
    return LCSseq.similarity(prediction, label) / len(label)


def lcs_ratios(predictions: Sequence[Text], labels: Sequence[Text]) -> NDArray[np.float64]:
    """(N,) float64: lcs_ratio of N predictions and labels."""
    return np.array([lcs_ratio(p, label) for p, label in zip(predictions, labels, strict=True)], dtype=np.float64)


def edit_distances(predictions: Sequence[Text], labels: Sequence[Text]) -> NDArray[np.int64]:
    """(N,) int64: Levenshtein distances, the minimum number of edits that turn each prediction into its label."""
    pairs = zip(predictions, labels, strict=True)
    return np.array([Levenshtein.distance(p, label) for p, label in pairs], dtype=np.int64)


def confusions(prediction: Text, label: Text) -> Iterator[tuple[Hashable | None, Hashable | None]]:
    """(unit of the label, unit predicted in its place) for each edit of a minimum: the label's unit is None for an
    insertion, the prediction's for a deletion."""
    for edit in Levenshtein.editops(label, prediction):
        yield (
            None if edit.tag == "insert" else label[edit.src_pos],
            None if edit.tag == "delete" else prediction[edit.dest_pos],
        )


def has_repeat(text: Text) -> bool:
    """Whether two neighbours are equal, which CTC can tell apart only with a blank between them."""
    return any(a == b for a, b in pairwise(text))


def wilson_interval(successes: int, count: int) -> tuple[float, float]:
    """The 95 % confidence interval of a fraction (Wilson, 1927), within 0 to 1; (0, 1) for no samples."""
    if not count:
        return 0.0, 1.0
    p, z = successes / count, Z_95
    middle = p + z * z / (2 * count)
    half = z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    # Exactly 0 and 1, whatever the rounding.
    return (
        (middle - half) / scale if successes > 0 else 0.0,
        (middle + half) / scale if successes < count else 1.0,
    )


@dataclass
class Tally:
    """Running sums over samples, and the metrics they give; metrics are NaN before the first sample."""

    count: int = 0
    correct: int = 0
    lcs: float = 0.0  # sum of the LCS ratios
    edits: int = 0
    units: int = 0  # of all labels

    def add(self, predictions: Sequence[Text], labels: Sequence[Text]) -> None:
        """Add N samples."""
        self.count += len(labels)
        self.correct += int(exact_matches(predictions, labels).sum())
        self.lcs += float(lcs_ratios(predictions, labels).sum())
        self.edits += int(edit_distances(predictions, labels).sum())
        self.units += sum(map(len, labels))

    @property
    def accuracy(self) -> float:
        """Fraction of correct samples, 0 to 1."""
        return self.correct / self.count if self.count else math.nan

    @property
    def lcs_ratio(self) -> float:
        """Mean LCS ratio, 0 to 1."""
        return self.lcs / self.count if self.count else math.nan

    @property
    def cer(self) -> float:
        """Corpus character error rate: edits per unit of the labels; above 1 if far too much is predicted."""
        return self.edits / self.units if self.units else math.nan
