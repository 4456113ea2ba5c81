"""The result of an evaluation as short tables of aligned text."""

import math
from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

from ctc_ocr.evaluation.classes import ClassFigures
from ctc_ocr.evaluation.result import (
    Accuracy,
    Confusion,
    CoveragePoint,
    EvaluationResult,
    LengthAccuracy,
    ThresholdAccuracy,
)

COVERAGES = (1.0, 0.99, 0.98, 0.95, 0.9, 0.8, 0.5)
MAX_LENGTHS, MAX_CONFUSIONS, MAX_UNITS = 12, 12, 10


def table(result: EvaluationResult) -> str:
    """The result, without a newline at the end."""
    parts = [_summary(result), _by_length(result.by_length)]
    if result.confusions:
        parts.append(_confusions(result.confusions))
    parts.append(_coverage(result.coverage, result.min_confidence))
    return "\n\n".join(parts)


def _summary(result: EvaluationResult) -> str:
    kinds = f"substitutions {result.substitutions}, deletions {result.deletions}, insertions {result.insertions}"
    rows = [
        ["accuracy", _fraction(result.accuracy), _counts(result)],
        ["character error rate", _fraction(result.cer), f"{result.edits} edits in {result.units} units: {kinds}"],
        ["LCS ratio", _fraction(result.lcs_ratio), ""],
        ["expected calibration error", _fraction(result.expected_calibration_error), ""],
    ]
    if result.classes:
        rows[1:3] = _classes(result.classes)  # the CER is 1 - accuracy for single characters
    if result.with_repeats.samples:
        rows.append(["accuracy with repeats", _fraction(result.with_repeats.accuracy), _counts(result.with_repeats)])
    outside = result.outside_alphabet
    if outside.samples:
        units = ", ".join(f"{unit!r} {count}" for unit, count in list(outside.units.items())[:MAX_UNITS])
        rows.append(["outside the alphabet", "", f"{outside.samples} labels, never correct: {units}"])
    return aligned(rows, "<><")


def _classes(figures: ClassFigures) -> list[list[str]]:
    """Of single characters."""
    majority = f"if all were read as {figures.majority_label!r}, the most frequent of {figures.classes} characters"
    return [
        ["balanced accuracy", _fraction(figures.balanced_accuracy), "mean of the characters' own accuracies"],
        ["among the five likeliest", _fraction(figures.top_5.accuracy), _counts(figures.top_5)],
        ["majority baseline", _fraction(figures.majority.accuracy), majority],
    ]


def _counts(accuracy: Accuracy) -> str:
    low, high = accuracy.confidence_interval
    return f"{accuracy.correct} of {accuracy.samples}, 95 % confidence interval {low:.4f} to {high:.4f}"


def _by_length(lengths: Sequence[LengthAccuracy]) -> str:
    """A row for each length of labels, or for a range of lengths if there are many."""
    rows = [["length", "images", "correct", "accuracy"]]
    size = -(-len(lengths) // MAX_LENGTHS)
    for start in range(0, len(lengths), max(size, 1)):
        part = lengths[start : start + size]
        samples, correct = sum(each.samples for each in part), sum(each.correct for each in part)
        first, last = part[0].length, part[-1].length
        name = str(first) if first == last else f"{first} to {last}"
        rows.append([name, str(samples), str(correct), _fraction(correct / samples)])
    return aligned(rows, ">>>>")


def _confusions(confusions: Sequence[Confusion]) -> str:
    rows = [["label", "predicted", "count"]]
    for each in confusions[:MAX_CONFUSIONS]:
        units = ["-" if unit is None else repr(unit) for unit in (each.label, each.predicted)]
        rows.append([*units, str(each.count)])
    return aligned(rows, "<<>")


def _coverage(points: Sequence[CoveragePoint], min_confidence: ThresholdAccuracy) -> str:
    """What is left, and its accuracy, if predictions below a confidence are rejected."""
    chosen: list[CoveragePoint | ThresholdAccuracy] = []
    for coverage in COVERAGES:
        last = [point for point in points if point.coverage >= coverage][-1:]
        chosen += [point for point in last if point not in chosen]
    if min_confidence.threshold > 0:
        chosen.append(min_confidence)
    rows = [["confidence", "coverage", "accuracy"]]
    rows += [[_rounded_down(each.threshold), _fraction(each.coverage), _fraction(each.accuracy)] for each in chosen]
    return aligned(rows, ">>>")


def _rounded_down(threshold: float) -> str:
    """A short number that, given to --min_confidence, rejects no more than the threshold."""
    distance = min(threshold, 1 - threshold)
    digits = 3 - math.floor(math.log10(distance)) if distance > 0 else 0  # four significant ones: near 1, after its 9s
    rounded = Decimal(repr(threshold)).quantize(Decimal(1).scaleb(-digits), ROUND_FLOOR)
    return f"{rounded.normalize():f}"


def _fraction(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def aligned(rows: Sequence[Sequence[str]], alignments: str) -> str:
    """Lines with a column for each alignment, `<` or `>`."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(alignments))]
    formats = [f"{{:{side}{width}}}" for side, width in zip(alignments, widths, strict=True)]
    return "\n".join("  ".join(formats).format(*row).rstrip() for row in rows)
