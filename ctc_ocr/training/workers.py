"""The training workers of a run: one, or several that each take some rows of every batch.

All of them compute the same updates from the same sums, so their weights are equal without being sent. What a worker
decides from its own clock, its own rows or its own terminal has to be agreed on first, or the workers would part.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.generation.rows import ALL_ROWS, Rows
from ctc_ocr.runtime.types import MXArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Wishes:
    """What a worker wants all to do after an update: to stop, to save the state within the epoch, or to give up since
    its loss tells that the training has diverged."""

    stop: bool = False
    save: bool = False
    give_up: bool = False

    def values(self) -> list[float]:
        """As numbers, which can be added up."""
        return [float(each) for each in astuple(self)]

    @classmethod
    def of_values(cls, values: Sequence[float]) -> "Wishes":
        """What any worker wished, from the sums of `values`."""
        return cls(*(value > 0 for value in values))


NO_WISHES = Wishes()


class OneWorker:
    """The only worker: it has nobody to agree with. Base of those that do.

    Each method has to be called by all workers, in the same order and with arrays of the same shapes.
    """

    rows: Rows = ALL_ROWS  # of each batch

    @property
    def is_first(self) -> bool:
        """Whether this worker logs and saves."""
        return self.rows.rank == 0

    @property
    def count(self) -> int:
        return self.rows.count

    def sum(self, name: str, vector: MXArray) -> None:
        """Add the vectors of all workers, in place. Each `name` has one shape."""

    def sum_values(self, values: Sequence[float]) -> list[float]:
        """The sums of some numbers over all workers, in double precision."""
        return list(values)

    def gather(self, values: Sequence[float]) -> list[list[float]]:
        """The values of each worker, in the order of their ranks."""
        return [list(values)]

    def whole_batch(self, columns: Sequence[Array], num_rows: int) -> list[Array]:
        """Arrays (num_rows, ...) of all rows of a batch, from those (n, ...) of the rows of each worker."""
        return list(columns)

    def leave(self) -> None:
        """This worker needs the others no more. Returns when all have left."""

    def any(self, flag: bool) -> bool:
        """Whether any worker has the flag."""
        return self.sum_values([flag])[0] > 0

    def of_first(self, value: float) -> float:
        """The first worker's value."""
        return self.sum_values([value if self.is_first else 0.0])[0]


ALONE = OneWorker()
