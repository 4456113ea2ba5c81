"""Random numbers of each sample, which depend on the seed, its stream and its index alone."""

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.errors import InputError

TRAIN = 0
VALIDATION = 1
FILES = 2
MAX_SEED = 2**64 - 1
WORDS_PER_BLOCK = 4  # 64-bit words that Philox gives for one value of its counter


def sample_generator(seed: int, stream: int, index: int) -> np.random.Generator:
    """The generator of sample `index` (0 to 2**64 - 1) of a stream (TRAIN, VALIDATION or FILES).

    Philox is a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): seed and
    stream are its key and the index is the highest word of its counter, so no two samples share numbers. Raises
    InputError for a seed that is not in 0..MAX_SEED.
    """
    return np.random.Generator(np.random.Philox(key=_key(seed, stream), counter=index << 192))


def _key(seed: int, stream: int) -> int:
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"{seed} is not an integer from 0 to {MAX_SEED}", "seed")
    return (stream << 64) | seed


def sample_words(seed: int, stream: int, first: int, count: int, words: int) -> NDArray[np.uint64]:
    """Random numbers (count, words) uint64 of the samples first, first + 1, ... of a stream; those of sample i depend
    on seed, stream, `words` and i alone. Philox as in sample_generator: each value of its counter gives four words, and
    each sample takes as many values as it needs.
    """
    blocks = -(-words // WORDS_PER_BLOCK)
    # The second word of the counter separates these numbers from those of sample_generator.
    counter = (1 << 64) + first * blocks
    table = np.random.Philox(key=_key(seed, stream), counter=counter).random_raw(count * blocks * WORDS_PER_BLOCK)
    return np.asarray(table).reshape(count, blocks * WORDS_PER_BLOCK)[:, :words]
