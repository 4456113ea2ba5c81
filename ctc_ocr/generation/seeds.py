"""One generator a sample: what a sample looks like depends on the seed, its stream and its index alone."""

import numpy as np

from ctc_ocr.errors import InputError

TRAIN = 0
VALIDATION = 1
FILES = 2
LARGEST_SEED = 2**64 - 1


def sample_generator(seed: int, stream: int, index: int) -> np.random.Generator:
    """The generator of sample `index` (0 to 2**64 - 1) of a stream (TRAIN, VALIDATION or FILES).

    Philox is a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): seed and
    stream are its key, the index is the highest word of its counter, so that no two samples share numbers. A seed
    that is not in 0..LARGEST_SEED raises InputError.
    """
    if not 0 <= seed <= LARGEST_SEED:
        raise InputError(f"seed {seed}: accepted are whole numbers from 0 to {LARGEST_SEED}")
    return np.random.Generator(np.random.Philox(key=(stream << 64) | seed, counter=index << 192))
