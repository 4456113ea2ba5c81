"""The learning rate as a function of the update; for `plateau` and `wsd` also of how validation went."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ctc_ocr.config.sections import Training
from ctc_ocr.training.run_state import RunState

RISE = 0.3  # fraction of the updates in which one_cycle rises
MAX_WARMUP = 0.5  # fraction of the updates: in a short run, a warm-up of the usual length would leave nothing
RESTART_FACTOR = 0.5  # of the rate, for each time that the run diverged
START, END = 1 / 25, 1e-4  # where one_cycle starts and ends, as fractions of the peak


@dataclass(frozen=True)
class Course:
    """What a rate depends on besides the settings, of updates that belong to no run; see Schedule."""

    num_updates: int
    decay_from: int = 0
    reductions: int = 0
    restarts: int = 0


class Schedule:
    """MXNet's optimizer calls it with the number of the update, from 1; after `num_updates` of the course the rate
    stays.

    The course of a run is its state, which changes while the schedule is in use. `decay_from` is the update after which
    `wsd` falls to 0. `reductions` is how often validation stalled for plateau_patience epochs; only `plateau` uses it.
    `restarts`: how often the run diverged and went back; each time, the rate is lower.
    """

    def __init__(self, training: Training, course: Course | RunState) -> None:
        self.base_lr = training.learning_rate  # the name under which MXNet looks for the peak, and sets it
        self._training, self._course = training, course

    def __call__(self, update: int) -> float:
        course = self._course
        return self.base_lr * RESTART_FACTOR**course.restarts * self._factor(min(update, course.num_updates))

    def _factor(self, update: int) -> float:
        """The learning rate as a fraction of the peak."""
        num_updates = self._course.num_updates
        if num_updates == 1:
            return 1.0  # the only update is not the last one of a decay, which changes nothing
        if self._training.schedule == "one_cycle":
            return _one_cycle(update / num_updates)
        warmup = min(self._training.warmup_updates, int(MAX_WARMUP * num_updates))
        if update < warmup:
            return update / warmup
        if self._training.schedule == "cosine":
            return _half_cosine((update - warmup) / (num_updates - warmup))
        if self._training.schedule == "wsd":
            return _decay(update, self._course.decay_from, num_updates)
        if self._training.schedule == "plateau":
            return self._training.plateau_factor**self._course.reductions
        return 1.0


class GivenRates(Schedule):
    """A learning rate for each update."""

    def __init__(self, training: Training, rates: Sequence[float]) -> None:
        super().__init__(training, Course(len(rates)))
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


def _decay(update: int, start: int, end: int) -> float:
    """1 up to the update `start`, then down to 0 at `end` by one minus the square root of what is done.

    Hägele et al., "Scaling laws and compute-optimal training beyond fixed training durations", 2024.
    """
    if update <= start:
        return 1.0
    return 1.0 - math.sqrt((update - start) / (end - start))


def _half_cosine(done: float) -> float:
    """From 1 to 0 as `done` goes from 0 to 1. Loshchilov and Hutter, "SGDR", 2017."""
    return (1 + math.cos(math.pi * done)) / 2
