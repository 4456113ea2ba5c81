"""How many images are computed in one batch."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

from ctc_ocr.config.hyperparameters import Hyperparameters

Item = TypeVar("Item")
BATCH_SIZE = 128  # for MXNet's example network on one core, 32 takes 2 to 8 % longer, and more than 128 gains nothing
BATCH_PIXELS = 2**19  # of images that keep their aspect ratio, so that batches of wide ones do not need more memory
# Of all images in the largest array that a network computes: a small file can describe one that makes much of an image.
BATCH_VALUES = 2**26


def rows_of_width(hyperparameters: Hyperparameters, batch_size: int, width: int) -> int:
    """Images in a full batch of this width."""
    geometry = hyperparameters.geometry
    fitting = BATCH_VALUES * geometry.full_width // (geometry.values_per_image * width)
    if hyperparameters.data.keep_ratio:
        fitting = min(fitting, BATCH_PIXELS // (width * hyperparameters.data.height))
    return max(1, min(batch_size, fitting))


def in_chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of `size`, the last of which may be shorter; one list is taken at a time."""
    remaining = iter(items)
    while chunk := list(itertools.islice(remaining, size)):
        yield chunk
