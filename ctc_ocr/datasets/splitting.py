"""Dividing samples into parts (train, validation, test) so that nothing is in two of them."""

from collections.abc import Hashable, Sequence

import numpy as np

from ctc_ocr.errors import InputError

PARTS = ("train", "validation", "test")
Indices = list[int]


def counts_of(shares: Sequence[float], count: int) -> list[int]:
    """Whole numbers in the ratio of the shares that add up to `count`; rounded up are those with the largest rests."""
    exact = np.asarray(shares, np.float64) * (count / sum(shares))
    counts = np.floor(exact + 1e-9).astype(int)  # 0.1 * 30 may be a little less than 3
    rests = np.argsort(counts - exact, kind="stable")
    counts[rests[: count - counts.sum()]] += 1
    return [int(each) for each in counts]


def clusters(*keys: Sequence[Hashable]) -> list[Indices]:
    """Indices that belong together because they agree in one of the keys, directly or through others.

    Each argument has a key for every sample. The clusters come in the order of their first sample.
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


def divide(wholes: Sequence[Indices], counts: Sequence[int], generator: np.random.Generator) -> list[Indices]:
    """Deal clusters out to as many parts as there are counts, in a random order; each part is sorted.

    Clusters of several samples go first, each to the part that lacks most. Single samples then fill the parts up, so
    that the counts are met but for clusters that are larger than what a part lacks. Counts that ask for less than all
    are met exactly, and what is over is in no part; InputError where that cannot be.
    """
    total = sum(map(len, wholes))
    missing, parts = np.array(counts, np.int64), [Indices() for _ in counts]
    order = generator.permutation(len(wholes))
    for each in sorted(order, key=lambda each: len(wholes[each]) == 1):
        whole = wholes[each]
        part = int(missing.argmax())
        if missing[part] < len(whole) and sum(counts) < total:
            continue
        parts[part] += whole
        missing[part] -= len(whole)
    if sum(counts) < total and missing.any():
        raise InputError("images with the same pixels stay together, and so these counts cannot be reached; take less")
    return [sorted(part) for part in parts]


def shared(parts: Sequence[Indices], digests: Sequence[bytes]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """{two parts: [(a sample of the first, one of the second with the same pixels), ...]}, where there are any.

    Each sample of the second part is named once.
    """
    found = {}
    for first in range(len(parts)):
        there = {digests[index]: index for index in reversed(parts[first])}
        for second in range(first + 1, len(parts)):
            pairs = [(there[digests[index]], index) for index in parts[second] if digests[index] in there]
            if pairs:
                found[first, second] = pairs
    return found
