"""Find the valid samples of a source: every image is decoded once, and what is invalid is reported with its reason."""

import itertools
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ctc_ocr.alphabet import Alphabet, required_steps
from ctc_ocr.datasets.consistency import contradiction, mixed_unicode_forms, same_images, units_that_occur_once
from ctc_ocr.datasets.samples import Problem, Sample, SourceOptions
from ctc_ocr.datasets.sources import DEFAULT_OPTIONS, open_source, samples_and_problems
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.images.digest import pixel_digest
from ctc_ocr.images.files import read_image
from ctc_ocr.images.pixels import grey, has_light_ink
from ctc_ocr.images.region import WHOLE, Region
from ctc_ocr.runtime.progress import Progress
from ctc_ocr.runtime.threads import available_cores

LONG_LABEL = "the label is too long for its image"  # beginning of the reason
StepsOf = Callable[[int, int], int]  # time steps of an image of a width and height


@dataclass(frozen=True, slots=True)
class CheckedSample:
    """A valid sample and properties of its image: size (width, height) in pixels, a digest of the pixels, and whether
    it seems to have light ink on dark paper. Size and ink are those of the part that the network is given; the digest
    is that of the whole image."""

    sample: Sample
    size: tuple[int, int]
    digest: bytes
    light_ink: bool

    @property
    def units(self) -> tuple[str, ...]:
        return self.sample.units


@dataclass(frozen=True)
class CheckResult:
    """The valid samples of a source; the invalid ones, with rows that give no sample; and notes on valid samples.

    `form` describes where the labels come from; "" if that is unknown. `num_skipped`: samples that are neither, since
    only those of an alphabet were asked for.
    """

    samples: tuple[CheckedSample, ...]
    invalid: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    form: str = ""
    num_skipped: int = 0

    def require_valid(self, source: str | Path) -> None:
        """Raises RunError if no sample of the source is valid."""
        if not self.samples:
            skipped = f"; {self.num_skipped} have units that are not in the alphabet" if self.num_skipped else ""
            first = f"; the first: {self.invalid[0]}" if self.invalid else ""
            count = len(self.invalid) + self.num_skipped
            raise RunError(f"none of its {count} samples is valid{skipped}{first}", source)

    def subset(self, indices: Iterable[int]) -> "CheckResult":
        """Some of the samples, without problems."""
        return CheckResult(tuple(self.samples[index] for index in indices), form=self.form)

    def with_samples(self, samples: Sequence[CheckedSample]) -> "CheckResult":
        """These samples, and others after them."""
        return replace(self, samples=(*self.samples, *samples))

    def fitting(self, steps_of: StepsOf) -> "CheckResult":
        """Without the samples whose labels need more time steps than a network makes, which are invalid."""
        reasons = [_steps_reason(each.units, each.size, steps_of) for each in self.samples]
        kept = tuple(each for each, reason in zip(self.samples, reasons, strict=True) if not reason)
        long = (
            Problem(each.sample.where, reason) for each, reason in zip(self.samples, reasons, strict=True) if reason
        )
        return replace(self, samples=kept, invalid=(*self.invalid, *long))

    def cropped(self, region: Region) -> "CheckResult":
        """With the sizes and the ink of these parts of the images: reads them again."""
        found = list(_examine_all([each.sample for each in self.samples], [""] * len(self.samples), None, region))
        samples = tuple(each for each in found if isinstance(each, CheckedSample))
        problems = (each for each in found if isinstance(each, Problem))
        return replace(self, samples=samples, invalid=(*self.invalid, *problems))

    @property
    def digests(self) -> list[bytes]:
        return [each.digest for each in self.samples]

    @property
    def invalid_fraction(self) -> float:
        """Fraction of all rows and files that is invalid, 0 to 1."""
        count = len(self.samples) + len(self.invalid)
        return len(self.invalid) / count if count else 0.0

    def frequencies(self) -> Counter[str]:
        """How often each unit occurs in the labels."""
        return Counter(itertools.chain.from_iterable(each.units for each in self.samples))

    def alphabet(self) -> Alphabet:
        """The units of the labels, in the order of Unicode."""
        return Alphabet.from_labels(each.units for each in self.samples)

    def duplicates(self) -> list[list[int]]:
        """Indices of samples with the same pixels, a list for each image that occurs more than once."""
        groups: dict[bytes, list[int]] = {}
        for index, each in enumerate(self.samples):
            groups.setdefault(each.digest, []).append(index)
        return [group for group in groups.values() if len(group) > 1]


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
    samples, problems, notes, forms = list[Sample](), list[Problem](), list[Problem](), list[str]()
    for source in sources:
        rows = open_source(source, options)
        found, bad = samples_and_problems(rows, source)
        samples, problems = samples + found, problems + bad
        notes, forms = [*notes, *rows.notes], [*forms, rows.form]
    result = check(
        samples, problems, alphabet=alphabet, steps_of=steps_of, region=region, max_units=max_units,
        only_alphabet=only_alphabet, progress=progress,
    )  # fmt: skip
    return replace(result, form="; ".join(forms), notes=(*notes, *result.notes))


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
    if only_alphabet:
        samples = _within(samples, known)
    reasons = [_label_reason(sample.units, known, max_units) for sample in samples]
    # A label that is invalid by itself contradicts no other.
    groups = same_images(samples, [index for index, reason in enumerate(reasons) if not reason])
    repeats: dict[int, str] = {}
    for group in groups:
        contradictions = contradiction(samples, group)
        for index, reason in contradictions.items():
            reasons[index] = reason
        if not contradictions:
            repeats |= dict.fromkeys(group[1:], f"the same as {samples[group[0]].where}")

    valid: list[CheckedSample] = []
    invalid, notes = list(problems), list[Problem]()
    for index, checked in enumerate(_examine_all(samples, reasons, steps_of, region)):
        if progress is not None:
            progress(index + 1, len(samples))
        if isinstance(checked, Problem):
            invalid.append(checked)
            continue
        valid.append(checked)
        notes += _notes(checked.sample, repeats.get(index))
    result = CheckResult(tuple(valid), tuple(invalid), num_skipped=found - len(samples))
    kept = [each.sample for each in valid]
    notes += [*_duplicates_with_other_labels(result), *mixed_unicode_forms(kept), *units_that_occur_once(kept)]
    return replace(result, notes=tuple(notes))


