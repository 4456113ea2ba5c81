"""By how much two computations of the same log probabilities may differ, if rounding alone makes them differ."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# As numpy.testing.assert_allclose has them. The rounding of a number in float32 grows with the number; but a log
# probability is a difference of sums, which are rounded even where it is about 0. The starter's 57,000 on the drawn
# images, down to -40, differ by up to 4e-5, and those below -5 by up to 7e-6 of themselves.
ABSOLUTE, RELATIVE = 1e-4, 1e-5


@dataclass(frozen=True)
class Deviation:
    """How far a number is from the expected one, and how far it may be."""

    difference: float
    accepted: float

    @property
    def is_rounding(self) -> bool:
        return self.difference <= self.accepted  # not if it is not a number


def worst_deviation(expected: NDArray[np.floating[Any]], found: NDArray[np.floating[Any]]) -> Deviation:
    """That of the number that is furthest beyond what is accepted, or closest to it, of arrays of the same shape."""
    of_expected = expected.astype(np.float64)
    differences = np.abs(of_expected - found)
    accepted = ABSOLUTE + RELATIVE * np.abs(of_expected)
    worst = np.argmax(differences - accepted)  # what is not a number counts as the largest
    return Deviation(float(differences.flat[worst]), float(accepted.flat[worst]))
