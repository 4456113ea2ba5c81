"""What a source of labelled images contains: as numbers, and as lines of text."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ctc_ocr.datasets.checking import CheckResult
from ctc_ocr.datasets.columns import Array
from ctc_ocr.errors import printable

PERCENTILES = (0, 5, 50, 95, 100)
MAX_LINES, MAX_BAR = 20, 40  # lines of the histogram, and characters of its longest bar


def summary(result: CheckResult) -> dict[str, Any]:
    """Counts, alphabet, lengths and sizes, ready for JSON."""
    lengths = Counter(_lengths(result))
    return {
        "samples": len(result.samples),
        "invalid": len(result.invalid),
        "invalid_fraction": round(result.invalid_fraction, 6),
        "skipped": result.num_skipped,
        "alphabet": dict(sorted(result.frequencies().items())),
        "label_lengths": dict(sorted(lengths.items())),
        "widths": _percentiles(result.samples.sizes[:, 0]),
        "heights": _percentiles(result.samples.sizes[:, 1]),
        "duplicates": sum(len(group) - 1 for group in result.duplicates()),
        "light_ink": int(result.samples.light_ink.sum()),
    }


def report(result: CheckResult) -> dict[str, Any]:
    """The summary, with the form of the labels and every invalid sample and note, ready for JSON."""
    problems = {"invalid_samples": result.invalid, "notes": result.notes}
    lists = {name: [{"where": each.where, "reason": each.reason} for each in problems[name]] for name in problems}
    return {"labels": result.form, **summary(result), **lists}


def summary_lines(result: CheckResult) -> list[str]:
    """The summary as text."""
    numbers = summary(result)
    lines = [f"labels: from {printable(result.form)}"]
    lines += [f"samples: {numbers['samples']} valid, {numbers['invalid']} invalid ({result.invalid_fraction:.2%})"]
    if result.num_skipped:
        lines += [f"skipped: {result.num_skipped} samples with units that are not in the alphabet"]
    if result.samples:
        lines += [
            f"alphabet: {len(numbers['alphabet'])} units, the most frequent first",
            "  " + "  ".join(f"{_shown(unit)} {count}" for unit, count in result.frequencies().most_common()),
            "label lengths:",
            *_histogram(_lengths(result)),
            *(f"{name}: {_shown_percentiles(numbers[name])}" for name in ("widths", "heights")),
            f"duplicates of an earlier image: {numbers['duplicates']}",
            f"images that seem to have light ink on dark paper: {numbers['light_ink']}",
        ]
    return lines


def problem_lines(result: CheckResult) -> list[str]:
    """All notes and invalid samples as text."""
    lines = []
    for name, problems in (("notes", result.notes), ("invalid", result.invalid)):
        if problems:
            lines += [f"{name}:", *(f"  {problem}" for problem in problems)]
    return lines


def _lengths(result: CheckResult) -> list[int]:
    """Of the labels, in units."""
    lengths: list[int] = result.samples.samples.labels.lengths.tolist()
    return lengths


def _percentiles(values: Array) -> dict[str, int]:
    """{"0%": minimum, ...}, each a value that occurs; empty without values."""
    if not len(values):
        return {}
    found = np.percentile(values, PERCENTILES, method="nearest")
    return {f"{percent}%": int(value) for percent, value in zip(PERCENTILES, found, strict=True)}


def _shown(unit: str) -> str:
    return repr(unit) if len(unit) > 1 or not unit.isprintable() or unit.isspace() else unit


def _shown_percentiles(percentiles: dict[str, int]) -> str:
    return ", ".join(f"{value} ({percent})" for percent, value in percentiles.items())


def _histogram(lengths: Sequence[int]) -> list[str]:
    """A line per length or, if there are many lengths, per range of them."""
    minimum, step = min(lengths), 1 + (max(lengths) - min(lengths)) // MAX_LINES
    counts = Counter((length - minimum) // step for length in lengths)
    maximum = max(counts.values())
    lines = []
    for number in range(max(counts) + 1):
        first = minimum + number * step
        shown = str(first) if step == 1 else f"{first}-{first + step - 1}"
        lines.append(f"{shown:>9} {counts[number]:>8} {'#' * -(-MAX_BAR * counts[number] // maximum)}".rstrip())
    return lines
