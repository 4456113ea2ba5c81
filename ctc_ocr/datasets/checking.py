"""Find the valid samples of a source: every image is decoded once, and what is invalid is reported with its reason."""

import itertools
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.datasets.checked_samples import CheckedSample as CheckedSample
from ctc_ocr.datasets.checked_samples import CheckedSamples as CheckedSamples
from ctc_ocr.datasets.consistency import (
    contradiction,
    labels_that_are_all_alike,
    mixed_unicode_forms,
    units_that_occur_once,
)
from ctc_ocr.datasets.digests import Digests
from ctc_ocr.datasets.examining import LONG_LABEL as LONG_LABEL
from ctc_ocr.datasets.examining import StepsOf as StepsOf
from ctc_ocr.datasets.examining import examine_all, steps_reason
from ctc_ocr.datasets.rewritten_labels import rewritten_labels
from ctc_ocr.datasets.sample_columns import SampleCollector, SampleColumns
from ctc_ocr.datasets.samples import Problem, Sample, SourceOptions
from ctc_ocr.datasets.sources import DEFAULT_OPTIONS, not_empty, open_source
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.images.region import WHOLE, Region
from ctc_ocr.runtime.progress import Progress

# What nobody can read: the smallest fonts are five pixels high, and a stroke needs a gap to the next one.
MIN_SIDE, PIXELS_PER_UNIT = 5, 2


@dataclass(frozen=True)
class CheckResult:
    """The valid samples of a source; the invalid ones, with rows that give no sample; and notes on valid samples.

    `form` describes where the labels come from; "" if that is unknown. `num_skipped`: samples that are neither, since
    only those of an alphabet were asked for. `source`: what messages call it; "" if that is unknown.
    """

    samples: CheckedSamples
    invalid: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    form: str = ""
    num_skipped: int = 0
    source: str = ""

    def require_valid(self, source: str | Path) -> None:
        """Raises RunError if no sample of the source is valid."""
        if not self.samples:
            skipped = f"; {self.num_skipped} have units that are not in the alphabet" if self.num_skipped else ""
            first = f"; the first: {self.invalid[0]}" if self.invalid else ""
            count = len(self.invalid) + self.num_skipped
            raise RunError(f"none of its {count} samples is valid{skipped}{first}", source)

    def subset(self, indices: Iterable[int]) -> "CheckResult":
        """Some of the samples, without problems."""
        return CheckResult(self.samples.take(indices), form=self.form)

    def with_samples(self, samples: Sequence[CheckedSample]) -> "CheckResult":
        """These samples, and others after them."""
        return replace(self, samples=CheckedSamples.of(itertools.chain(self.samples, samples)))

    def fitting(self, steps_of: StepsOf) -> "CheckResult":
        """Without the samples whose labels need more time steps than a network makes. These are invalid for no other
        reason, so they come before those that no settings could help."""
        reasons = {
            index: reason
            for index, each in enumerate(self.samples)
            if (reason := steps_reason(each.units, each.size, steps_of))
        }
        if not reasons:
            return self
        kept = self.samples.take(index for index in range(len(self.samples)) if index not in reasons)
        long = (Problem(self.samples[index].sample.where, reason) for index, reason in reasons.items())
        return replace(self, samples=kept, invalid=(*long, *self.invalid))

    def cropped(self, region: Region) -> "CheckResult":
        """With the sizes and the ink of these parts of the images: reads them again."""
        problems = list[Problem]()
        examined = examine_all(self.samples.samples, {}, None, region)
        samples = CheckedSamples.of(_valid(examined, problems.append))
        return replace(self, samples=samples, invalid=(*self.invalid, *problems))

    @property
    def digests(self) -> Digests:
        return self.samples.digests

    @property
    def invalid_fraction(self) -> float:
        """Fraction of all rows and files that is invalid, 0 to 1."""
        count = len(self.samples) + len(self.invalid)
        return len(self.invalid) / count if count else 0.0

    def frequencies(self) -> Counter[str]:
        """How often each unit occurs in the labels."""
        return self.samples.samples.frequencies()

    def alphabet(self) -> Alphabet:
        """The units of the labels, in the order of Unicode."""
        return Alphabet.from_labels([tuple(self.frequencies())])

    def duplicates(self) -> list[list[int]]:
        """Indices of samples with the same pixels, a list for each image that occurs more than once."""
        return self.digests.groups()


def check_sources(
    sources: Sequence[str | Path],
    options: SourceOptions = DEFAULT_OPTIONS,
    *,
    alphabet: Alphabet | None = None,
    steps_of: StepsOf | None = None,
    region: Region = WHOLE,
    max_units: int = 0,
    only_alphabet: bool = False,
    progress: Progress | None = None,
) -> CheckResult:
    """Open sources and check their samples together; see `check`. Raises InputError for one that cannot be read."""
    samples, problems, notes = SampleCollector(), list[Problem](), list[Problem]()
    forms, names = list[str](), list[str]()
    for source in sources:
        rows = open_source(source, options)
        for row in not_empty(rows, source):
            if isinstance(row, Sample):
                samples.add(row)
            else:
                problems.append(row)
        notes += rows.notes
        forms.append(rows.form)
        names.append(rows.name or str(source))
    result = check(
        samples.columns(), problems, alphabet=alphabet, steps_of=steps_of, region=region, max_units=max_units,
        only_alphabet=only_alphabet, progress=progress,
    )  # fmt: skip
    return replace(result, form="; ".join(forms), notes=(*notes, *result.notes), source=", ".join(names))


