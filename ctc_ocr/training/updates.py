"""Updates of the weights, one after the other, and whether they diverge."""

import math
from collections.abc import Sequence

import numpy as np

from ctc_ocr.checkpoint.description import Model
from ctc_ocr.config.sections import Training
from ctc_ocr.datasets.iterator import BatchIter
from ctc_ocr.runtime.types import Context, DataBatch, MXArray
from ctc_ocr.training.divergence import Diverged, diverged, largest_loss, what_is_wrong, what_is_wrong_with
from ctc_ocr.training.network import TrainingNetwork
from ctc_ocr.training.schedules import Schedule
from ctc_ocr.training.weight_averages import WeightAverages
from ctc_ocr.training.workers import NO_WISHES, OneWorker, Wishes


class Updates:
    """The updates of a worker's network, which need not belong to a run. `done`: how many there were, those before a
    run was resumed included. `largest_loss`: a mean loss above it has exploded.

    An update has two halves, `begin` and `finish`; between them, the network works while the caller does something
    else.
    """

    def __init__(self, model: Model, data: BatchIter, contexts: Sequence[Context], workers: OneWorker) -> None:
        self.settings = model.hyperparameters.training
        self.network = TrainingNetwork(model, data, contexts, workers)
        self.averages = WeightAverages(self.network, self.settings.average_power)
        self.done = 0
        self._workers = workers
        self.largest_loss = largest_loss(model.hyperparameters.geometry.num_steps, model.alphabet.num_classes)

    def schedule(self, settings: Training, schedule: Schedule, done: int = 0) -> None:
        """Go on after so many updates with a new optimizer, whose learning rate follows the schedule."""
        self.done = done
        self.network.init_optimizer(settings, schedule, self.done)

    def begin(self, batch: DataBatch) -> list[MXArray]:
        """Begin an update: the outputs of the network for the batch, which are being computed."""
        return self.network.begin_update(batch, _seed_of(self.settings.seed, self.done, self._workers.rows.rank))

    def finish(self, wishes: Wishes) -> Wishes:
        """Change the weights; returns what any worker wished."""
        done = self.network.finish_update(wishes)
        self.done += 1
        self.averages.add(self.done)
        return done

    def make(self, batch: DataBatch) -> list[MXArray]:
        """A whole update: the outputs of the network, before it, for the batch."""
        outputs = self.begin(batch)
        self.finish(NO_WISHES)
        return outputs

    def what_is_wrong(self, loss: float) -> str | None:
        """Why this worker's updates, or the loss of its batch, show that the training has diverged; None if they do
        not."""
        return what_is_wrong(self.network.finite, loss, self.largest_loss)

    def check(self, loss: float) -> None:
        """Raises Diverged if something is wrong with any worker's updates; `loss`: of its own last batch."""
        wrong = self.what_is_wrong(loss)
        if self._workers.any(wrong is not None):
            raise self.error_of_all(wrong, loss)

    def error_of_all(self, wrong: str | None, loss: float) -> Diverged:
        """What every worker raises, once any of them has found something wrong. `wrong`: what this one has found in its
        own updates. If it is nothing, the loss of another one is wrong: the vectors of all are the same."""
        losses = [own for (own,) in self._workers.gather([loss])]
        worst = next((each for each in losses if not math.isfinite(each)), max(losses))
        reason = wrong or what_is_wrong_with(worst, self.largest_loss)
        assert reason is not None
        return diverged(reason, self.done)


def _seed_of(seed: int, update: int, rank: int) -> int:
    """A seed of a worker's update for MXNet, which accepts those below 2**31."""
    keys = [seed, update, rank] if rank else [seed, update]
    return int(np.random.SeedSequence(keys).generate_state(1)[0] >> 1)
