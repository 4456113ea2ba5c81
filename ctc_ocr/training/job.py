"""The part of a run that a training worker does: from its rows of the images to the last checkpoint."""

import itertools
import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ctc_ocr.checkpoint.calibration_file import has_been_chosen
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.history import Row
from ctc_ocr.checkpoint.run_files import epochs_to_calibrate
from ctc_ocr.errors import RunError
from ctc_ocr.generation.pool import BatchPool
from ctc_ocr.generation.rows import ALL_ROWS, Rows
from ctc_ocr.runtime.types import Context
from ctc_ocr.training.events import Callback, Restarted
from ctc_ocr.training.interrupts import Interrupts
from ctc_ocr.training.run_data import ImageSource, TrainingData
from ctc_ocr.training.settings import RunOptions
from ctc_ocr.training.start import Start, earlier_start
from ctc_ocr.training.workers import ALONE, OneWorker

if TYPE_CHECKING:
    from ctc_ocr.checkpoint.model_files import Checkpoint
    from ctc_ocr.datasets.iterator import BatchIter
    from ctc_ocr.training.resume import ResumePoint
    from ctc_ocr.training.trainer import Trainer

MAX_RESTARTS = 8  # of a run that diverges: the learning rate is then 1/256 of what was asked for

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What a worker is given. `num_proc`: its image processes. `gpu_ids`: its GPUs; none for the CPU."""

    options: RunOptions
    data: TrainingData
    num_proc: int
    gpu_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Begun:
    """Where a run stands when it begins or goes on. `history`: of its epochs. `started`: from another model."""

    history: tuple[Row, ...]
    updates_done: int
    started: bool


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    `finished`: not by a signal. `complete`: an epoch was completed now. `bounded`: it ended by its number of epochs or
    minutes. `idle`: there was nothing to do any more. `signal`: the number of the one that ended it, or 0.
    """

    finished: bool
    complete: bool
    bounded: bool
    idle: bool = False
    signal: int = 0


def train_rows(
    job: Job,
    rows: Rows,
    connect: Callable[[], OneWorker],
    begin: Callable[[Begun], Callback],
    interrupts: Interrupts | None = None,
    calibrate: Callable[[Ended, "BatchIter", Context], None] | None = None,
) -> Ended:
    """Train as one worker, which takes these rows of each batch.

    `connect` makes the worker; it may import MXNet, and is called when the image processes have been started. `begin`
    returns what gets the events, of the first worker only. `calibrate` is called at the end, with the validation
    batches, of which it may only use those that are complete. Raises InputError and RunError as a run does.
    """
    attempts = _Attempts(job, rows, connect, begin, interrupts or Interrupts(), calibrate)
    while True:
        try:
            return attempts.train()
        except RunError as error:
            if not attempts.can_restart_after(error):
                raise


