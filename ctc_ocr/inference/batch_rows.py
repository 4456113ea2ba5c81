"""How many images are computed in one batch."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

from ctc_ocr.config.hyperparameters import Hyperparameters

Item = TypeVar("Item")
BATCH_SIZE = 128  # for MXNet's example network on one core, 32 takes 2 to 8 % longer, and more than 128 gains nothing
BATCH_PIXELS = 2**19  # of images that keep their aspect ratio, so that batches of wide ones do not need more memory


def rows_of_width(hyperparameters: Hyperparameters, batch_size: int, width: int) -> int:
    """Images in a full batch of this width."""
    if not hyperparameters.data.keep_ratio:
        return batch_size
    return max(1, min(batch_size, BATCH_PIXELS // (width * hyperparameters.data.height)))


def in_chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of `size`, the last of which may be shorter; one list is taken at a time."""
    remaining = iter(items)
    while chunk := list(itertools.islice(remaining, size)):
        yield chunk
