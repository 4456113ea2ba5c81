"""Which samples can be trained on: each is opened and decoded once, and what is dropped is told with its reason."""

import itertools
import os
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from ctc_ocr.alphabet import Alphabet, required_steps
from ctc_ocr.datasets.samples import Problem, Sample
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
from ctc_ocr.images.pixels import grey, has_light_ink
from ctc_ocr.runtime.threads import available_cores

PERCENTILES = (0, 5, 50, 95, 100)
Size = tuple[int, int]
Looked = tuple[Size, bytes, bool]  # size, digest, light ink


@dataclass(frozen=True)
class Check:
    """The samples that are good; of each its size (width, height) in pixels, a digest of its pixels, and whether it
    looks like light ink on dark paper.

    `dropped` are the others, and the rows that were no samples; `notes` are about samples that were kept.
    """

    samples: list[Sample]
    sizes: list[Size]
    digests: list[bytes]
    light_ink: list[bool]
    dropped: list[Problem]
    notes: list[Problem]

    def part(self, indices: Iterable[int]) -> "Check":
        """Some of the samples, without problems."""
        samples, sizes, digests, light_ink = zip(
            *((self.samples[i], self.sizes[i], self.digests[i], self.light_ink[i]) for i in indices), strict=True
        )
        return Check(list(samples), list(sizes), list(digests), list(light_ink), [], [])

    @property
    def invalid_fraction(self) -> float:
        """Share of all rows and files that is dropped, 0 to 1."""
        count = len(self.samples) + len(self.dropped)
        return len(self.dropped) / count if count else 0.0

    def frequencies(self) -> Counter[str]:
        """How often each unit stands in the labels."""
        return Counter(itertools.chain.from_iterable(sample.units for sample in self.samples))

    def duplicates(self) -> list[list[int]]:
        """Indices of samples with the same pixels, a list for each picture that is there more than once."""
        alike: dict[bytes, list[int]] = {}
        for index, digest in enumerate(self.digests):
            alike.setdefault(digest, []).append(index)
        return [indices for indices in alike.values() if len(indices) > 1]

    def summary(self) -> dict[str, Any]:
        """Counts, alphabet, lengths and sizes, ready for JSON."""
        lengths = Counter(len(sample.units) for sample in self.samples)
        return {
            "samples": len(self.samples),
            "dropped": len(self.dropped),
            "invalid_fraction": round(self.invalid_fraction, 6),
            "alphabet": dict(sorted(self.frequencies().items())),
            "label_lengths": dict(sorted(lengths.items())),
            "widths": _percentiles([width for width, _ in self.sizes]),
            "heights": _percentiles([height for _, height in self.sizes]),
            "same_pixels": sum(len(indices) - 1 for indices in self.duplicates()),
            "light_ink": sum(self.light_ink),
        }


def check(
    samples: Sequence[Sample],
    problems: Sequence[Problem],
    *,
    alphabet: Alphabet | None = None,
    steps: Callable[[int, int], int] | None = None,
    max_units: int = 0,
    progress: Callable[[int], object] = lambda count: None,
) -> Check:
    """Look at every sample. A label may be bad in itself, or not suit what is given of the following.

    alphabet: the units that are known. steps: time steps that the network makes of an image of a width and a height.
    max_units: the longest label; 0 is any. progress: called with 1 for each sample that was looked at. Images are
    decoded by as many threads as there are cores.
    """
    kept: list[Sample] = []
    sizes: list[Size] = []
    digests: list[bytes] = []
    light_ink: list[bool] = []
    dropped = list(problems)
    notes: list[Problem] = []
    known = frozenset(alphabet.units) if alphabet else None
    reasons = [_label_reason(sample.units, known, max_units) for sample in samples]
    # A row that is bad by itself contradicts nothing.
    contradictions, repeats = _repeated_images(samples, [index for index, reason in enumerate(reasons) if not reason])
    reasons = [reason or contradictions.get(index, "") for index, reason in enumerate(reasons)]
    for index, (sample, looked) in enumerate(zip(samples, _look_at_all(samples, reasons), strict=True)):
        progress(1)
        reason = looked if isinstance(looked, str) else _steps_reason(sample.units, looked[0], steps)
        if reason or isinstance(looked, str):
            dropped.append(Problem(sample.where, reason))
            continue
        kept.append(sample)
        sizes.append(looked[0])
        digests.append(looked[1])
        light_ink.append(looked[2])
        if index in repeats:
            notes.append(Problem(sample.where, repeats[index]))
        if sample.label != sample.label.strip():
            notes.append(Problem(sample.where, f"blanks at an end of the label {sample.label!r} belong to it"))
    checked = Check(kept, sizes, digests, light_ink, dropped, notes)
    notes += _differing_twins(checked)
    notes += _mixed_forms(kept)
    return checked


