"""Sums and times over the batches of an epoch."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ctc_ocr.alphabet import BLANK, collapse, unpad_labels
from ctc_ocr.evaluation.metrics import Tally

Array = np.ndarray[Any, Any]


@dataclass
class Sums:
    """Losses, readings and blanks of the samples that were added."""

    tally: Tally = field(default_factory=Tally)
    loss: float = 0.0
    blanks: int = 0
    steps: int = 0
    empty: int = 0

    def add(self, losses: Array, best_path: Array, labels: Array) -> list[list[int]]:
        """Count N samples: losses (N,), best path (N, T), -1 behind a sample's own steps, labels (N, L) padded
        with 0. Returns their readings."""
        readings = collapse(np.maximum(best_path, BLANK).T)
        self.tally.add(readings, unpad_labels(labels))
        self.loss += float(losses.sum())
        self.blanks += int((best_path == BLANK).sum())
        self.steps += int((best_path >= 0).sum())
        self.empty += sum(not reading for reading in readings)
        return readings

    @property
    def mean_loss(self) -> float:
        """Nats a sample."""
        return self.loss / max(self.tally.count, 1)

    @property
    def blank_fraction(self) -> float:
        """Share of the steps whose most probable class is the blank."""
        return self.blanks / max(self.steps, 1)

    @property
    def empty_fraction(self) -> float:
        """Share of the samples in which nothing was read."""
        return self.empty / max(self.tally.count, 1)


class Clock:
    """Wall time since it was made, and how much of it was spent waiting for data.

    `waited` gives the seconds spent waiting so far.
    """

    def __init__(self, waited: Callable[[], float]) -> None:
        self._waited = waited
        self._started, self._waited_before = time.perf_counter(), waited()

    def read(self) -> tuple[float, float]:
        """(seconds, share of them spent waiting)."""
        seconds = time.perf_counter() - self._started
        return seconds, (self._waited() - self._waited_before) / seconds
