"""Dividing numbered samples into parts, so that related ones stay together."""

from collections.abc import Hashable, Sequence

import numpy as np

from ctc_ocr.errors import InputError

Indices = list[int]


def counts_of_fractions(fractions: Sequence[float], count: int) -> list[int]:
    """Integers in the ratio of the fractions that add up to `count` (largest remainder method)."""
    exact = np.asarray(fractions, np.float64) * (count / sum(fractions))
    counts = np.floor(exact + 1e-9).astype(int)  # 0.1 * 30 may be slightly less than 3
    by_remainder = np.argsort(counts - exact, kind="stable")
    counts[by_remainder[: count - counts.sum()]] += 1
    return [int(each) for each in counts]


def clusters(*keys: Sequence[Hashable]) -> list[Indices]:
    """Indices that belong together because one of their keys is equal, directly or through others.

    Each argument has a key for every sample. The clusters are in the order of their first sample (union-find).
    """
    parents = list(range(len(keys[0])))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for each in keys:
        first: dict[Hashable, int] = {}
        for index, key in enumerate(each):
            one, other = sorted((root(first.setdefault(key, index)), root(index)))
            parents[other] = one
    found: dict[int, Indices] = {}
    for index in range(len(parents)):
        found.setdefault(root(index), []).append(index)
    return list(found.values())


def partition(groups: Sequence[Indices], counts: Sequence[int], generator: np.random.Generator) -> list[Indices]:
    """Distribute groups at random over as many parts as there are counts; each part is sorted.

    Groups of several samples come first, each into the part that lacks the most samples. Single samples then fill the
    parts, so that the counts are met except for groups that are larger than what a part lacks. The last groups go into
    parts that have none yet, as long as there are any. Counts for fewer than all samples are met exactly, and the
    other samples are in no part; InputError if the duplicates, in the order drawn, leave no room for that.
    """
    total = sum(map(len, groups))
    missing, parts = np.array(counts, np.int64), [Indices() for _ in counts]
    order = generator.permutation(len(groups))
    for position, each in enumerate(sorted(order, key=lambda each: len(groups[each]) == 1)):
        group = groups[each]
        part = int(missing.argmax())
        empty = [number for number, count in enumerate(counts) if count and not parts[number]]
        if sum(counts) < total:
            if missing[part] < len(group):
                continue
        elif len(groups) - position <= len(empty):
            part = max(empty, key=lambda number: int(missing[number]))
        parts[part] += group
        missing[part] -= len(group)
    if sum(counts) < total and missing.any():
        raise InputError(
            "duplicates stay together, so these counts were not met: use smaller ones, or another seed", "counts"
        )
    return [sorted(part) for part in parts]


def duplicates_across(
    parts: Sequence[Indices], digests: Sequence[bytes]
) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """{two parts: [(a sample of the first, its duplicate in the second), ...]}, for parts that share duplicates.

    Each sample of the second part is named once.
    """
    found = {}
    for first in range(len(parts)):
        index_of = {digests[index]: index for index in reversed(parts[first])}
        for second in range(first + 1, len(parts)):
            pairs = [(index_of[digests[index]], index) for index in parts[second] if digests[index] in index_of]
            if pairs:
                found[first, second] = pairs
    return found