def _mixed_forms(samples: Sequence[Sample]) -> Iterator[Problem]:
    """Where accents stand apart from their letters, and in other labels do not: two units for what looks the same."""
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
            f"accents stand apart from their letters in {decomposed.label!r}, and not in {composed.label!r} of "
            f"{composed.where}: --unicode_form NFC (or NFD) makes them alike",
        )


def _differing_twins(checked: Check) -> Iterator[Problem]:
    """Samples that look the same as an earlier one to the last pixel, and have another label."""
    for indices in checked.duplicates():
        first, *others = (checked.samples[index] for index in indices)
        for other in others:
            if other.units != first.units:
                reason = f"labelled {other.label!r}, and {first.where} has the same pixels and is {first.label!r}"
                yield Problem(other.where, reason)


def _repeated_images(samples: Sequence[Sample], numbers: Iterable[int]) -> tuple[dict[int, str], dict[int, str]]:
    """Of the samples of these numbers, by number: why those of one image with several labels are dropped; which are
    there twice."""
    rows: dict[tuple[str, int | None], list[int]] = {}
    for index in numbers:
        sample = samples[index]
        rows.setdefault((os.path.normpath(Path(sample.image).absolute()), sample.record), []).append(index)
    contradictions, repeats = {}, {}
    for indices in rows.values():
        first = samples[indices[0]]
        different = next((samples[each] for each in indices if samples[each].units != first.units), None)
        for index in indices if different else indices[1:]:
            sample = samples[index]
            if different is None:
                repeats[index] = f"the same as {first.where}"
            else:
                other = first if sample.units != first.units else different
                contradictions[index] = (
                    f"contradicting labels for {sample.image}: {sample.label!r} here, {other.label!r} in {other.where}"
                )
    return contradictions, repeats


def _label_reason(units: Sequence[str], known: frozenset[str] | None, max_units: int) -> str:
    """Why a label cannot be used, whatever its image; "" where it can."""
    if not units:
        return "the label is empty"
    controls = sorted({char for unit in units for char in unit if unicodedata.category(char) == "Cc"})
    if controls:
        return f"control characters in the label: {', '.join(f'U+{ord(char):04X}' for char in controls)}"
    unknown = sorted(set(units) - known) if known is not None else []
    if unknown:
        return f"not in the alphabet: {', '.join(map(repr, unknown))}"
    if 0 < max_units < len(units):
        return f"the label has {len(units)} units; at most {max_units} are taken"
    return ""


def _steps_reason(units: Sequence[str], size: Size, steps: Callable[[int, int], int] | None) -> str:
    if steps is None or required_steps(units) <= steps(*size):
        return ""
    repeats = required_steps(units) - len(units)
    told = f" and {repeats} between equal neighbours" if repeats else ""
    return (
        f"the label is too long for its image of {size[0]}x{size[1]}: it needs {required_steps(units)} time steps "
        f"({len(units)} units{told}), and the network makes {steps(*size)} of it"
    )


def _look_at_all(samples: Sequence[Sample], reasons: Sequence[str]) -> Iterator[str | Looked]:
    """For each sample, in order: its reason, if there is one already, or what _look_at says."""
    pool = ThreadPoolExecutor(available_cores())
    # read_image sets and takes back the filters of warnings, each thread in its own time; only this leaves them whole.
    with warnings.catch_warnings():
        try:
            yield from pool.map(lambda sample, reason: reason or _look_at(sample), samples, reasons)
        finally:
            pool.shutdown(cancel_futures=True)


def _look_at(sample: Sample) -> str | Looked:
    """What there is to see in the image, decoded to its last row; or why that cannot be done."""
    try:
        # In colour: red and grey captchas of the same brightness are not the same.
        image = read_image(sample.read_bytes(), sample.image if sample.record is None else "image", channels=3)
    except InputError as error:
        own_path = f"{sample.image}: " if sample.where == sample.image else ""
        return str(error).removeprefix(f"{sample.where}: ").removeprefix(own_path)
    height, width = image.shape[:2]
    digest = blake2b(image.tobytes(), digest_size=16, salt=width.to_bytes(8, "little")).digest()
    return (width, height), digest, has_light_ink(grey(image))


def _percentiles(values: Iterable[int]) -> dict[str, int]:
    """{"0%": least, ...}, each a value that occurs; empty without values."""
    values = list(values)
    if not values:
        return {}
    found = np.percentile(values, PERCENTILES, method="nearest")
    return {f"{percent}%": int(value) for percent, value in zip(PERCENTILES, found, strict=True)}
