"""Images of different parts of a split that look nearly the same, found by a perceptual hash."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.datasets.partition import Indices
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.images.files import read_image
from ctc_ocr.images.perceptual_hash import HASH_BYTES, perceptual_hash
from ctc_ocr.runtime.thread_map import in_threads

MAX_DISTANCE = 10  # bits of 128
MAX_CANDIDATES = 2**22  # pairs that are compared at a time
BITS = 8 * HASH_BYTES

Bits = NDArray[np.uint8]
Pairs = list[tuple[int, int]]


def hashes_of(samples: Sequence[Sample]) -> Bits:
    """(N, 128) bits of the perceptual hash of each sample. Raises InputError for an image that cannot be read."""
    found = b"".join(in_threads(lambda each: perceptual_hash(read_image(each.read_bytes(), each.place)), samples))
    return np.unpackbits(np.frombuffer(found, np.uint8).reshape(-1, HASH_BYTES), axis=1)


def near_duplicates_across(
    parts: Sequence[Indices], bits: Bits, max_distance: int = MAX_DISTANCE
) -> dict[tuple[int, int], Pairs]:
    """{two parts: [(a sample of the first, a sample of the second), ...]} whose hashes differ in at most so many bits.

    Each sample of the second part is named once, with the nearest of the first. Equal hashes are among them.
    """
    found = {}
    for first, second in combinations(range(len(parts)), 2):
        pairs = _nearest(np.array(parts[first], np.intp), np.array(parts[second], np.intp), bits, max_distance)
        if pairs:
            found[first, second] = pairs
    return found


def _nearest(first: NDArray[np.intp], second: NDArray[np.intp], bits: Bits, max_distance: int) -> Pairs:
    best: dict[int, tuple[int, int]] = {}
    for ones, others in _candidates(bits[first], bits[second], max_distance):
        distances = (bits[first[ones]] != bits[second[others]]).sum(axis=1)
        near = np.flatnonzero(distances <= max_distance)
        for one, other, distance in zip(
            ones[near].tolist(), others[near].tolist(), distances[near].tolist(), strict=True
        ):
            best[other] = min(best.get(other, (BITS, 0)), (distance, one))
    return [(int(first[one]), int(second[other])) for other, (_, one) in sorted(best.items())]


def _candidates(first: Bits, second: Bits, max_distance: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs that agree in one of max_distance + 1 portions of their bits: all that differ in no more bits do."""
    for portion in np.array_split(np.arange(BITS), max_distance + 1):
        weights = 1 << np.arange(len(portion), dtype=np.int64)
        keys = first[:, portion] @ weights
        wanted = second[:, portion] @ weights
        order = np.argsort(keys, kind="stable")
        starts, ends = (np.searchsorted(keys[order], wanted, side=side) for side in ("left", "right"))
        counts = ends - starts
        for some in np.split(np.arange(len(second)), np.flatnonzero(np.diff(np.cumsum(counts) // MAX_CANDIDATES)) + 1):
            others = np.repeat(some, counts[some])
            within = np.arange(len(others)) - np.repeat(np.cumsum(counts[some]) - counts[some], counts[some])
            yield order[np.repeat(starts[some], counts[some]) + within], others
