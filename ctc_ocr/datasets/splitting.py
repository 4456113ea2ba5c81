"""Split a source into train.csv, validation.csv and test.csv, with no image in two of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.datasets.checking import CheckedSample, CheckResult, check_source
from ctc_ocr.datasets.csv_files.paths import relative_path
from ctc_ocr.datasets.csv_files.writing import write_delimited
from ctc_ocr.datasets.near_duplicates import hashes_of, near_duplicates_across
from ctc_ocr.datasets.partition import Indices, clusters, counts_of_fractions, duplicates_across, partition
from ctc_ocr.datasets.samples import Problem, Sample, SourceOptions
from ctc_ocr.datasets.sources import DEFAULT_OPTIONS
from ctc_ocr.datasets.sources.folders import finder
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.output_files import refuse_existing
from ctc_ocr.runtime.progress import Progress

Across = Mapping[tuple[int, int], Sequence[tuple[int, int]]]  # {two parts: pairs of samples}
PARTS = ("train", "validation", "test")
DEFAULT_FRACTIONS = (0.8, 0.1, 0.1)


def are_fractions(values: Sequence[float]) -> bool:
    """Whether these are fractions of all samples, one for each of PARTS."""
    return len(values) == len(PARTS) and all(each >= 0 for each in values) and abs(sum(values) - 1) <= 1e-6


@dataclass(frozen=True)
class SplitOptions:
    """How samples are split. Fractions and counts are those of train, validation and test.

    `counts` take the place of `fractions`; other samples are then in no part. `group` is a regular expression that is
    searched in the names of the image files (in their paths if it contains a /): samples with the same group `group`,
    or else first group, stay together. `validation_groups` and `test_groups` make up these parts; all other samples are
    then split one by one, and the counts are theirs. `near_duplicates`: also find images of different parts that look
    nearly the same. Raises InputError for options that contradict each other.
    """

    fractions: tuple[float, ...] = DEFAULT_FRACTIONS
    counts: tuple[int, ...] | None = None
    group: str | None = None
    validation_groups: tuple[str, ...] = ()
    test_groups: tuple[str, ...] = ()
    seed: int = 0
    near_duplicates: bool = False

    def __post_init__(self) -> None:
        if not are_fractions(self.fractions):
            raise InputError(f"expected {len(PARTS)} fractions with the sum 1, got {self.fractions}", "fractions")
        if self.named_groups and self.group is None:
            raise InputError("--validation_groups and --test_groups need --group, which defines the groups")
        if both := sorted(set(self.validation_groups) & set(self.test_groups)):
            raise InputError(f"in --validation_groups and in --test_groups: {', '.join(both)}")
        if self.counts is None:
            return
        if self.group is not None and not self.named_groups:
            raise InputError("groups stay together, so counts cannot be met: use --fractions", "counts")
        if len(self.counts) != len(PARTS) or min(self.counts) < 0:
            raise InputError(f"expected {len(PARTS)} numbers, for {', '.join(PARTS)}", "counts")
        if not (any(self.counts) or self.named_groups):
            raise InputError("expected a number above 0 for one of the parts", "counts")
        if of_groups := [PARTS[part] for part in sorted({*self.named_groups.values()}) if self.counts[part]]:
            raise InputError(f"the {of_groups[0]} part is made up of its groups: expected 0 for it", "counts")

    @property
    def named_groups(self) -> dict[str, int]:
        """{group: number of its part}."""
        named = ((), self.validation_groups, self.test_groups)
        return {group: part for part, groups in enumerate(named) for group in groups}


@dataclass(frozen=True)
class Part:
    """A part of a split. `path` is None if it has no samples, and so no file; `num_groups` None without groups."""

    name: str
    path: Path | None
    samples: tuple[CheckedSample, ...]
    num_groups: int | None

    def majority(self) -> tuple[str, float] | None:
        """The most frequent label and its fraction, which whoever always guesses it gets right, if each label is one
        unit and there are samples."""
        labels = [each.units for each in self.samples]
        if not labels or any(len(units) > 1 for units in labels):
            return None
        (units, count) = Counter(labels).most_common(1)[0]
        return units[0], count / len(labels)


@dataclass(frozen=True)
class Duplicates:
    """Samples of one part, each with its duplicate in another; only named groups can cause them."""

    first: str
    second: str
    pairs: tuple[tuple[Sample, Sample], ...]


@dataclass(frozen=True)
class Split:
    """What split_source wrote. `num_left_over`: samples in no part. `num_duplicates`: images with duplicates.
    `num_skipped`: samples left out by only_alphabet. `near_duplicates_across`: images that look nearly the same, with
    those that are duplicates; None if they were not asked for."""

    parts: tuple[Part, ...]
    num_left_over: int
    num_duplicates: int
    duplicates_across: tuple[Duplicates, ...] = ()
    invalid: tuple[Problem, ...] = field(default=())
    num_skipped: int = 0
    near_duplicates_across: tuple[Duplicates, ...] | None = None


def split_source(
    source: str | Path,
    folder: str | Path,
    options: SplitOptions | None = None,
    source_options: SourceOptions = DEFAULT_OPTIONS,
    *,
    alphabet: Alphabet | None = None,
    max_units: int = 0,
    only_alphabet: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Split:
    """Write train.csv, validation.csv and test.csv, with paths relative to `folder`. Duplicates stay together.

    Invalid samples are left out; alphabet, max_units and only_alphabet are as in `check_source`. With `overwrite`,
    older files are replaced, or removed if their part is empty. Raises InputError for arguments and sources that cannot
    be used, RunError if no sample is valid or a file cannot be written.
    """
    options = options or SplitOptions()
    paths = [Path(folder) / f"{part}.csv" for part in PARTS]
    if Path(source).resolve() in [path.resolve() for path in paths]:
        raise InputError("would be replaced by a part of itself: use another folder", source)
    refuse_existing(paths, overwrite)
    result = check_source(
        source, source_options, alphabet=alphabet, max_units=max_units, only_alphabet=only_alphabet, progress=progress
    )
    result.require_valid(source)
    if not all(each.sample.is_file for each in result.samples):
        raise InputError(
            "its images are not files that a CSV file can name; split what it was made of. Pages with boxes are cut by "
            "`ctc-ocr data cut` first",
            source,
        )
    groups = None if options.group is None else _groups(result, options.group)
    parts = split_indices(result.digests, options, groups)
    near = near_duplicates_across(parts, hashes_of(result.samples.samples)) if options.near_duplicates else None
    _write(parts, paths, result)
    return _described(parts, paths, result, groups, near)


def _groups(result: CheckResult, pattern: str) -> list[str]:
    """The group of each sample."""
    try:
        find = finder(pattern, "group")
    except InputError as error:
        raise error.within("group") from None
    groups = []
    for each in result.samples:
        path = Path(each.sample.image)
        group = find(path.as_posix() if "/" in pattern else path.name)
        if group is None:
            raise InputError(f"does not match the name of {path}", f"group {pattern!r}")
        groups.append(group)
    return groups


def split_indices(
    digests: Sequence[bytes], options: SplitOptions, groups: Sequence[str] | None = None
) -> list[Indices]:
    """Indices of the samples of each part, from the digest and the group of each sample."""
    generator = np.random.default_rng(options.seed)
    if options.named_groups and groups is not None:
        return _with_named_groups(digests, options, groups, generator)
    counts = options.counts or counts_of_fractions(options.fractions, len(digests))
    if sum(counts) > len(digests):
        raise InputError(f"{sum(counts)} in total, but there are {len(digests)} valid samples", "counts")
    return partition(clusters(digests, *([groups] if groups else [])), counts, generator)


def _with_named_groups(
    digests: Sequence[bytes], options: SplitOptions, groups: Sequence[str], generator: np.random.Generator
) -> list[Indices]:
    """Named groups go into their parts; the other samples are split by the fractions of the other parts."""
    named: Mapping[str, int] = options.named_groups
    if unknown := sorted(set(named) - set(groups)):
        raise InputError(f"no sample is in the group {', '.join(unknown)}")
    parts = [[index for index, group in enumerate(groups) if named.get(group) == part] for part in range(len(PARTS))]
    rest = [index for index, group in enumerate(groups) if group not in named]
    if not rest:
        return parts
    taken = set(named.values())
    fractions = [0.0 if part in taken else fraction for part, fraction in enumerate(options.fractions)]
    if not sum(fractions):
        raise InputError("nothing is left for the groups that are not named", "fractions")
    counts = options.counts or counts_of_fractions(fractions, len(rest))
    if sum(counts) > len(rest):
        raise InputError(f"{sum(counts)} in total, but there are {len(rest)} samples in other groups", "counts")
    clustered = [[rest[each] for each in cluster] for cluster in clusters([digests[index] for index in rest])]
    others = partition(clustered, counts, generator)
    return [sorted(part + more) for part, more in zip(parts, others, strict=True)]


def _write(parts: Sequence[Indices], paths: Sequence[Path], result: CheckResult) -> None:
    """A file for each part that has samples; an older file of a part that has none is removed."""
    for path, part in zip(paths, parts, strict=True):
        if part:
            samples = (result.samples[index].sample for index in part)
            write_delimited(path, ((relative_path(each.image, path), each.units) for each in samples))
        else:
            path.unlink(missing_ok=True)


def _described(
    parts: Sequence[Indices],
    paths: Sequence[Path],
    result: CheckResult,
    groups: Sequence[str] | None,
    near: Across | None,
) -> Split:
    samples = result.samples
    written = tuple(
        Part(
            name,
            path if part else None,
            tuple(samples[index] for index in part),
            len({groups[index] for index in part}) if groups else None,
        )
        for name, path, part in zip(PARTS, paths, parts, strict=True)
    )
    across = _pairs(duplicates_across(parts, result.digests), samples)
    left_over = len(samples) - sum(map(len, parts))
    num_duplicates = sum(map(len, result.duplicates()))
    similar = None if near is None else _pairs(near, samples)
    return Split(written, left_over, num_duplicates, across, result.invalid, result.num_skipped, similar)


def _pairs(across: Across, samples: Sequence[CheckedSample]) -> tuple[Duplicates, ...]:
    return tuple(
        Duplicates(PARTS[first], PARTS[second], tuple((samples[a].sample, samples[b].sample) for a, b in pairs))
        for (first, second), pairs in across.items()
    )
