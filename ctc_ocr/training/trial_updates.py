"""Updates of a new network that belong to no run: nothing of them is saved."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ctc_ocr.datasets.iterator import BatchIter
from ctc_ocr.runtime.types import DataBatch
from ctc_ocr.training.schedules import Course, GivenRates, Schedule
from ctc_ocr.training.sums import Sums, count_batch
from ctc_ocr.training.updates import Updates


def overfit(updates: Updates, batch: DataBatch, num_updates: int) -> tuple[int, float, float]:
    """Overfit one batch, in at most `num_updates` updates: (updates made, loss, accuracy) at the end.

    The learning rate does not decay, however soon a run with these settings would have ended.
    """
    settings = replace(updates.settings, schedule="constant")
    updates.schedule(settings, Schedule(settings, Course(num_updates)))
    made, sums = 0, Sums()
    while made < num_updates and sums.tally.accuracy != 1.0:
        outputs = updates.make(batch)
        made, sums = made + 1, Sums()
        count_batch((outputs, batch), sums)
    return made, sums.mean_loss, sums.tally.accuracy


def losses_at(updates: Updates, rates: Sequence[float], data: BatchIter) -> Iterator[float]:
    """An update with each of these learning rates in turn: the loss (nats per sample) of its batch before it."""
    updates.schedule(updates.settings, GivenRates(updates.settings, rates))
    batches = _endless(data)
    for _ in rates:
        batch, sums = next(batches), Sums()
        count_batch((updates.make(batch), batch), sums)
        yield sums.mean_loss


def _endless(data: BatchIter) -> Iterator[DataBatch]:
    """Batches of one epoch after the other."""
    while True:
        yield from data
        data.reset()
