"""The learning rate as a function of the update, and for `plateau` of how often validation stalled."""

import math
from collections.abc import Sequence

from ctc_ocr.config.sections import Training

RISE = 0.3  # fraction of the updates in which one_cycle rises
MAX_WARMUP = 0.5  # fraction of the updates: in a short run, a warm-up of the usual length would leave nothing
START, END = 1 / 25, 1e-4  # where one_cycle starts and ends, as fractions of the peak


class Schedule:
    """MXNet's optimizer calls it with the number of the update, from 1; after `num_updates` the rate stays.

    `reductions` is how often validation stalled for plateau_patience epochs; only `plateau` uses it.
    """

    def __init__(self, training: Training, num_updates: int, reductions: int = 0) -> None:
        self.base_lr = training.learning_rate  # the name under which MXNet looks for the peak
        self.reductions = reductions
        self._training = training
        self._num_updates = num_updates

    def __call__(self, update: int) -> float:
        return self.base_lr * self._factor(min(update, self._num_updates))

    def _factor(self, update: int) -> float:
        """The learning rate as a fraction of the peak."""
        if self._training.schedule == "one_cycle":
            return _one_cycle(update / self._num_updates)
        warmup = min(self._training.warmup_updates, int(MAX_WARMUP * self._num_updates))
        if update < warmup:
            return update / warmup
        if self._training.schedule == "cosine":
            return _half_cosine((update - warmup) / (self._num_updates - warmup))
        if self._training.schedule == "plateau":
            return self._training.plateau_factor**self.reductions
        return 1.0


class GivenRates(Schedule):
    """A learning rate for each update."""

    def __init__(self, training: Training, rates: Sequence[float]) -> None:
        super().__init__(training, len(rates))
        self._rates = rates

    def __call__(self, update: int) -> float:
        return self._rates[min(max(update, 1), len(self._rates)) - 1]


def _one_cycle(done: float) -> float:
    """Linear up to the peak, then down to nearly 0 by half a cosine.

    Smith, "A disciplined approach to neural network hyper-parameters: part 1", 2018.
    """
    if done < RISE:
        return START + (1 - START) * done / RISE
    return END + (1 - END) * _half_cosine((done - RISE) / (1 - RISE))


def _half_cosine(done: float) -> float:
    """From 1 to 0 as `done` goes from 0 to 1. Loshchilov and Hutter, "SGDR", 2017."""
    return (1 + math.cos(math.pi * done)) / 2