def _within(samples: Sequence[Sample], known: frozenset[str] | None) -> list[Sample]:
    """The samples that have known units only."""
    if known is None:
        raise InputError("needs an alphabet (--lookup or --alphabet)", "--only_alphabet")
    return [sample for sample in samples if known.issuperset(sample.units)]


def _notes(sample: Sample, repeat: str | None) -> Iterator[Problem]:
    if repeat is not None:
        yield Problem(sample.where, repeat)
    if sample.label != sample.label.strip():
        yield Problem(sample.where, f"the label {sample.label!r} starts or ends with whitespace")


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


def _steps_reason(units: Sequence[str], size: tuple[int, int], steps_of: StepsOf | None) -> str:
    """Why a label does not fit its image; "" if it does."""
    needed = required_steps(units)
    if steps_of is None or needed <= steps_of(*size):
        return ""
    blanks = needed - len(units)
    between = f" and {blanks} blanks between equal neighbours" if blanks else ""
    return (
        f"{LONG_LABEL} of {size[0]}x{size[1]}: it needs {needed} time steps "
        f"({len(units)} units{between}), and the network makes {steps_of(*size)}"
    )


def _examine_all(
    samples: Sequence[Sample], reasons: Sequence[str], steps_of: StepsOf | None, region: Region
) -> Iterator[CheckedSample | Problem]:
    """Each sample in order: a Problem with its reason if it has one already, or else what _examine gives."""

    def examined(sample: Sample, reason: str) -> CheckedSample | Problem:
        return Problem(sample.where, reason) if reason else _examine(sample, steps_of, region)

    pool = ThreadPoolExecutor(available_cores())
    with warnings.catch_warnings():  # read_image adds a filter
        try:
            yield from pool.map(examined, samples, reasons)
        finally:
            pool.shutdown(cancel_futures=True)


def _examine(sample: Sample, steps_of: StepsOf | None, region: Region) -> CheckedSample | Problem:
    try:
        image = read_image(sample.read_bytes(), sample.place, channels=3)
    except InputError as error:
        return Problem.of(error)
    seen = region.cut(image)
    height, width = seen.shape[:2]
    if reason := _steps_reason(sample.units, (width, height), steps_of):
        return Problem(sample.where, reason)
    return CheckedSample(sample, (width, height), pixel_digest(image), has_light_ink(grey(seen)))
