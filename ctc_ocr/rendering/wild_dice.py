"""The random choices of one image."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Random choices that follow from a seed alone. Python's own generator: a choice costs far less than NumPy's."""

    def __init__(self, seed: int) -> None:
        self.unit = random.Random(seed).random  # 0 to 1

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.unit() < probability

    def between(self, low: float, high: float) -> float:
        """Uniform from low to high."""
        return low + (high - low) * self.unit()

    def around(self, reach: float) -> float:
        """From -reach to reach, small amounts more often (a triangle)."""
        return reach * (self.unit() - self.unit())

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int((high - low + 1) * self.unit())

    def pick(self, values: Sequence[T]) -> T:
        """One of the values, all equally likely."""
        return values[int(len(values) * self.unit())]

    def sign(self) -> int:
        """-1 or 1."""
        return 1 if self.unit() < 0.5 else -1

    def word(self) -> int:
        """A seed of 53 bits, for random numbers of compiled code."""
        return int(self.unit() * (1 << 53))
