"""Which images are held out for validation: decided for each image alone, by the digest of its pixels.

So an image of a set that grows stays on its side, and duplicates are always on the same one. Only a small set has more
images held out than that: some of those are trained on when the set has grown.
"""

from collections.abc import Callable, Sequence

from ctc_ocr.datasets.partition import Indices

Part = str | None  # "training", "validation", or None for an image that is in neither part


def no_part(digest: bytes) -> Part:
    """The part of any image before the first run."""
    return None


def split_held_out(
    digests: Sequence[bytes],
    fraction: float,
    part_before: Callable[[bytes], Part] = no_part,
    at_least: int = 1,
) -> tuple[Indices, Indices]:
    """Indices of the training and of the validation images.

    digests: of each image, 16 bytes. fraction: about as many are held out, more than 0 and less than 1; at least one
    and not all, if there are two different images. part_before: where an image was in the run that this one starts
    from; it stays there, so that nothing is trained on that was held out, nor the reverse. at_least: different images
    that are held out, as far as there are images without a place before.
    """

    def is_held_out(digest: bytes) -> bool:
        before = part_before(digest)
        return place(digest) < fraction if before is None else before == "validation"

    held_out = {digest for digest in set(digests) if is_held_out(digest)}
    different = sorted(set(digests), key=place)
    others = [digest for digest in different if digest not in held_out and part_before(digest) is None]
    held_out.update(others[: max(0, at_least - len(held_out))])
    if len(different) > 1 and not held_out:
        held_out = {different[0]}
    elif len(held_out) == len(different):
        held_out = set(different[:-1])
    parts: tuple[Indices, Indices] = ([], [])
    for index, digest in enumerate(digests):
        parts[digest in held_out].append(index)
    return parts


def place(digest: bytes) -> float:
    """A number from 0 to 1, uniformly distributed."""
    return int.from_bytes(digest[:8], "big") / 2**64
