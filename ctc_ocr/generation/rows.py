"""Which rows of each batch a training worker takes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """Every `count`-th row of a batch, from row `rank` on: the part of one of `count` workers.

    Together the workers have the whole batch. Where its rows are sorted by width, they all get narrow and wide images.
    """

    rank: int = 0
    count: int = 1

    def of(self, batch: Any) -> Any:
        """The worker's part of a list or an array with a row per sample."""
        return batch[self.rank :: self.count]

    def number(self, num_rows: int) -> int:
        """How many of a batch's first `num_rows` rows are the worker's."""
        return len(range(self.rank, num_rows, self.count))

    def spread(self, part: NDArray[Any], num_rows: int) -> NDArray[Any]:
        """(num_rows, ...): the worker's first rows where they are in the batch, 0 elsewhere."""
        whole = np.zeros((num_rows, *part.shape[1:]), part.dtype)
        whole[self.rank :: self.count] = part[: self.number(num_rows)]
        return whole


ALL_ROWS = Rows()
