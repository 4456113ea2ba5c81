"""The training loop: updates, validation, checkpoints, and the events for callbacks."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.history import best_row
from ctc_ocr.checkpoint.model_files import Checkpoint
from ctc_ocr.checkpoint.provenance import path_from, path_of
from ctc_ocr.checkpoint.training_state import checksum
from ctc_ocr.datasets.iterator import BatchIter
from ctc_ocr.errors import InputError
from ctc_ocr.generation.pool import WaitInterrupted
from ctc_ocr.runtime.signals import interruption
from ctc_ocr.runtime.types import Context, DataBatch, MXArray
from ctc_ocr.training.divergence import diverged
from ctc_ocr.training.epoch_end import epoch_end
from ctc_ocr.training.events import BatchEnd, Callback, Progress, Saved, StateSaved, ValidationPrediction
from ctc_ocr.training.interrupts import Interrupts
from ctc_ocr.training.resume import ResumePoint, check_fraction, check_parameters, check_resumable
from ctc_ocr.training.run_state import RunState
from ctc_ocr.training.saving import Saving, own_sums, own_vectors
from ctc_ocr.training.schedules import Schedule
from ctc_ocr.training.start import warn_of_lost_start
from ctc_ocr.training.sums import Clock, Sums, count_batch
from ctc_ocr.training.transfer import Transferred, transfer_checkpoint, warn_of_other_pixels
from ctc_ocr.training.updates import Updates
from ctc_ocr.training.validating import validate
from ctc_ocr.training.workers import ALONE, OneWorker, Wishes

# Hyperparameters that, changed, give a run that has ended more to do, or less.
MORE_TRAINING = ("num_epoch", "max_minutes", "stop_patience", "schedule", "decay_fraction")
FORESEEN_FROM = 16  # updates: the first ones are slower
PROGRESS_EVERY = 50  # batches, as in MXNet's example

Pending = tuple[list[MXArray], DataBatch] | None  # outputs of a batch whose metrics are to be computed

log = logging.getLogger(__name__)


class Trainer:
    """Trains a model on one or several devices; `callbacks` get the events of training/events.py, in their order.

    Of several `workers`, each has a trainer, with the same model and its own rows of the same batches; only the first
    one calls callbacks and saves.

    `fingerprint` and `validation_fraction` are those of RunState. What save() writes and resume() reads is
    the run's `state`, with the weights and the optimizer's state.
    """

    def __init__(
        self,
        model: Model,
        data: BatchIter,
        contexts: Sequence[Context],
        callbacks: Sequence[Callback] = (),
        fingerprint: str = "",
        workers: OneWorker = ALONE,
        validation_fraction: float = 0.0,
    ) -> None:
        self.model = model
        self.state = RunState(data.num_batches, fingerprint, validation_fraction)
        self.updates = Updates(model, data, contexts, workers)
        self.network, self._averages = self.updates.network, self.updates.averages
        self._workers = workers
        self._settings = model.hyperparameters.training
        self._samples_per_epoch = data.num_samples
        self._callbacks = callbacks
        self._saving = Saving(model, self.network, self._averages, workers)
        self._saved = time.monotonic()  # when something was saved last
        self._began = time.perf_counter()  # when the epoch under way began, without interruptions
        self._carried: list[float] | None = None  # own sums of the epoch under way, before the run was resumed
        self.epochs_saved = 0  # the newest epoch that this run has saved as a whole, or was resumed from
        self._own_sums = Sums()  # of the epoch under way
        self.state.budget.start(self._settings, epochs_done=0)
        self._init_optimizer()

    def _init_optimizer(self) -> None:
        self._schedule = Schedule(self._settings, self.state)
        self.updates.schedule(self._settings, self._schedule, self.updates_done)

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing left to do: the target is reached, or the budget is used up, or early stopping ended
        the run."""
        return self.has_reached_target or self.state.epochs_done >= self.state.budget.end or self._stalled()

    @property
    def has_reached_target(self) -> bool:
        """Whether the last epoch has the accuracy that ends the run."""
        target = self._settings.target_accuracy
        return bool(target and self.state.history) and self.state.history[-1].validation_accuracy >= target

    @property
    def stands_still(self) -> bool:
        """Whether validation ended the run, or will."""
        return self.state.budget.stopped or self._stalled()

    @property
    def updates_done(self) -> int:
        """Updates since the run began."""
        return self.state.updates_done

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
        checkpoint of the epoch under way. Before the first update there is nothing to save: that raises
        KeyboardInterrupt. Raises Diverged if weights or loss are no longer finite, or the loss explodes.
        """
        with interrupts or Interrupts() as interrupts:
            while not self.has_ended:
                clock = Clock(waited, self.state.seconds)
                self._began = time.perf_counter() - self.state.seconds
                sums = self._train_epoch(data, interrupts, waited, prefix)
                if self.state.batches_done < self.state.num_batches:
                    if not self.updates_done:
                        raise interruption(interrupts.number)
                    self.state.seconds, _ = clock.read()
                    self.save(prefix, self.state.epochs_done + 1)
                    return False
                if self._end_epoch(sums, validation, prefix, clock):
                    return True
                if not self.has_ended and self._workers.any(interrupts.requested):
                    return False
            self._log_why_it_ended()
        return True

    def _end_epoch(self, sums: Sums, validation: BatchIter, prefix: str, clock: Clock) -> bool:
        """Validate, and write the epoch's checkpoint: whether the target accuracy is reached."""
        seconds, waiting = clock.read()
        self.state.seconds = 0.0
        self.state.epochs_done, self.state.batches_done = self.state.epochs_done + 1, 0
        rate = self._schedule(self.updates_done)
        validated, predictions = self._validate_epoch(validation)
        end = epoch_end(
            sums, validated, predictions, epoch=self.state.epochs_done - 1, update=self.updates_done,
            samples=self.state.epochs_done * self._samples_per_epoch, seconds=seconds, waiting=waiting,
            learning_rate=rate, best_epoch=0,
            seconds_left=self.state.budget.seconds_left(self._settings, self.state.epochs_done),
        )  # fmt: skip
        self.state.history.append(end.row)
        end = replace(end, best_epoch=best_row(self.state.history).epoch)
        self.save(prefix, self.state.epochs_done)
        self.epochs_saved = self.state.epochs_done
        self._emit(end)
        return self.has_reached_target

    def _validate_epoch(self, validation: BatchIter) -> tuple[Sums, tuple[ValidationPrediction, ...]]:
        """Validate the epoch that has ended, and decide what follows from it: the last one may keep other weights."""
        self._averages.use()
        self._saving.check()
        validated, predictions = self._validate(validation)
        if not np.isfinite(validated.mean_loss):
            raise diverged("the validation loss is not finite", self.updates_done)
        best_before = replace(self.state.best)
        self._record(validated, self._workers.of_first(time.perf_counter() - self._began))
        self._began = time.perf_counter()
        target, stalled_for = self._settings.target_accuracy, self.state.best.epochs_since
        if self._averages.start and (self.has_ended or (target and validated.tally.accuracy >= target)):
            validated, predictions = self._averages.with_start(
                lambda: self._validate(validation), validated, predictions
            )
            best = self.state.best = best_before
            best.add(validated.tally.cer, validated.mean_loss)
            best.epochs_since = max(best.epochs_since, stalled_for)  # a better average ends the run as well
        return validated, predictions

    def _stalled(self) -> bool:
        patience = self._settings.stop_patience
        return self._settings.schedule != "wsd" and 0 < patience <= self.state.best.epochs_since

    def _log_why_it_ended(self) -> None:
        if self._stalled():
            log.info("Early stopping: no improvement in %d epochs", self.state.best.epochs_since)
        if target := self._settings.target_accuracy:
            log.info("Target accuracy %s not reached; train longer with a larger --num_epoch", target)

    def _record(self, validated: Sums, seconds: float) -> None:
        """Update the best validation, the budget, and how often the learning rate was reduced."""
        cer, loss = validated.tally.cer, validated.mean_loss
        self.state.best.add(cer, loss)
        self.state.budget.after_epoch(self._settings, self.state.epochs_done, seconds, cer, loss, validated.tally.count)
        since, patience = self.state.best.epochs_since, self._settings.plateau_patience
        if self._settings.schedule == "plateau" and since > 0 and since % patience == 0:
            self.state.reductions += 1
            rate = self._schedule(self.updates_done + 1)
            log.info("No improvement in %d epochs: learning rate reduced to %.3g", since, rate)

    def _train_epoch(self, data: BatchIter, interrupts: Interrupts, waited: Callable[[], float], prefix: str) -> Sums:
        """The rest of the epoch under way; ends after an update when Ctrl-C was pressed."""
        whole = self._own_sums = Sums() if self._carried is None else Sums.of_values(self._carried)
        self._carried = None
        part, clock, epoch_clock = Sums(), Clock(waited), Clock(waited, self.state.seconds)
        pending: Pending = None
        for batch in _until_interrupted(data):
            outputs = self.updates.begin(batch)
            # The metrics of the batch before are computed while the network works on this one.
            loss = count_batch(pending, whole, part)
            wrong = self.updates.what_is_wrong(loss)
            pending = (outputs, batch)
            done = self.updates.finish(Wishes(interrupts.requested, self._is_due(), wrong is not None))
            size = data.size_of(self.state.batches_done)
            self.state.batches_done += 1
            if done.give_up:
                raise self.updates.error_of_all(wrong, loss)
            self._emit(BatchEnd(self.state.epochs_done, self.state.batches_done, self.state.num_batches, size))
            self._foresee(epoch_clock)
            if self.state.batches_done % PROGRESS_EVERY == 0:
                self._emit_progress(part, clock)
                part, clock = Sums(), Clock(waited)
            # Several workers stop together: each asks with its next update.
            if done.stop or (interrupts.requested and self._workers.count == 1):
                break
            if done.save and self.state.batches_done < self.state.num_batches:
                self.updates.check(count_batch(pending, whole, part))
                pending = None
                self._save_unfinished(prefix, epoch_clock.read()[0])
        self.updates.check(count_batch(pending, whole))
        if self.state.batches_done == self.state.num_batches:
            data.reset()
        return self._of_all(whole)

    def _foresee(self, clock: Clock) -> None:
        """After 16, 32, 64 ... updates of the first epoch, which may be a long one: what fits into --max_minutes, so
        that the learning rate falls within them."""
        state, done = self.state, self.state.batches_done
        if self._settings.max_minutes and state.epochs_done == 0 and done >= FORESEEN_FROM and done & (done - 1) == 0:
            seconds = self._workers.of_first(clock.read()[0])
            state.budget.foresee(self._settings, seconds * state.num_batches / done)

    def _is_due(self) -> bool:
        """Whether the state within the epoch is to be saved: the first worker's clock decides."""
        minutes = self._settings.checkpoint_minutes
        return bool(minutes) and self._workers.is_first and time.monotonic() - self._saved >= 60 * minutes

    def _of_all(self, sums: Sums) -> Sums:
        """The sums of all workers."""
        return Sums.of_values(self._workers.sum_values(sums.values()))

    def _emit_progress(self, own: Sums, clock: Clock) -> None:
        part = self._of_all(own)
        self._emit(
            Progress(
                epoch=self.state.epochs_done,
                batch=self.state.batches_done,
                num_batches=self.state.num_batches,
                update=self.updates_done,
                speed=part.tally.count / clock.read()[0],
                learning_rate=self._schedule(self.updates_done),
                loss=part.mean_loss,
                accuracy=part.tally.accuracy,
                cer=part.tally.cer,
            )
        )

    def _validate(self, validation: BatchIter) -> tuple[Sums, tuple[ValidationPrediction, ...]]:
        num_steps = self.model.hyperparameters.geometry.num_steps
        return validate(self.network, validation, self._workers, num_steps, self.model.alphabet.decode)

    def save(self, prefix: str, epoch: int) -> None:
        """Write the checkpoint of an epoch, as the first worker. Raises Diverged for what is not finite."""
        self._averages.use()
        self._saving.check()
        sums = self._workers.gather(self._own_sums.values())
        if self._workers.is_first:
            self._emit(Saved(str(self._saving.checkpoint(prefix, epoch, self.state.to_values(sums)))))
        self._averages.leave()
        self._saved = time.monotonic()

    def _save_unfinished(self, prefix: str, seconds: float) -> None:
        """Write the state within the epoch under way. Raises Diverged for what is not finite."""
        sums = self._workers.gather(self._own_sums.values())
        path = self._saving.unfinished(prefix, replace(self.state, seconds=seconds).to_values(sums))
        if path is not None:
            self._emit(StateSaved(str(path)))
        self._saved = time.monotonic()

    def resume(self, point: ResumePoint, start: Checkpoint | None = None) -> None:
        """Continue a run: its weights, optimizer state and progress. `start`: the model that it started from. Raises
        InputError if it would be another run."""
        check_fraction(point, self.state.validation_fraction)
        check_resumable(point, self.model, self.state.num_batches, self.state.fingerprint)
        if point.checkpoint is not None:
            check_parameters(point.checkpoint, self.network.values())
        if start is not None:
            try:
                self._averages.start, _ = transfer_checkpoint(self.network.values(), self.model, start)
            except InputError as error:
                warn_of_lost_start(error)
        state = self.state = deepcopy(point.state)
        self.epochs_saved = state.epochs_done
        self._carried = own_sums(point.sums, self._workers.rows) if state.batches_done else None
        before = point.model.hyperparameters.training
        if any(getattr(before, name) != getattr(self._settings, name) for name in MORE_TRAINING):
            state.budget.start(self._settings, state.epochs_done)
            if self._stalled():
                state.best.epochs_since = 0
        if point.model.init_from is not None:
            self._saving.start = path_from(point.model.init_from, point.prefix)
        self._init_optimizer()
        try:
            self._restore_weights(point)
            self.network.restore_optimizer(point.optimizer_state)
        except InputError as error:
            raise error.within(point.state_file) from None

    @property
    def seconds_used(self) -> float:
        """Seconds of the run so far, with those of the epoch under way and those that were lost."""
        return self.state.budget.seconds + self.state.budget.lost + time.perf_counter() - self._began

    def restart(self, restarts: int, seconds: float) -> None:
        """Go on with a lower learning rate, after the run has diverged and gone back so many times; `seconds` were lost
        by that in all."""
        self.state.restarts = restarts
        self.state.budget.lose(self._settings, self.state.epochs_done, seconds)

    def _restore_weights(self, point: ResumePoint) -> None:
        if point.checkpoint is not None:
            self.network.set_parameters(point.checkpoint.arg_params, point.checkpoint.aux_params)
            self._averages.restore(point.trained)
            return
        rows = self._workers.rows
        self.network.restore_frozen_values(point.frozen)
        self.network.restore_vectors(own_vectors(point.vectors, rows))
        self._averages.restore_vectors(own_vectors(point.average, rows))

    def initialise_from(self, checkpoint: Checkpoint) -> Transferred:
        """Start from the weights of another model, as far as they fit; see transfer. Returns what was copied.

        Raises InputError if nothing fits, or the model's alphabet is not known.
        """
        self._averages.start, transferred = transfer_checkpoint(self.network.values(), self.model, checkpoint)
        self.network.set_values(self._averages.start)
        self._saving.start, self.state.start = path_of(checkpoint.stored), checksum(checkpoint.arg_params)
        log.info("Starting from %s: %s", checkpoint.params_file, transferred)
        assert checkpoint.model is not None
        warn_of_other_pixels(checkpoint.model.hyperparameters, self.model.hyperparameters)
        return transferred

    def _emit(self, event: Any) -> None:
        if self._workers.is_first:
            for callback in self._callbacks:
                callback(event)


def _until_interrupted(data: BatchIter) -> Iterator[DataBatch]:
    """The batches that are left of an epoch, fewer if the wait for one was given up."""
    with suppress(WaitInterrupted):
        yield from data