def check_source(source: str | Path, options: SourceOptions = DEFAULT_OPTIONS, **others: Any) -> CheckResult:
    """`check_sources` for one."""
    return check_sources([source], options, **others)


def check(
    samples: Sequence[Sample],
    problems: Sequence[Problem] = (),
    *,
    alphabet: Alphabet | None = None,
    steps_of: StepsOf | None = None,
    region: Region = WHOLE,
    max_units: int = 0,
    only_alphabet: bool = False,
    progress: Progress | None = None,
) -> CheckResult:
    """Decode the image of every sample and check its label. `problems` are added to the invalid samples.

    alphabet: the units that are known (None: any). steps_of: time steps that a network makes of an image of a width and
    height (None: any number). region: the part of the images that it is given. max_units: longest
    label, 0 for any. only_alphabet: samples with other units than the alphabet's are skipped and counted, and are not
    invalid. progress: called with the number of samples that are checked, and of all. Images are decoded by as many
    threads as there are cores. Raises InputError for only_alphabet without an alphabet.
    """
    known = frozenset(alphabet.units) if alphabet else None
    found = len(samples)
    samples = SampleColumns.of(samples)
    if only_alphabet:
        samples = _within(samples, known)
    reasons, repeats = _checked_labels(samples, known, max_units)
    invalid, notes = list(problems), list[Problem]()

    def examined() -> Iterator[CheckedSample | Problem]:
        for index, checked in enumerate(examine_all(samples, reasons, steps_of, region)):
            if progress is not None:
                progress(index + 1, len(samples))
            if isinstance(checked, CheckedSample):
                notes.extend(_notes(checked, repeats.get(index)))
            yield checked

    valid = CheckedSamples.of(_valid(examined(), invalid.append))
    result = CheckResult(valid, tuple(invalid), num_skipped=found - len(samples))
    kept = valid.samples
    notes += [*_duplicates_with_other_labels(result), *mixed_unicode_forms(kept), *units_that_occur_once(kept)]
    notes += [*labels_that_are_all_alike(kept), *rewritten_labels(kept)]
    return replace(result, notes=tuple(notes))


def _checked_labels(
    samples: SampleColumns, known: frozenset[str] | None, max_units: int
) -> tuple[dict[int, str], dict[int, str]]:
    """By the index of a sample: why its label is invalid, and of which sample, with the same label, it is a repeat."""
    places = range(len(samples))
    reasons = {
        index: reason for index in places if (reason := _label_reason(samples.units_of(index), known, max_units))
    }
    # A label that is invalid by itself contradicts no other.
    groups = samples.same_images(index for index in places if index not in reasons)
    repeats: dict[int, str] = {}
    for group in groups:
        contradictions = contradiction(samples, group)
        reasons |= contradictions
        if not contradictions:
            repeats |= dict.fromkeys(group[1:], f"the same as {samples[group[0]].where}")
    return reasons, repeats


def _valid(
    examined: Iterable[CheckedSample | Problem], invalid: Callable[[Problem], object]
) -> Iterator[CheckedSample]:
    """The samples; `invalid` is called with the problems."""
    for each in examined:
        if isinstance(each, CheckedSample):
            yield each
        else:
            invalid(each)


def _within(samples: SampleColumns, known: frozenset[str] | None) -> SampleColumns:
    """The samples that have known units only."""
    if known is None:
        raise InputError("needs an alphabet (--lookup or --alphabet)", "--only_alphabet")
    return samples.take(index for index in range(len(samples)) if known.issuperset(samples.units_of(index)))


def _notes(checked: CheckedSample, repeat: str | None) -> Iterator[Problem]:
    sample, (width, height) = checked.sample, checked.size
    if repeat is not None:
        yield Problem(sample.where, repeat)
    if sample.label != sample.label.strip():
        yield Problem(sample.where, f"the label {sample.label!r} starts or ends with whitespace")
    if min(width, height) < MIN_SIDE or max(width, height) < PIXELS_PER_UNIT * len(sample.units) - 1:
        yield Problem(sample.where, f"{width}x{height} pixels are too few: nobody can read {sample.label!r} in them")


def _duplicates_with_other_labels(result: CheckResult) -> Iterator[Problem]:
    for group in result.duplicates():
        first, *others = (result.samples[index].sample for index in group)
        for other in others:
            if other.units != first.units:
                yield Problem(
                    other.where,
                    f"the label is {other.label!r}, but {first.where} has the same pixels and the label "
                    f"{first.label!r}",
                )


def _label_reason(units: Sequence[str], known: frozenset[str] | None, max_units: int) -> str:
    """Why a label is invalid, whatever its image; "" if it is valid."""
    if not units:
        return "the label is empty"
    controls = sorted({char for unit in units for char in unit if unicodedata.category(char) == "Cc"})
    if controls:
        return f"control characters in the label: {', '.join(f'U+{ord(char):04X}' for char in controls)}"
    unknown = sorted(set(units) - known) if known is not None else []
    if unknown:
        return f"not in the alphabet: {', '.join(map(repr, unknown))}"
    if 0 < max_units < len(units):
        return f"the label has {len(units)} units; the maximum is {max_units}"
    return ""
