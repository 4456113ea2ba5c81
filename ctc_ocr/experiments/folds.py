"""Dividing images into folds for cross-validation, by the digests of their pixels."""

from collections.abc import Sequence
from hashlib import blake2b

from ctc_ocr.datasets.partition import Indices
from ctc_ocr.errors import InputError


def folds_of(digests: Sequence[bytes], count: int, seed: int = 0) -> list[Indices]:
    """Indices of the images of each of `count` folds, sorted.

    digests: of each image. Equal ones share a fold, and the numbers of different images in two folds differ by at most
    one. The folds depend on the seed and on the images, not on their order. Raises InputError for fewer than two folds,
    or for more than there are different images.
    """
    different = sorted(set(digests), key=lambda digest: _shuffled(digest, seed))
    if len(different) < 2:
        raise InputError(f"too few images: expected at least two that differ, got {len(different)}", "folds")
    if not 2 <= count <= len(different):
        raise InputError(f"expected 2 to {len(different)}, the number of different images, got {count}", "folds")
    fold_of = {digest: position % count for position, digest in enumerate(different)}
    folds: list[Indices] = [[] for _ in range(count)]
    for index, digest in enumerate(digests):
        folds[fold_of[digest]].append(index)
    return folds


def nested_subsets(indices: Sequence[int], digests: Sequence[bytes], sizes: Sequence[int], seed: int) -> list[Indices]:
    """Subsets of the given sizes of some images, each within every larger one, sorted; chosen at random by the seed.

    indices: of the images to choose from; digests: of all images. Raises InputError for a size that is too large.
    """
    if sizes and not 0 < max(sizes) <= len(indices):
        raise InputError(f"expected subsets of 1 to {len(indices)} images, got {max(sizes)}", "sizes")
    order = sorted(indices, key=lambda index: (_shuffled(digests[index], seed, b"subset"), index))
    return [sorted(order[:size]) for size in sizes]


def _shuffled(digest: bytes, seed: int, purpose: bytes = b"fold") -> bytes:
    """A digest of the digest, so that the order has nothing to do with what is held out for validation."""
    return blake2b(digest, digest_size=16, key=f"{seed}".encode(), person=purpose).digest()
