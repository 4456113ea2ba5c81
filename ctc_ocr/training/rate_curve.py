"""The curve of a learning-rate range test: the loss of updates whose learning rate rises, and what it tells."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.runtime.table_files import replacing_table

WINDOW = 0.05  # of the updates: over so many neighbours a loss is averaged
EXPLODED, MIN_RISE = 4.0, 1.0  # times the lowest loss, and nats above it: noise around a low loss is no explosion
MIN_FALL, NOISE = 0.02, 5.0  # of the first loss, and standard errors of its mean: less is no fall
SUGGESTED = 0.1  # of the rate with the lowest loss, which is close to those with which it explodes
CSV_HEADER = ("update", "learning_rate", "loss", "smoothed_loss")


def rising_rates(min_rate: float, max_rate: float, num_updates: int) -> NDArray[np.float64]:
    """(num_updates,): from the one to the other, each the same factor above the one before."""
    return np.geomspace(min_rate, max_rate, num_updates)


@dataclass(frozen=True)
class RateCurve:
    """The learning rate of each update, and the loss (nats per sample) of its batch before it.

    `num_updates` is how many there would have been, had the loss not exploded.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    num_updates: int

    @property
    def _half(self) -> int:
        """Neighbours on each side."""
        return max(1, round(self.num_updates * WINDOW / 2))

    @cached_property
    def smoothed(self) -> tuple[float, ...]:
        """The mean loss of each update and its neighbours, a twentieth of all updates; fewer at the ends."""
        count = len(self.losses)
        sums = np.cumsum([0.0, *self.losses])
        middle = np.arange(count)
        starts, stops = np.maximum(middle - self._half, 0), np.minimum(middle + self._half + 1, count)
        return tuple(((sums[stops] - sums[starts]) / (stops - starts)).tolist())

    @cached_property
    def num_stable(self) -> int:
        """Updates before the smoothed loss explodes: exceeds four times its lowest so far, by a nat or more."""
        lowest = math.inf
        for number, loss in enumerate(self.smoothed):
            lowest = min(lowest, loss)
            if loss > max(EXPLODED * lowest, lowest + MIN_RISE):
                return number
        return len(self.smoothed)

    @property
    def explodes(self) -> bool:
        """Whether it is certain to, so that further updates tell nothing: all neighbours of a loss are known."""
        return self.num_stable < len(self.losses) - self._half

    @property
    def lowest(self) -> int:
        """The update, from 0, with the lowest smoothed loss before it explodes."""
        return int(np.argmin(self.smoothed[: max(self.num_stable, 1)]))

    @property
    def falls(self) -> bool:
        """Whether the smoothed loss falls, by more than the means of so few noisy losses differ."""
        if not self.lowest:
            return False
        # Of neighbours, so that a trend is no noise; the first mean has only those on one side.
        noise = np.diff(self.losses[: self.num_stable]).std() / math.sqrt(2)
        first = self.smoothed[0]
        least = max(MIN_FALL * first, NOISE * noise / math.sqrt(self._half + 1))
        return bool(first - self.smoothed[self.lowest] >= least)

    @property
    def suggestion(self) -> float | None:
        """A tenth of the learning rate with the lowest smoothed loss; None if it does not fall."""
        return self.rates[self.lowest] * SUGGESTED if self.falls else None

    @property
    def steepest(self) -> float | None:
        """The learning rate at which the smoothed loss falls most steeply; None if it does not fall. From nothing, that
        is the fall to the all-blank plateau, at a rate that is low for what follows."""
        if not self.falls:
            return None
        falling = np.array(self.smoothed[: self.lowest + 1])
        # Over a window, as the loss itself: the steepest of single steps would be one of noise.
        after = np.minimum(np.arange(len(falling)) + self._half, len(falling) - 1)
        before = np.maximum(np.arange(len(falling)) - self._half, 0)
        return self.rates[int(np.argmin((falling[after] - falling[before]) / (after - before)))]


def write_curve(path: Path, curve: RateCurve) -> None:
    """Write a CSV file with a row for each update. Raises RunError if it cannot be written."""
    with replacing_table(path, CSV_HEADER) as write:
        for row in _rows(curve.rates, curve.losses, curve.smoothed):
            write(row)


def _rows(*columns: Sequence[float]) -> Iterable[tuple[str, ...]]:
    for number, values in enumerate(zip(*columns, strict=True), start=1):
        yield str(number), *(f"{value:.6g}" for value in values)
