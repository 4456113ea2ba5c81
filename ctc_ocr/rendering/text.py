"""Random texts."""

from collections.abc import Sequence

import numpy as np


def random_text(generator: np.random.Generator, units: Sequence[str], min_length: int, max_length: int) -> list[str]:
    """A text of min_length to max_length units (inclusive); lengths and units are uniformly distributed."""
    length = generator.integers(min_length, max_length + 1)
    return [units[index] for index in generator.integers(len(units), size=length)]
