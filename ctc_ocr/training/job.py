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
from ctc_ocr.generation.pool import BatchPool
from ctc_ocr.generation.rows import ALL_ROWS, Rows
from ctc_ocr.runtime.types import Context
from ctc_ocr.training.data import ImageSource, TrainingData
from ctc_ocr.training.events import Callback
from ctc_ocr.training.interrupts import Interrupts
from ctc_ocr.training.settings import RunOptions
from ctc_ocr.training.start import Start, earlier_start
from ctc_ocr.training.workers import ALONE, OneWorker

if TYPE_CHECKING:
    from ctc_ocr.datasets.iterator import BatchIter
    from ctc_ocr.training.resume import ResumePoint
    from ctc_ocr.training.trainer import Trainer

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
    options, data = job.options, job.data
    start = Start(options).checkpoint(data.hyperparameters, data.facts)
    point = _resume_point(options)
    first = point.updates_done if point else 0
    with ExitStack() as stack:
        compiles = "; a first run compiles the renderer" if data.facts is None else ""
        log.info("Starting MXNet and image processes (%d)%s", job.num_proc * rows.count, compiles)
        # The image processes start and compile while MXNet is imported here.
        train = replace(data.train, rows=rows)
        pool = stack.enter_context(BatchPool(train, job.num_proc, itertools.count(first)))
        workers = connect()
        trainer, iterator, callbacks = trainer_of(job, train, pool, first, workers)
        if start is not None:
            trainer.initialise_from(start)
        if point:
            trainer.resume(point, earlier_start(point.checkpoint.stored))
        done = trainer.has_ended
        if done and _is_complete(trainer, options.prefix):
            return Ended(finished=True, complete=False, bounded=False, idle=True)
        before = trainer.epochs_done
        if workers.is_first:
            callbacks.append(begin(Begun(tuple(trainer.history), trainer.updates_done, start is not None)))
        validation = stack.enter_context(validation_batches(data, job.num_proc, rows))
        interrupts = interrupts or Interrupts()
        finished = done or trainer.fit(iterator, validation, options.prefix, lambda: pool.seconds_waited, interrupts)
        complete = finished or trainer.epochs_done > before
        bounded = finished and not trainer.stands_still
        ended = Ended(finished, complete, bounded, signal=0 if finished else interrupts.number)
        if calibrate is not None:
            calibrate(ended, validation, contexts_of(job)[0])
        return ended


def contexts_of(job: Job) -> list[Context]:
    """The devices of a worker. Imports MXNet."""
    from ctc_ocr.runtime.devices import contexts

    return contexts(job.gpu_ids)


def trainer_of(
    job: Job, train: ImageSource, pool: BatchPool, first: int = 0, workers: OneWorker = ALONE
) -> tuple["Trainer", "BatchIter", list[Callback]]:
    """A worker's trainer at the start of the run, its batches from number `first` on, and a list to put callbacks in.
    Imports MXNet."""
    from ctc_ocr.datasets.iterator import streamed_batches
    from ctc_ocr.training.trainer import Trainer

    data, batch_size = job.data, job.data.hyperparameters.training.batch_size
    num_batches = -(-data.samples_per_epoch // batch_size)
    iterator = streamed_batches(train, pool, data.samples_per_epoch, first % num_batches, workers.rows, batch_size)
    callbacks: list[Callback] = []
    model = Model(data.hyperparameters, data.alphabet, lengths=data.lengths)
    trainer = Trainer(model, iterator, contexts_of(job), callbacks, data.fingerprint, workers)
    return trainer, iterator, callbacks


def validation_batches(data: TrainingData, num_proc: int, rows: Rows = ALL_ROWS) -> "BatchIter":
    """The images that are held out, prepared in the background. Imports MXNet."""
    from ctc_ocr.datasets.iterator import cached_batches

    source, batch_size = replace(data.validation, rows=rows), data.hyperparameters.training.batch_size
    return cached_batches(source, data.num_validation, num_proc, rows, batch_size)


def _resume_point(options: RunOptions) -> "ResumePoint | None":
    if not options.resume:
        return None
    from ctc_ocr.training.resume import newest

    return newest(options.prefix)


def _is_complete(trainer: "Trainer", prefix: str) -> bool:
    """Whether nothing is left to do for a run that has ended; says how it goes on."""
    log.info(
        "The run ended after %d epochs; a larger --num_epoch (it is %d) continues it",
        trainer.epochs_done, trainer.model.hyperparameters.training.num_epoch,
    )  # fmt: skip
    return all(has_been_chosen(prefix, epoch) for epoch in epochs_to_calibrate(prefix))
