"""What there is in a source of labelled images, in lines of text."""

from collections import Counter

from ctc_ocr.datasets.checking import Check

LINES, BAR = 20, 40  # lines of the histogram at the most, and characters of its longest bar


def summary_lines(checked: Check, form: str) -> list[str]:
    """Lines with the form of the labels, counts, the alphabet with its frequencies, lengths of labels and sizes of
    images."""
    summary = checked.summary()
    lines = [f"labels: from {form}"]
    lines += [f"samples: {summary['samples']} good, {summary['dropped']} dropped ({checked.invalid_fraction:.2%})"]
    if checked.samples:
        lines += [
            f"alphabet: {len(summary['alphabet'])} units, the most frequent first",
            "  " + "  ".join(f"{_shown(unit)} {count}" for unit, count in checked.frequencies().most_common()),
            "label lengths:",
            *_bars([len(sample.units) for sample in checked.samples]),
            *(f"{name}: {_spread(summary[name])}" for name in ("widths", "heights")),
            f"same pixels as an earlier image: {summary['same_pixels']}",
            f"light ink on dark paper, as it seems: {summary['light_ink']}",
        ]
    return lines


def problem_lines(checked: Check) -> list[str]:
    """Lines with every note and every sample that is dropped, with its reason."""
    lines = []
    for name, problems in (("notes", checked.notes), ("dropped", checked.dropped)):
        if problems:
            lines += [f"{name}:", *(f"  {problem}" for problem in problems)]
    return lines


def _shown(unit: str) -> str:
    return repr(unit) if len(unit) > 1 or not unit.isprintable() or unit.isspace() else unit


def _spread(percentiles: dict[str, int]) -> str:
    return ", ".join(f"{value} ({percent})" for percent, value in percentiles.items())


def _bars(lengths: list[int]) -> list[str]:
    """A histogram, a line for each length or, of many lengths, for a range of them."""
    least, step = min(lengths), 1 + (max(lengths) - min(lengths)) // LINES
    counts = Counter((length - least) // step for length in lengths)
    most = max(counts.values())
    lines = []
    for number in range(max(counts) + 1):
        first = least + number * step
        shown = str(first) if step == 1 else f"{first}-{first + step - 1}"
        lines.append(f"{shown:>9} {counts[number]:>8} {'#' * -(-BAR * counts[number] // most)}".rstrip())
    return lines
