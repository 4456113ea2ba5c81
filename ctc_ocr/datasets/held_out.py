"""Which images are held out for validation: decided for each image alone, by the digest of its pixels.

So an image of a set that grows stays on its side, and duplicates are always on the same one. Only a small set has more
images held out than that: some of those are trained on when the set has grown.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ctc_ocr.datasets.digests import Digests
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
    found = Digests.of(digests)
    first, number = found.different()
    held_out, is_free = np.zeros(len(first), bool), np.ones(len(first), bool)
    for each, index in enumerate(first.tolist()):  # in the order of their places
        digest = found[index]
        before = part_before(digest)
        held_out[each] = place(digest) < fraction if before is None else before == "validation"
        is_free[each] = before is None
    lacking = max(0, at_least - int(held_out.sum()))
    held_out[np.flatnonzero(~held_out & is_free)[:lacking]] = True
    if len(first) > 1 and not held_out.any():
        held_out[0] = True
    elif len(first) and held_out.all():
        held_out[-1] = False
    of_image = held_out[number]
    return np.flatnonzero(~of_image).tolist(), np.flatnonzero(of_image).tolist()


def place(digest: bytes) -> float:
    """A number from 0 to 1, uniformly distributed."""
    return int.from_bytes(digest[:8], "big") / 2**64
