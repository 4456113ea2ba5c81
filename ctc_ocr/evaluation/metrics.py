"""How well readings agree with the truth. Readings and truths are strings or lists of codes or units."""

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq, Levenshtein

Text = Sequence[Hashable]
Z_95 = 1.959963984540054  # the normal distribution has 95 % within that many standard deviations


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


def edit_distances(predictions: Sequence[Text], truths: Sequence[Text]) -> NDArray[np.int64]:
    """(N,) int64: fewest units inserted, deleted and replaced that make each truth of its prediction."""
    pairs = zip(predictions, truths, strict=True)
    return np.array([Levenshtein.distance(p, t) for p, t in pairs], dtype=np.int64)


def confusions(prediction: Text, truth: Text) -> Iterator[tuple[Hashable | None, Hashable | None]]:
    """(unit of the truth, unit that was read instead) for each of the fewest edits: None in the truth for a unit that
    was read where there is none, None as the reading for one that was missed."""
    for edit in Levenshtein.editops(truth, prediction):
        yield (
            None if edit.tag == "insert" else truth[edit.src_pos],
            None if edit.tag == "delete" else prediction[edit.dest_pos],
        )


def has_repeat(text: Text) -> bool:
    """Whether two neighbours are equal, which CTC can tell apart only with a blank between them."""
    return any(a == b for a, b in pairwise(text))


def wilson_interval(successes: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927), within 0 and 1; all of it for no samples."""
    if not count:
        return 0.0, 1.0
    share, z = successes / count, Z_95
    middle = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    # Rounding must not move an end that is 0 or 1.
    return (
        (middle - half) / scale if successes > 0 else 0.0,
        (middle + half) / scale if successes < count else 1.0,
    )


@dataclass
class Tally:
    """Sums over all the samples that were added; the rates are NaN before the first sample."""

    count: int = 0
    exact: int = 0
    lcs: float = 0.0
    edits: int = 0
    length: int = 0  # units of all truths

    def add(self, predictions: Sequence[Text], truths: Sequence[Text]) -> None:
        """Count N more samples."""
        self.count += len(truths)
        self.exact += int(exact_matches(predictions, truths).sum())
        self.lcs += float(lcs_ratios(predictions, truths).sum())
        self.edits += int(edit_distances(predictions, truths).sum())
        self.length += sum(map(len, truths))

    @property
    def accuracy(self) -> float:
        """Share of samples that were read exactly, 0 to 1."""
        return self.exact / self.count if self.count else float("nan")

    @property
    def lcs_ratio(self) -> float:
        """Mean LCS ratio, 0 to 1."""
        return self.lcs / self.count if self.count else float("nan")

    @property
    def cer(self) -> float:
        """Corpus character error rate: edits a unit of the truths; above 1 where far too much is read."""
        return self.edits / self.length if self.length else float("nan")
