"""The learning rate as a function of the step, and for `plateau` of how often validation stood still."""

import math

from ctc_ocr.config.sections import Training

RISE = 0.3  # share of the steps in which one_cycle rises
LONGEST_WARMUP = 0.5  # share of the steps: of a short run, a warm-up of the usual length would leave nothing
START, END = 1 / 25, 1e-4  # where one_cycle begins and ends, as shares of the peak


class Schedule:
    """Called by MXNet's optimizer with the number of the step, from 1; steps after `num_steps` are as the last one.

    `falls` is how often validation stood still for plateau_patience epochs, which only `plateau` minds.
    """

    def __init__(self, training: Training, num_steps: int, falls: int = 0) -> None:
        self.base_lr = training.learning_rate  # the name under which MXNet looks for the peak
        self.falls = falls
        self._training = training
        self._num_steps = num_steps

    def __call__(self, step: int) -> float:
        return self.base_lr * self._share(min(step, self._num_steps))

    def _share(self, step: int) -> float:
        """The learning rate of a step as a share of the peak."""
        if self._training.schedule == "one_cycle":
            return _one_cycle(step / self._num_steps)
        warmup = min(self._training.warmup_updates, int(LONGEST_WARMUP * self._num_steps))
        if step < warmup:
            return step / warmup
        if self._training.schedule == "cosine":
            return _half_cosine((step - warmup) / (self._num_steps - warmup))
        if self._training.schedule == "plateau":
            return self._training.plateau_factor**self.falls
        return 1.0


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