class _Attempts:
    """The trainings of one worker: one, or more if it diverges and goes back. Arguments as of train_rows."""

    def __init__(
        self,
        job: Job,
        rows: Rows,
        connect: Callable[[], OneWorker],
        begin: Callable[[Begun], Callback],
        interrupts: Interrupts,
        calibrate: Callable[[Ended, "BatchIter", Context], None] | None,
    ) -> None:
        self._job, self._rows, self._connect, self._begin = job, rows, connect, begin
        self._interrupts, self._calibrate = interrupts, calibrate
        self._point = _resume_point(job.options)
        self._workers: OneWorker | None = None
        self._callback: Callback | None = None
        self._trainer: Trainer | None = None
        self._restarts, self._lost = 0, 0.0  # how often the run has gone back, and seconds that this has cost

    def train(self) -> Ended:
        """From the start, the checkpoint that is resumed, or the one before the divergence."""
        options, data, point = self._job.options, self._job.data, self._point
        start = None if point else Start(options).checkpoint(data.why_not_starter)
        first = point.state.updates_done if point else 0
        with ExitStack() as stack:
            self._log_start()
            train = replace(data.train, rows=self._rows)
            # The image processes start and compile while MXNet is imported here.
            pool = stack.enter_context(BatchPool(train, self._job.num_proc, itertools.count(first)))
            workers = self._workers = self._workers or self._connect()
            if workers.count == 1:  # of several, the others wait for this one's rows
                pool.interrupted = lambda: self._interrupts.requested
            trainer, iterator, callbacks = trainer_of(self._job, train, pool, first, workers)
            self._go_to_start(trainer, start)
            if trainer.has_ended and _is_complete(trainer, options.prefix):
                return Ended(finished=True, complete=False, bounded=False, idle=True)
            if workers.is_first:
                callbacks.append(self._told_of(trainer, _started(start, point)))
            validation = stack.enter_context(validation_batches(data, self._job.num_proc, self._rows))
            ended = self._fit(trainer, iterator, validation, lambda: pool.seconds_waited)
            if self._calibrate is not None:
                self._calibrate(ended, validation, contexts_of(self._job)[0])
            return ended

    def _log_start(self) -> None:
        if self._workers is None:  # else the run goes back, and has been started before
            processes = self._job.num_proc * self._rows.count
            compiles = "; a first run compiles the renderer" if self._job.data.facts is None else ""
            log.info("Starting MXNet and image processes (%d)%s", processes, compiles)

    def _go_to_start(self, trainer: "Trainer", start: "Checkpoint | None") -> None:
        """Give a trainer the weights and the progress that it goes on from. `start`: the model that a new run starts
        from."""
        if start is not None:
            trainer.initialise_from(start)
        if point := self._point:
            trainer.resume(point, earlier_start(point.model.init_from, point.prefix, point.state.start))
        if self._restarts:
            trainer.restart(self._restarts, self._lost)
        self._trainer = trainer

    def _told_of(self, trainer: "Trainer", started: bool) -> Callback:
        """What gets the events, from the first attempt on."""
        begun = Begun(tuple(trainer.state.history), trainer.updates_done, started)
        self._callback = self._callback or self._begin(begun)
        return self._callback

    def _fit(
        self, trainer: "Trainer", iterator: "BatchIter", validation: "BatchIter", waited: Callable[[], float]
    ) -> Ended:
        before, interrupts = trainer.state.epochs_done, self._interrupts
        finished = trainer.has_ended or trainer.fit(iterator, validation, self._job.options.prefix, waited, interrupts)
        complete = finished or trainer.state.epochs_done > before
        bounded = finished and not trainer.stands_still
        return Ended(finished, complete, bounded, signal=0 if finished else interrupts.number)

    def can_restart_after(self, error: RunError) -> bool:
        """Whether it is tried again, from the last epoch that is whole: if the training diverged, and that is
        wanted."""
        from ctc_ocr.training.divergence import Diverged

        trainer = self._trainer
        wanted = self._job.data.hyperparameters.training.on_divergence == "restart"
        if not isinstance(error, Diverged) or not wanted or trainer is None or self._interrupts.requested:
            return False
        self._restarts = trainer.state.restarts + 1
        if self._restarts > MAX_RESTARTS:
            return False
        if trainer.epochs_saved == 0 and self._job.options.resume:
            return False  # it diverged before its first epoch was done, from a state within that
        return self._goes_back(trainer, error.reason)

    def _goes_back(self, trainer: "Trainer", reason: str) -> bool:
        """Whether there is an epoch to go back to, or the start if no epoch was done; the callbacks are told."""
        from ctc_ocr.training.resume import log_unused, newest_whole

        point, damaged = newest_whole(self._job.options.prefix, trainer.epochs_saved)
        log_unused(damaged)
        epochs, seconds = (point.state.epochs_done, point.state.budget.seconds) if point else (0, 0.0)
        assert self._workers is not None
        # In a cluster, a worker may not see the files; and each has a clock of its own.
        found = self._workers.gather([epochs, trainer.seconds_used])
        if any(each[0] != epochs for each in found) or (trainer.epochs_saved and not epochs):
            return False
        lost, minutes = found[0][1] - seconds, self._job.data.hyperparameters.training.max_minutes
        if not epochs and minutes and lost >= 60 * minutes:
            return False  # another first epoch would come after the end; a saved one ends the run
        self._point, self._lost = point, lost
        if self._callback is not None:
            self._callback(Restarted(epochs, epochs * trainer.state.num_batches, reason))
        return True


def contexts_of(job: Job) -> list[Context]:
    """The devices of a worker. Imports MXNet."""
    from ctc_ocr.runtime.devices import contexts

    return contexts(job.gpu_ids)


def trainer_of(
    job: Job,
    train: ImageSource,
    pool: BatchPool,
    first: int = 0,
    workers: OneWorker = ALONE,
) -> tuple["Trainer", "BatchIter", list[Callback]]:
    """A worker's trainer at the start of the run, its batches from number `first` on, and a list to put callbacks in.
    Imports MXNet."""
    from ctc_ocr.datasets.iterator import streamed_batches
    from ctc_ocr.training.trainer import Trainer

    data, batch_size = job.data, job.data.hyperparameters.training.batch_size
    num_batches = -(-data.samples_per_epoch // batch_size)
    iterator = streamed_batches(train, pool, data.samples_per_epoch, first % num_batches, workers.rows, batch_size)
    callbacks: list[Callback] = []
    model = Model(data.hyperparameters, data.alphabet, lengths=data.lengths, light_ink=data.light_ink)
    trainer = Trainer(model, iterator, contexts_of(job), callbacks, data.fingerprint, workers, data.validation_fraction)
    return trainer, iterator, callbacks


def validation_batches(data: TrainingData, num_proc: int, rows: Rows = ALL_ROWS) -> "BatchIter":
    """The images that are held out, prepared in the background. Imports MXNet."""
    from ctc_ocr.datasets.iterator import cached_batches

    source, batch_size = replace(data.validation, rows=rows), data.hyperparameters.training.batch_size
    return cached_batches(source, data.num_validation, num_proc, rows, batch_size)


def _started(start: "Checkpoint | None", point: "ResumePoint | None") -> bool:
    """Whether a run began with another model's weights, now or when the run that is resumed began."""
    return start is not None or (point is not None and point.model.init_from is not None)


def _resume_point(options: RunOptions) -> "ResumePoint | None":
    if not options.resume:
        return None
    from ctc_ocr.training.resume import newest

    return newest(options.prefix)


def _is_complete(trainer: "Trainer", prefix: str) -> bool:
    """Whether nothing is left to do for a run that has ended; says how it goes on."""
    training = trainer.model.hyperparameters.training
    by_minutes = trainer.state.budget.end < trainer.state.budget.limit
    name = "target_accuracy" if trainer.has_reached_target else "max_minutes" if by_minutes else "num_epoch"
    log.info(
        "The run ended after %d epochs; a larger --%s (it is %s) continues it",
        trainer.state.epochs_done, name, getattr(training, name),
    )  # fmt: skip
    return all(has_been_chosen(prefix, epoch) for epoch in epochs_to_calibrate(prefix))
