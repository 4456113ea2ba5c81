"""Checks of samples against each other: contradicting labels, repeated rows, Unicode forms, rare units."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from ctc_ocr.datasets.sample_columns import SampleColumns
from ctc_ocr.datasets.samples import Problem, Sample

MAX_UNITS = 10  # that a note names
MIN_ALIKE = 5  # labels, of which a note says that they are all the same


def contradiction(samples: Sequence[Sample], group: Sequence[int]) -> dict[int, str]:
    """A reason for each sample of a group of the same image, if their labels differ; empty if they are equal."""
    first = samples[group[0]]
    other = next((samples[index] for index in group if samples[index].units != first.units), None)
    if other is None:
        return {}
    reasons = {}
    for index in group:
        sample = samples[index]
        opposite = first if sample.units != first.units else other
        reasons[index] = (
            f"contradicting labels for {sample.image}: {sample.label!r} here, {opposite.label!r} in {opposite.where}"
        )
    return reasons


def mixed_unicode_forms(samples: Iterable[Sample]) -> Iterator[Problem]:
    """A note if some labels have composed accents and others decomposed ones, which look alike but are other units."""
    composed = decomposed = None
    for sample in samples:
        if not sample.label.isascii():
            form = unicodedata.normalize("NFC", sample.label)
            if form != sample.label:
                decomposed = decomposed or sample
            elif unicodedata.normalize("NFD", form) != form:
                composed = composed or sample
    if composed and decomposed:
        yield Problem(
            decomposed.where,
            f"decomposed accents in {decomposed.label!r}, composed ones in {composed.label!r} of {composed.where}: "
            "use --unicode_form NFC (or NFD) for all labels",
        )


def labels_that_are_all_alike(samples: SampleColumns) -> Iterator[Problem]:
    """A note if all labels are the same: another column has them, or the images need not be read."""
    if len(samples) < MIN_ALIKE:
        return
    first = samples[0].units
    if all(sample.units == first for sample in samples):
        label = samples[0].label
        yield Problem("", f"all {len(samples)} labels are {label!r}; are the labels in another column?")


def units_that_occur_once(samples: SampleColumns) -> Iterator[Problem]:
    """A note if units occur once in all labels: a mistake, or too rare to be learned."""
    once = {unit for unit, count in samples.frequencies().items() if count == 1}
    if not once:
        return
    where = {unit: sample.where for sample in samples for unit in sample.units if unit in once}
    shown = [f"{unit!r} ({where[unit]})" for unit in sorted(once)[:MAX_UNITS]]
    more = f" and {len(once) - MAX_UNITS} more" if len(once) > MAX_UNITS else ""
    yield Problem("", f"units that occur once in all labels: {len(once)}: {', '.join(shown)}{more}")
