"""Evaluation of predictions whose labels are known, in memory that does not grow with their number."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctc_ocr.alphabet import Alphabet, UnitSplitter
from ctc_ocr.errors import KINDS, InputError
from ctc_ocr.evaluation.calibration import MAX_LOG_ODDS, ReliabilityBins, log_odds, sigmoid
from ctc_ocr.evaluation.classes import ClassTally
from ctc_ocr.evaluation.metrics import Tally, confusions, exact_matches, has_repeat
from ctc_ocr.evaluation.result import (
    Accuracy,
    Confusion,
    CoveragePoint,
    EvaluationResult,
    LengthAccuracy,
    OutsideAlphabet,
    ThresholdAccuracy,
)

THRESHOLDS = 1000  # of confidence, even in the log odds: as close together near 1 as near 0
MOST_FREQUENT = 50


class CoverageCurve:
    """Accuracy by coverage: counts of correct and incorrect predictions by confidence."""

    def __init__(self) -> None:
        self._counts = np.zeros((2, THRESHOLDS), dtype=np.int64)  # incorrect, correct

    def add(self, confidences: ArrayLike, correct: ArrayLike) -> None:
        """N more predictions: confidences (N,), and whether each is correct (N,)."""
        scaled = (log_odds(confidences) / MAX_LOG_ODDS + 1) / 2 * THRESHOLDS
        bins = np.minimum(scaled, THRESHOLDS - 1).astype(np.intp)
        np.add.at(self._counts, (np.asarray(correct, dtype=np.intp), bins), 1)

    def points(self) -> tuple[CoveragePoint, ...]:
        """A point for each threshold that makes a difference, from 0 (no prediction is rejected) upwards."""
        kept = self._counts[:, ::-1].cumsum(axis=1)[:, ::-1]  # at a threshold's confidence and above
        total = kept[:, 0].sum()
        points: list[CoveragePoint] = []
        for bin_ in np.flatnonzero(self._counts.sum(axis=0)):
            incorrect, correct = kept[:, bin_].tolist()
            threshold = float(sigmoid((2 * bin_ / THRESHOLDS - 1) * MAX_LOG_ODDS)) if points else 0.0
            left = incorrect + correct
            points.append(CoveragePoint(threshold, left / total, correct / left))
        return tuple(points)


class Evaluator:
    """Takes predictions and their labels in parts, and gives the result at any time.

    `min_confidence` rejects nothing: the result says what rejecting predictions below it would do.
    """

    def __init__(self, alphabet: Alphabet, min_confidence: float = 0.0) -> None:
        self._alphabet = alphabet
        self._known = frozenset(alphabet.units)
        self._has_long_units = any(len(unit) > 1 for unit in alphabet.units)
        self._splitter = UnitSplitter(alphabet)
        if not isinstance(min_confidence, KINDS["a number"]) or not 0 <= min_confidence <= 1:
            raise InputError(f"expected a number from 0 to 1, got {min_confidence!r}", "min_confidence")
        self._min_confidence = min_confidence
        self._all, self._confident = Tally(), Tally()
        self._lengths: Counter[tuple[int, bool]] = Counter()  # (length, whether correct)
        self._repeats: Counter[bool] = Counter()  # of labels with repeats: whether correct
        self._confusions: Counter[tuple[Any, Any]] = Counter()
        self._outside_samples = 0
        self._outside_units: Counter[str] = Counter()
        self._reliability, self._curve = ReliabilityBins(), CoverageCurve()
        self._classes = ClassTally()

    def add(
        self,
        predictions: Sequence[Sequence[int]],
        confidences: Sequence[float],
        labels: Sequence[Sequence[str]],
        others: Sequence[Sequence[str]] | None = None,
    ) -> list[int]:
        """N more samples: the codes predicted, their confidences (0 to 1), and the labels as units. Returns the edits
        (N,) between them. `others`: of predictions of one unit, what else it may be, most probable first.

        The texts are compared, and for that split into the longest units of the alphabet that match: a label from plain
        text has characters where the alphabet may have longer units.
        """
        predicted = [self._units(self._alphabet.decode(codes)) for codes in predictions]
        expected = [self._units("".join(label)) for label in labels]
        correct = exact_matches(predicted, expected)
        self._all.add(predicted, expected)
        confident = [index for index, each in enumerate(confidences) if each >= self._min_confidence]
        self._confident.add([predicted[index] for index in confident], [expected[index] for index in confident])
        self._reliability.add(confidences, correct)
        self._curve.add(confidences, correct)
        following = list(others) if others is not None else [()] * len(predicted)
        # Several codes may be one longer unit of the alphabet; the alternatives are those of the first of them.
        following = [more if len(codes) == 1 else () for codes, more in zip(predictions, following, strict=True)]
        ranked = [(*units, *more) if len(units) == 1 else () for units, more in zip(predicted, following, strict=True)]
        self._classes.add(expected, ranked)
        return [
            self._add_details(prediction, label, is_correct)
            for prediction, label, is_correct in zip(predicted, expected, correct.tolist(), strict=True)
        ]

    def _units(self, text: str) -> list[str]:
        """The units of a text; a character that is in none is a unit of its own."""
        return self._splitter.pieces(text) if self._has_long_units else list(text)

    def _add_details(self, prediction: list[str], label: list[str], is_correct: bool) -> int:
        """Returns the number of edits."""
        self._lengths[len(label), is_correct] += 1
        if has_repeat(label):
            self._repeats[is_correct] += 1
        edits = [] if is_correct else list(confusions(prediction, label))
        if not is_correct:
            self._confusions.update(edits)
            if outside := [unit for unit in label if unit not in self._known]:
                self._outside_samples += 1
                self._outside_units.update(outside)
        return len(edits)

    def result(self) -> EvaluationResult:
        """The figures for all samples added so far."""
        kinds = Counter[str]()
        for (label, predicted), count in self._confusions.items():
            kinds["insertion" if label is None else "deletion" if predicted is None else "substitution"] += count
        return EvaluationResult(
            self._all.count,
            self._all.correct,
            cer=_none_if_nan(self._all.cer),
            lcs_ratio=_none_if_nan(self._all.lcs_ratio),
            units=self._all.units,
            edits=self._all.edits,
            substitutions=kinds["substitution"],
            deletions=kinds["deletion"],
            insertions=kinds["insertion"],
            by_length=self._by_length(),
            with_repeats=Accuracy(self._repeats.total(), self._repeats[True]),
            confusions=tuple(Confusion(*pair, n) for pair, n in self._confusions.most_common(MOST_FREQUENT)),
            outside_alphabet=OutsideAlphabet(
                self._outside_samples, dict(self._outside_units.most_common(MOST_FREQUENT))
            ),
            expected_calibration_error=_none_if_nan(self._reliability.error),
            coverage=self._curve.points(),
            min_confidence=self._at_min_confidence(),
            classes=self._classes.figures(),
        )

    def _by_length(self) -> tuple[LengthAccuracy, ...]:
        rows = []
        for length in sorted({length for length, _ in self._lengths}):
            correct = self._lengths[length, True]
            rows.append(LengthAccuracy(correct + self._lengths[length, False], correct, length))
        return tuple(rows)

    def _at_min_confidence(self) -> ThresholdAccuracy:
        confident = self._confident
        return ThresholdAccuracy(
            confident.count,
            confident.correct,
            threshold=self._min_confidence,
            coverage=confident.count / self._all.count if self._all.count else None,
            cer=_none_if_nan(confident.cer),
        )


def _none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else value
