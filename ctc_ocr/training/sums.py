"""Sums and times over the batches of an epoch."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK, collapse, unpad_labels
from ctc_ocr.evaluation.metrics import Tally
from ctc_ocr.runtime.types import DataBatch, MXArray


@dataclass
class Sums:
    """Losses, predictions and blanks of the samples that were added."""

    tally: Tally = field(default_factory=Tally)
    loss: float = 0.0
    blanks: int = 0
    steps: int = 0
    empty: int = 0

    def add(self, losses: NDArray[Any], best_path: NDArray[Any], labels: NDArray[Any]) -> list[list[int]]:
        """Add N samples: losses (N,), best path (N, T) with -1 beyond a sample's own time steps, labels (N, L) padded
        with 0. Returns the predictions as codes."""
        predictions = collapse(np.maximum(best_path, BLANK).T)
        self.tally.add(predictions, unpad_labels(labels))
        self.loss += float(losses.sum())
        self.blanks += int((best_path == BLANK).sum())
        self.steps += int((best_path >= 0).sum())
        self.empty += sum(not prediction for prediction in predictions)
        return predictions

    def values(self) -> list[float]:
        """All of them as numbers, which can be added up."""
        tally = self.tally
        counted = [tally.count, tally.correct, tally.lcs, tally.edits, tally.units]
        return [*map(float, counted), self.loss, float(self.blanks), float(self.steps), float(self.empty)]

    @classmethod
    def of_values(cls, values: Sequence[float]) -> "Sums":
        """From what `values` made, or a sum of several of these."""
        count, correct, lcs, edits, units, loss, blanks, steps, empty = values
        tally = Tally(int(count), int(correct), lcs, int(edits), int(units))
        return cls(tally, loss, int(blanks), int(steps), int(empty))

    @property
    def mean_loss(self) -> float:
        """Nats per sample."""
        return self.loss / max(self.tally.count, 1)

    @property
    def blank_fraction(self) -> float:
        """Fraction of the time steps whose most probable class is the blank."""
        return self.blanks / max(self.steps, 1)

    @property
    def empty_fraction(self) -> float:
        """Fraction of the samples whose prediction is empty."""
        return self.empty / max(self.tally.count, 1)


def count_batch(finished: tuple[list[MXArray], DataBatch] | None, *sums: Sums) -> float:
    """Add a batch's outputs, without its padding, to each of `sums`; returns its mean loss, 0 for None. Waits for the
    outputs."""
    if finished is None:
        return 0.0
    (losses_of_batch, best_path), batch = finished
    size = int(batch.data[0].shape[0] - batch.pad)
    losses, path, labels = (each.asnumpy()[:size] for each in (losses_of_batch, best_path, batch.label[0]))
    for each in sums:
        each.add(losses, path, labels)
    return float(losses.sum()) / max(size, 1)


class Clock:
    """Wall time since it was made, and how much of it was spent waiting for data.

    `waited` returns the seconds spent waiting so far. `before`: seconds that were spent earlier on the same work.
    """

    def __init__(self, waited: Callable[[], float], before: float = 0.0) -> None:
        self._waited = waited
        self._started, self._waited_before = time.perf_counter() - before, waited()

    def read(self) -> tuple[float, float]:
        """(seconds, fraction of them spent waiting)."""
        seconds = time.perf_counter() - self._started
        return seconds, (self._waited() - self._waited_before) / seconds
