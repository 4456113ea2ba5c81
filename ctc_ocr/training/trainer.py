"""The training loop: updates, validation, checkpoints, and the events for callbacks."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.checkpoint import model_files
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.history import Row
from ctc_ocr.checkpoint.model_files import Checkpoint
from ctc_ocr.checkpoint.provenance import from_folder, path_from, path_of
from ctc_ocr.checkpoint.training_state import checksum, save_training_state
from ctc_ocr.config.sections import Training
from ctc_ocr.datasets.iterator import BatchIter
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Context, DataBatch, MXArray
from ctc_ocr.training.averaging import average, best_share
from ctc_ocr.training.best import Best
from ctc_ocr.training.budget import Budget
from ctc_ocr.training.events import BatchEnd, Callback, EpochEnd, Progress, Saved, ValidationPrediction
from ctc_ocr.training.interrupts import Interrupts
from ctc_ocr.training.network import TrainingNetwork
from ctc_ocr.training.parameter_vector import FOREIGN_STATE
from ctc_ocr.training.resume import TRAINED, ResumePoint, check_resumable
from ctc_ocr.training.running_average import RunningAverage
from ctc_ocr.training.schedules import GivenRates, Schedule
from ctc_ocr.training.sums import Clock, Sums
from ctc_ocr.training.transfer import Transferred, transfer, warn_of_other_pixels
from ctc_ocr.training.validating import validate
from ctc_ocr.training.workers import ALONE, OneWorker

# Hyperparameters that, changed, give a run that has ended more to do, or less.
MORE_TRAINING = ("num_epoch", "max_minutes", "stop_patience", "schedule", "decay_fraction")
PROGRESS_EVERY = 50  # batches, as in MXNet's example

log = logging.getLogger(__name__)


class Trainer:
    """Trains a model on one or several devices; `callbacks` get the events of training/events.py, in their order.

    Of several `workers`, each has a trainer, with the same model and its own rows of the same batches; only the first
    one calls callbacks and saves.

    `fingerprint` identifies the images: a run can be resumed only with the same ones. The state of a run is what save()
    writes and resume() reads: weights, optimizer state, progress, and how validation went.
    """

    def __init__(
        self,
        model: Model,
        data: BatchIter,
        contexts: Sequence[Context],
        callbacks: Sequence[Callback] = (),
        fingerprint: str = "",
        workers: OneWorker = ALONE,
    ) -> None:
        self.model = model
        self._start: Path | None = None  # of another model
        self._start_values: dict[str, NDArray[np.float32]] = {}  # parameters and moving averages at the start from it
        self.epochs_done = 0
        self.batches_done = 0  # of the epoch under way
        self.best = Best()
        self.history: list[Row] = []  # of the epochs that are done
        self.budget = Budget()
        self.network = TrainingNetwork(model, data, contexts, workers)
        self._workers = workers
        self._settings = model.hyperparameters.training
        self._num_batches = data.num_batches
        self._samples_per_epoch = data.num_samples
        self._fingerprint = fingerprint
        self._callbacks = callbacks
        self._running_average = RunningAverage(self._settings.average_power) if self._settings.average_power else None
        self._trained: dict[str, NDArray[np.float32]] = {}  # the weights, while the network has their average
        self.budget.start(self._settings, epochs_done=0)
        self._init_optimizer(self._settings, self._num_updates)

    def _init_optimizer(self, settings: Training, num_updates: int, reductions: int = 0) -> None:
        self._schedule = Schedule(settings, num_updates, reductions, self._updates_before_decay)
        self.network.init_optimizer(settings, self._schedule, self.updates_done)

    @property
    def _num_updates(self) -> int:
        """Updates of the whole run, as far as is known now."""
        return int(self.budget.end * self._num_batches)

    @property
    def _updates_before_decay(self) -> int:
        return int(self.budget.decay_from * self._num_batches)

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing left to do: the budget is used up, or early stopping ended the run."""
        return self.epochs_done >= self.budget.end or self._stalled()

    @property
    def stands_still(self) -> bool:
        """Whether validation ended the run, or will."""
        return self.budget.stopped or self._stalled()

    @property
    def updates_done(self) -> int:
        """Updates since the run began."""
        return int(self.epochs_done * self._num_batches + self.batches_done)

    def fit(
        self,
        data: BatchIter,
        validation: BatchIter,
        prefix: str,
        waited: Callable[[], float],
        interrupts: Interrupts | None = None,
    ) -> bool:
        """Train until the last epoch, the target accuracy, or early stopping; write a checkpoint per epoch.

        `data` continues after updates_done; `waited` returns the seconds spent waiting for it so far. Returns False if
        Ctrl-C, or what `interrupts` takes for it, ended the run before: its state at that moment is saved as the
        checkpoint of the epoch under way. Raises RunError if the loss is no longer finite.
        """
        target = self._settings.target_accuracy
        with interrupts or Interrupts() as interrupts:
            while not self.has_ended:
                clock, started = Clock(waited), time.perf_counter()
                sums = self._train_epoch(data, interrupts, waited)
                if self.batches_done < self._num_batches:
                    self.save(prefix, self.epochs_done + 1)
                    return False
                seconds, waiting = clock.read()
                self.epochs_done, self.batches_done = self.epochs_done + 1, 0
                rate = self._schedule(self.updates_done)
                self._use_average()
                validated, predictions = self._validate(validation)
                best_before = replace(self.best)
                self._record(validated, self._workers.of_first(time.perf_counter() - started))
                if self._start_values and (self.has_ended or (target and validated.tally.accuracy >= target)):
                    validated, predictions = self._average(validation, validated, predictions)
                    self.best = best_before
                    self.best.add(self.epochs_done, validated.tally.cer, validated.mean_loss)
                end = self._epoch_end(sums, validated, predictions, seconds, waiting, rate)
                self.history.append(end.row)
                self.save(prefix, self.epochs_done)
                self._emit(end)
                if target and validated.tally.accuracy >= target:
                    return True
                if not self.has_ended and self._workers.any(interrupts.requested):
                    return False
            self._log_why_it_ended()
        return True

    def _stalled(self) -> bool:
        patience = self._settings.stop_patience
        return self._settings.schedule != "wsd" and 0 < patience <= self.best.epochs_since

    def _log_why_it_ended(self) -> None:
        if self._stalled():
            log.info("Early stopping: no improvement in %d epochs", self.best.epochs_since)
        if target := self._settings.target_accuracy:
            log.info("Target accuracy %s not reached; train longer with a larger --num_epoch", target)

    def _record(self, validated: Sums, seconds: float) -> None:
        """Update the best validation, the budget, and what the learning rate follows from."""
        cer, loss = validated.tally.cer, validated.mean_loss
        self.best.add(self.epochs_done, cer, loss)
        self.budget.after_epoch(self._settings, self.epochs_done, seconds, cer, loss)
        self._schedule.num_updates, self._schedule.decay_from = self._num_updates, self._updates_before_decay
        since, patience = self.best.epochs_since, self._settings.plateau_patience
        if self._settings.schedule == "plateau" and since > 0 and since % patience == 0:
            self._schedule.reductions += 1
            rate = self._schedule(self.updates_done + 1)
            log.info("No improvement in %d epochs: learning rate reduced to %.3g", since, rate)

    def _train_epoch(self, data: BatchIter, interrupts: Interrupts, waited: Callable[[], float]) -> Sums:
        """The rest of the epoch under way; ends after an update when Ctrl-C was pressed."""
        whole, part, clock = Sums(), Sums(), Clock(waited)
        pending, stop = None, False
        for batch in data:
            outputs = self._begin_update(batch)
            # The metrics of the batch before are computed while the network works on this one.
            _count(pending, whole, part)
            pending = (outputs, batch)
            stop = self._finish_update(interrupts.requested)
            size = data.size_of(self.batches_done)
            self.batches_done += 1
            self._emit(BatchEnd(self.epochs_done, self.batches_done, self._num_batches, size))
            if self.batches_done % PROGRESS_EVERY == 0:
                self._emit_progress(part, clock)
                part, clock = Sums(), Clock(waited)
            self._check_finite(whole)
            # Several workers stop together: each asks with its next update.
            if stop or (interrupts.requested and self._workers.count == 1):
                break
        _count(pending, whole)
        self._check_finite(whole)
        if self.batches_done == self._num_batches:
            data.reset()
        return self._of_all(whole)

    def _begin_update(self, batch: DataBatch) -> list[MXArray]:
        return self.network.begin_update(
            batch, _seed_of(self._settings.seed, self.updates_done, self._workers.rows.rank)
        )

    def _update(self, batch: DataBatch) -> list[MXArray]:
        outputs = self._begin_update(batch)
        self._finish_update(stop=False)
        return outputs

    def _finish_update(self, stop: bool) -> bool:
        """Returns whether any worker asked to stop."""
        stop = self.network.finish_update(stop)
        if self._running_average is not None:
            self._running_average.add(self.network.vectors(), self.updates_done + 1)
        return stop

    def _use_average(self) -> None:
        """Replace the weights by their running average, if there is one, until `_use_trained`: to validate and save.
        After this, all workers have the same."""
        if self._trained:
            return
        self.network.share_moving_averages()
        average = self._running_average.arrays if self._running_average is not None else {}
        if average:
            self.network.share_moving_averages(average.get("moving averages"))
            self._trained = self._values()
            self.network.set_vectors(average)

    def _use_trained(self) -> None:
        """Put the weights back with which training goes on."""
        self._set_values(self._trained)
        self._trained = {}

    def _of_all(self, sums: Sums) -> Sums:
        """The sums of all workers."""
        return Sums.of_values(self._workers.sum_values(sums.values()))

    def _emit_progress(self, own: Sums, clock: Clock) -> None:
        part = self._of_all(own)
        self._emit(
            Progress(
                epoch=self.epochs_done,
                batch=self.batches_done,
                num_batches=self._num_batches,
                update=self.updates_done,
                speed=part.tally.count / clock.read()[0],
                learning_rate=self._schedule(self.updates_done),
                loss=part.mean_loss,
                accuracy=part.tally.accuracy,
                cer=part.tally.cer,
            )
        )

    def _check_finite(self, sums: Sums) -> None:
        if not np.isfinite(sums.loss):
            raise RunError(f"the loss is not finite after {self.updates_done} updates; try a lower --learning_rate")

    def _validate(self, validation: BatchIter) -> tuple[Sums, tuple[ValidationPrediction, ...]]:
        num_steps = self.model.hyperparameters.geometry.num_steps
        return validate(self.network, validation, self._workers, num_steps, self.model.alphabet.decode)

    def _average(
        self, validation: BatchIter, validated: Sums, predictions: tuple[ValidationPrediction, ...]
    ) -> tuple[Sums, tuple[ValidationPrediction, ...]]:
        """Replace the weights by their average with those of the start, if validation is better with it. Returns the
        validation of the weights that are left."""
        trained = self._values()
        results = {1.0: (validated, predictions)}

        def loss_at(share: float) -> float:
            self._set_values(average(self._start_values, trained, share))
            results[share] = self._validate(validation)
            return results[share][0].mean_loss

        share = best_share(loss_at, validated.mean_loss)
        self._set_values(trained if share == 1.0 else average(self._start_values, trained, share))
        if share < 1.0:
            log.info(
                "Weights averaged with those of the start: validation loss %.3f with %.0f %% of the trained ones, "
                "%.3f without", results[share][0].mean_loss, 100 * share, validated.mean_loss,
            )  # fmt: skip
        return results[share]

    def _values(self) -> dict[str, NDArray[np.float32]]:
        """{name: array} of all parameters and moving averages."""
        arguments, auxiliary = self.network.parameters()
        return {name: array.asnumpy() for name, array in {**arguments, **auxiliary}.items()}

    def _set_values(self, values: Mapping[str, NDArray[np.float32]]) -> None:
        """Replace all parameters and moving averages; {} leaves them."""
        if not values:
            return
        arguments, auxiliary = self.network.parameters()
        arrays = {name: mx.nd.array(value) for name, value in values.items()}
        self.network.set_parameters({n: arrays[n] for n in arguments}, {n: arrays[n] for n in auxiliary})

    def _epoch_end(
        self,
        train: Sums,
        validated: Sums,
        predictions: tuple[ValidationPrediction, ...],
        seconds: float,
        waiting: float,
        learning_rate: float,
    ) -> EpochEnd:
        return EpochEnd(
            epoch=self.epochs_done - 1,
            update=self.updates_done,
            samples=self.epochs_done * self._samples_per_epoch,
            seconds=seconds,
            speed=train.tally.count / seconds,
            waiting=waiting,
            learning_rate=learning_rate,
            train_loss=train.mean_loss,
            train_accuracy=train.tally.accuracy,
            train_cer=train.tally.cer,
            validation_loss=validated.mean_loss,
            validation_accuracy=validated.tally.accuracy,
            validation_cer=validated.tally.cer,
            validation_lcs_ratio=validated.tally.lcs_ratio,
            blank_fraction=validated.blank_fraction,
            empty_fraction=validated.empty_fraction,
            best_epoch=self.best.epoch,
            seconds_left=self.budget.seconds_left(self._settings, self.epochs_done),
            predictions=predictions,
        )

    def overfit(self, batch: DataBatch, num_updates: int) -> tuple[int, float, float]:
        """Overfit one batch, in at most `num_updates` updates: (updates made, loss, accuracy) at the end.

        The learning rate does not decay, however soon the run itself would have ended.
        """
        self._init_optimizer(replace(self._settings, schedule="constant"), num_updates)
        updates, sums = 0, Sums()
        while updates < num_updates and sums.tally.accuracy != 1.0:
            outputs = self._update(batch)
            updates, sums = updates + 1, Sums()
            _count((outputs, batch), sums)
        return updates, sums.mean_loss, sums.tally.accuracy

    def losses_at(self, rates: Sequence[float], data: BatchIter) -> Iterator[float]:
        """An update with each of these learning rates in turn: the loss (nats per sample) of its batch before it."""
        self.network.init_optimizer(self._settings, GivenRates(self._settings, rates), 0)
        batches = _endless(data)
        for _ in rates:
            batch, sums = next(batches), Sums()
            _count((self._update(batch), batch), sums)
            self.batches_done += 1  # the seed of what dropout drops
            yield sums.mean_loss

    def save(self, prefix: str, epoch: int) -> None:
        """Write the checkpoint of an epoch, as the first worker: the optimizer state first, the parameters last. These
        are their running average, if there is one; the state then has the parameters themselves."""
        self._use_average()
        if self._workers.is_first:
            self._write(prefix, epoch)
        self._use_trained()

    def _write(self, prefix: str, epoch: int) -> None:
        arguments, auxiliary = self.network.parameters()
        values = {
            "epochs_done": self.epochs_done,
            "batches_done": self.batches_done,
            "num_batches": self._num_batches,
            "falls": self._schedule.reductions,
            "best": asdict(self.best),
            "budget": asdict(self.budget),
            "history": [astuple(row) for row in self.history],
            "checksum": checksum(arguments),
            "data": self._fingerprint,
        }
        trained = {f"{TRAINED}{name}": array for name, array in self._trained.items()}
        save_training_state(prefix, epoch, {**self.network.optimizer_state(), **trained}, values)
        model = self.model
        if self._start is not None:
            model = replace(model, init_from=from_folder(self._start, prefix))
        path = model_files.save(prefix, epoch, self.network.symbol, arguments, auxiliary, model)
        self._emit(Saved(str(path)))

    def resume(self, point: ResumePoint, start: Checkpoint | None = None) -> None:
        """Continue a run: its weights, optimizer state and progress. `start`: the model that it started from. Raises
        InputError if it would be another run."""
        check_resumable(point, self.model, self._num_batches, self._fingerprint)
        if start is not None:
            self._start_values, _ = self._transferred(start)
        self.network.set_parameters(point.checkpoint.arg_params, point.checkpoint.aux_params)
        self.epochs_done, self.batches_done = point.epochs_done, point.batches_done
        self.best, self.budget, self.history = replace(point.best), point.budget, list(point.history)
        before = point.model.hyperparameters.training
        if any(getattr(before, name) != getattr(self._settings, name) for name in MORE_TRAINING):
            self.budget.start(self._settings, self.epochs_done)
        if point.model.init_from is not None:
            self._start = path_from(point.model.init_from, point.prefix)
        self._init_optimizer(self._settings, self._num_updates, point.reductions)
        try:
            self._restore_trained(point.trained)
            self.network.restore_optimizer(point.optimizer_state)
        except InputError as error:
            raise error.within(point.state_file) from None

    def _restore_trained(self, trained: Mapping[str, NDArray[np.float32]]) -> None:
        """Go on with these weights, and with those of the checkpoint as their average; {}: the checkpoint's are not an
        average. Raises InputError for those of another network."""
        if not trained:
            return
        if {name: array.shape for name, array in trained.items()} != {n: a.shape for n, a in self._values().items()}:
            raise InputError(FOREIGN_STATE)
        if self._running_average is not None:
            self._running_average.restore(self.network.vectors())
        self._set_values(trained)

    def initialise_from(self, checkpoint: Checkpoint) -> Transferred:
        """Start from the weights of another model, as far as they fit; see transfer. Returns what was copied.

        Raises InputError if nothing fits, or the model's alphabet is not known.
        """
        self._start_values, transferred = self._transferred(checkpoint)
        self._set_values(self._start_values)
        self._start = path_of(checkpoint.stored)
        log.info("Starting from %s: %s", checkpoint.params_file, transferred)
        assert checkpoint.model is not None
        warn_of_other_pixels(checkpoint.model.hyperparameters, self.model.hyperparameters)
        return transferred

    def _transferred(self, checkpoint: Checkpoint) -> tuple[dict[str, NDArray[np.float32]], Transferred]:
        """The network's values with those of another model, as far as they fit, and what was copied."""
        if checkpoint.model is None:
            raise InputError("missing: it has the model's alphabet", checkpoint.description_file)
        stored = {**checkpoint.arg_params, **checkpoint.aux_params}
        other = {name: array.asnumpy() for name, array in stored.items()}
        turned = checkpoint.model.hyperparameters.data.writing != self.model.hyperparameters.data.writing
        try:
            return transfer(self._values(), self.model.alphabet, other, checkpoint.model.alphabet, turned)
        except InputError as error:
            raise error.within(checkpoint.params_file) from None

    def _emit(self, event: Any) -> None:
        if self._workers.is_first:
            for callback in self._callbacks:
                callback(event)


def _endless(data: BatchIter) -> Iterator[DataBatch]:
    """Batches of one epoch after the other."""
    while True:
        yield from data
        data.reset()


def _seed_of(seed: int, update: int, rank: int) -> int:
    """A seed of a worker's update for MXNet, which accepts those below 2**31."""
    keys = [seed, update, rank] if rank else [seed, update]
    return int(np.random.SeedSequence(keys).generate_state(1)[0] >> 1)


def _size(batch: DataBatch) -> int:
    """Samples of a batch, without padding."""
    return int(batch.data[0].shape[0] - batch.pad)


def _count(finished: tuple[list[MXArray], DataBatch] | None, *sums: Sums) -> list[list[int]]:
    """Add a batch's outputs to each of `sums`; returns the predictions, as codes."""
    predictions: list[list[int]] = []
    if finished is not None:
        (losses_of_batch, best_path), batch = finished
        size = _size(batch)
        arrays = [each.asnumpy()[:size] for each in (losses_of_batch, best_path, batch.label[0])]
        for each in sums:
            predictions = each.add(*arrays)
    return predictions
