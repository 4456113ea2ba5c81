"""Columns of many samples: arrays in place of an object for each value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def compact(values: Array) -> Array:
    """The same integers in the smallest dtype that holds them all."""
    if not values.size:
        return values
    dtype = np.promote_types(np.min_scalar_type(int(values.min())), np.min_scalar_type(int(values.max())))
    return values.astype(dtype)


@dataclass(frozen=True)
class Ragged:
    """N sequences of integers, one after the other: `values` (sum of lengths,), and `starts` (N + 1,) of each."""

    values: Array
    starts: Array

    @classmethod
    def of_lengths(cls, values: Array, lengths: Array) -> "Ragged":
        """Of sequences with these lengths (N,)."""
        return cls(compact(values), compact(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, index: int) -> list[int]:
        """One of the sequences."""
        found: list[int] = self.values[int(self.starts[index]) : int(self.starts[index + 1])].tolist()
        return found

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,)"""
        return np.diff(self.starts.astype(np.int64))

    def take(self, indices: Array) -> "Ragged":
        """Some of the sequences."""
        lengths = self.lengths[indices]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        shift = self.starts[indices].astype(np.int64) - starts[:-1]
        return Ragged(self.values[np.arange(starts[-1]) + np.repeat(shift, lengths)], compact(starts))

    def mapped(self, table: Sequence[int]) -> "Ragged":
        """With table[value] in place of each value. `starts` are shared."""
        return Ragged(compact(np.asarray(table, np.int64))[self.values] if len(table) else self.values, self.starts)


def equal_groups(*columns: Array) -> list[list[int]]:
    """Indices of rows that are equal in all columns (N,): a sorted list for each row that occurs more than once, in the
    order of their first ones."""
    order = np.lexsort(columns)
    if not len(order):
        return []
    differs = np.zeros(len(order) - 1, bool)
    for column in columns:
        ordered = column[order]
        differs |= ordered[1:] != ordered[:-1]
    bounds = np.concatenate([[0], np.flatnonzero(differs) + 1, [len(order)]])
    several = np.flatnonzero(np.diff(bounds) > 1)
    return sorted(order[bounds[each] : bounds[each + 1]].tolist() for each in several)
