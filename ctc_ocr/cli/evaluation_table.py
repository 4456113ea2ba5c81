"""An evaluation's report as short tables of aligned text."""

import math
from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from ctc_ocr.evaluation.report import Report

COVERAGES = (1.0, 0.99, 0.98, 0.95, 0.9, 0.8, 0.5)
LENGTHS, CONFUSIONS, UNITS = 12, 12, 10  # rows at the most


def table(report: Report) -> str:
    """The whole report, without a line end at its end."""
    parts = [_overall(report), _by_length(report["by_length"])]
    if report["confusions"]:
        parts.append(_confusions(report))
    parts.append(_coverage(report))
    return "\n\n".join(parts)


def _overall(report: Report) -> str:
    kinds = ", ".join(f"{report[kind]} {kind}" for kind in ("replaced", "missed", "inserted"))
    edits = f"{report['edits']} edits of {report['units']} units: {kinds}"
    rows = [
        ["read exactly", _share(report["accuracy"]), _counted(report)],
        ["character error rate", _share(report["cer"]), edits],
        ["LCS ratio", _share(report["lcs_ratio"]), ""],
        ["calibration error", _share(report["calibration_error"]), ""],
    ]
    if report["with_repeats"]["samples"]:
        rows.append(["with repeats", _share(report["with_repeats"]["accuracy"]), _counted(report["with_repeats"])])
    outside = report["outside_alphabet"]
    if outside["samples"]:
        units = ", ".join(f"{unit!r} {count}" for unit, count in list(outside["units"].items())[:UNITS])
        rows.append(["outside the alphabet", "", f"{outside['samples']} images, so wrong: {units}"])
    return _aligned(rows, "<><")


def _counted(share: Report) -> str:
    low, high = share["interval"]
    return f"{share['right']} of {share['samples']}, 95 % interval {low:.4f} to {high:.4f}"


def _by_length(lengths: list[Report]) -> str:
    """A row a length, or where there are many, a row for some neighbouring ones."""
    size = -(-len(lengths) // LENGTHS)
    rows = [["length", "images", "right", "accuracy"]]
    for start in range(0, len(lengths), max(size, 1)):
        merged = lengths[start : start + size]
        samples, right = (sum(each[name] for each in merged) for name in ("samples", "right"))
        first, last = merged[0]["length"], merged[-1]["length"]
        named = str(first) if first == last else f"{first} to {last}"
        rows.append([named, str(samples), str(right), _share(right / samples)])
    return _aligned(rows, ">>>>")


def _confusions(report: Report) -> str:
    rows = [["true", "read", "times"]]
    for each in report["confusions"][:CONFUSIONS]:
        shown = ["-" if each[name] is None else repr(each[name]) for name in ("truth", "read")]
        rows.append([*shown, str(each["count"])])
    return _aligned(rows, "<<>")


def _coverage(report: Report) -> str:
    """What is left, and how much of it is right, where readings below a confidence are refused."""
    rows, shown = [["confidence", "answered", "right of these"]], []
    for coverage in COVERAGES:
        row = [each for each in report["coverage"] if each["coverage"] >= coverage][-1:]
        shown += [each for each in row if each not in shown]
    asked = report["min_confidence"]
    if asked["threshold"] > 0:
        shown.append(asked)
    for each in shown:
        rows.append([_rounded_down(each["threshold"]), *(_share(each[name]) for name in ("coverage", "accuracy"))])
    return _aligned(rows, ">>>")


def _rounded_down(threshold: float) -> str:
    """A number that, given to --min_confidence, refuses nothing more."""
    nearer_end = min(threshold, 1 - threshold)
    digits = 3 - math.floor(math.log10(nearer_end)) if nearer_end > 0 else 0  # four that count: near 1, after its nines
    rounded = Decimal(repr(threshold)).quantize(Decimal(1).scaleb(-digits), ROUND_FLOOR)
    return f"{rounded.normalize():f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _aligned(rows: Sequence[Sequence[Any]], sides: str) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(sides))]
    formats = [f"{{:{side}{width}}}" for side, width in zip(sides, widths, strict=True)]
    return "\n".join("  ".join(formats).format(*row).rstrip() for row in rows)
