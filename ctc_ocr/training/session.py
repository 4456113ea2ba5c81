"""A training run from end to end: what it is given, where it is written, its images, and training with them."""

import importlib.util
import itertools
import logging
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.checking import CheckResult
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.errors import InputError, check_kind
from ctc_ocr.generation.pool import BatchPool
from ctc_ocr.runtime.run_lock import locked_prefix
from ctc_ocr.runtime.threads import available_cores, set_threads
from ctc_ocr.runtime.types import Context
from ctc_ocr.training.data import training_data
from ctc_ocr.training.events import Callback
from ctc_ocr.training.job import Job, trainer_of
from ctc_ocr.training.labelled_data import chosen_images
from ctc_ocr.training.number_of_workers import with_workers
from ctc_ocr.training.prefix import replaced_files, usable_prefix
from ctc_ocr.training.reading import region_by_starter, straightened_by_starter
from ctc_ocr.training.results import OverfitResult, TrainingResult
from ctc_ocr.training.run_data import TrainingData
from ctc_ocr.training.running import Running
from ctc_ocr.training.session_arguments import (
    check_kinds,
    check_options,
    default_hyperparameters,
    with_choices,
    with_choices_of_run,
)
from ctc_ocr.training.settings import Captchas, LabelledImages, RunOptions, checked_options
from ctc_ocr.training.start import Start

if TYPE_CHECKING:
    from ctc_ocr.datasets.iterator import BatchIter
    from ctc_ocr.training.store_workers import StoreWorkers
    from ctc_ocr.training.trainer import Trainer

MAX_OVERFIT_UPDATES = 1000

log = logging.getLogger(__name__)


def train(
    hyperparameters: Hyperparameters | None = None,
    data: Captchas | LabelledImages | str | Path | None = None,
    prefix: str | Path = "ocr",
    callbacks: Sequence[Callback] = (),
    **options: Any,
) -> TrainingResult:
    """Train a network and write its checkpoints under `prefix`. Returns what the run ended with.

    `hyperparameters`: see `preset`; by default `lstm` for captchas and `word` for labelled images, but with `init_from`
    the network and the size of the images are those of that model, and some are chosen from labelled images. If they
    are given, none are chosen, unless `LabelledImages(..., choose="all")` says so. A run that is resumed keeps its own.
    `data`: captchas to generate, labelled images, or the path of labelled images; None: captchas in the captcha
    package's font. `callbacks` get the events of `ctc_ocr.training.events`. `options` are the other fields of
    RunOptions: resume, overwrite, init_from, kv_store, num_proc, cpu, gpu, gpu_ids, tensorboard, progress.

    What happens is logged by the logger `ctc_ocr`. Ctrl-C or SIGTERM ends the run after the current update and saves
    it; before the first update it raises KeyboardInterrupt. Raises InputError for arguments and files that cannot be
    used, RunError for a run that fails.
    """
    check_kind("a path", prefix=prefix)
    return TrainingSession(hyperparameters, data, RunOptions(os.fspath(prefix), **options), callbacks).run()


class TrainingSession:
    """A run that is set up: `run` trains, `overfit_batch` checks the set-up, `network_summary` shows the network.

    The arguments are those of `train`. Settings that contradict each other raise InputError here.
    """

    def __init__(
        self,
        hyperparameters: Hyperparameters | None = None,
        data: Captchas | LabelledImages | str | Path | None = None,
        options: RunOptions | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        data = Captchas() if data is None else data
        self.data = LabelledImages(data) if isinstance(data, (str, Path)) else data
        self.options = checked_options(options)
        chosen: Collection[str] = ()
        if isinstance(self.data, LabelledImages):
            chosen = self.data.choose or ()
            self.data = with_choices(self.data, self.options, hyperparameters is None)
        if hyperparameters is None:
            hyperparameters = default_hyperparameters(self.data, self.options)
        self.hyperparameters = hyperparameters
        check_kinds(self.hyperparameters, self.data, callbacks)
        if self.options.resume:
            self.hyperparameters = with_choices_of_run(self.hyperparameters, chosen, self.options.prefix)
        self.hyperparameters = with_workers(self.hyperparameters, self.data, self.options)
        self.callbacks = tuple(callbacks)
        self._start = Start(self.options)
        self._held_out: Sequence[Sample] = ()
        self._of_run: Hyperparameters | None = None
        self._num_proc = self.options.num_proc or max(1, available_cores() // 2)
        check_options(self.hyperparameters, self.options)

    def run(self) -> TrainingResult:
        """Train; see `train`."""
        if self.options.kv_store is None:
            return self._run_first(None)
        self._fix_threads()
        from ctc_ocr.training.cluster import joined_cluster

        with joined_cluster(self.hyperparameters.training.batch_size) as workers:
            return self._run_first(workers) if workers.is_first else self._run([], workers)

    def _run_first(self, workers: "StoreWorkers | None") -> TrainingResult:
        """As the process that writes the run's files."""
        prefix = self.options.prefix
        with usable_prefix(prefix), locked_prefix(prefix):
            return self._run(replaced_files(self.options), workers)

    def checked_images(self) -> tuple[Hyperparameters, CheckResult]:
        """The hyperparameters that the run would have, and the valid labelled images; what is found is logged. Raises
        InputError and RunError as `run`."""
        if not isinstance(self.data, LabelledImages):
            raise InputError("expected LabelledImages: captchas are not checked", "data")
        self._fix_threads()
        return chosen_images(
            self.hyperparameters, self.data, self.options.progress, self._start.uses_starter, region_by_starter
        )

    def check_prefix(self) -> None:
        """Raises InputError or RunError if the run could not be written: another one is there or at work, or its
        folder cannot be written to."""
        with usable_prefix(self.options.prefix), locked_prefix(self.options.prefix):
            replaced_files(self.options)

    def run_hyperparameters(self) -> Hyperparameters:
        """Those of the run, with what was chosen from the images; before it has run, those that it was given."""
        return self._of_run or self.hyperparameters

    def held_out_samples(self) -> Sequence[Sample]:
        """The labelled images that the run validated with; () before it has run, and for captchas."""
        return self._held_out

    def network_summary(self) -> str:
        """A table of the layers, their output shapes and numbers of parameters."""
        self._fix_threads()
        from ctc_ocr.training.network import network_table  # it imports MXNet

        data = self._training_data()
        return network_table(data.hyperparameters, data.alphabet.num_classes)

    def overfit_batch(self) -> OverfitResult:
        """Train on a single batch until all of it is correct, at most 1,000 updates; nothing is saved."""
        with self.without_files() as (trainer, iterator):
            from ctc_ocr.training.trial_updates import overfit  # it imports MXNet

            result = OverfitResult(*overfit(trainer.updates, iterator.next(), MAX_OVERFIT_UPDATES))
        log.info("One batch, %d updates: loss=%.4f accuracy=%.4f", result.updates, result.loss, result.accuracy)
        return result

    @contextmanager
    def without_files(self) -> Iterator[tuple["Trainer", "BatchIter"]]:
        """A trainer at the start of the run, and its batches, for what is not saved. Image processes end with it."""
        self._fix_threads()
        self._devices()
        data = self._training_data()
        job = self._job(data)
        start = self._start.checkpoint(data.why_not_starter)
        with BatchPool(data.train, self._num_proc, itertools.count()) as pool:
            trainer, iterator, _ = trainer_of(job, data.train, pool)
            if start is not None:
                trainer.initialise_from(start)
            yield trainer, iterator

    def _fix_threads(self) -> None:
        """Before MXNet is imported, which reads their number. Raises InputError if it is not installed."""
        set_threads(self.options.cpu or max(1, available_cores() - self._num_proc))
        if importlib.util.find_spec("mxnet") is None:
            self._devices()  # says why

    def _devices(self) -> list[Context]:
        """Imports MXNet."""
        from ctc_ocr.runtime.devices import contexts

        return contexts(self.options.gpus)

    def _training_data(self) -> TrainingData:
        if self.options.resume and isinstance(self.data, LabelledImages) and self.data.alphabet is not None:
            from ctc_ocr.training.resume import check_alphabet  # it imports MXNet

            check_alphabet(self.options.prefix, self.data.alphabet)
        return training_data(
            self.hyperparameters,
            self.data,
            self.options.progress,
            self._start.images_before(),
            self._start.uses_starter,
            region_by_starter,
            straightened_by_starter,
        )

    def _run(self, replaced: list[Path], cluster: "StoreWorkers | None") -> TrainingResult:
        """Find the images, and train with them."""
        self._fix_threads()
        if self.options.gpus:
            self._devices()  # those that are missing are told before the images are read
        data = self._training_data()
        self._held_out, self._of_run = data.held_out, data.hyperparameters
        return Running(self._job(data), replaced, self.callbacks, cluster).train()

    def _job(self, data: TrainingData) -> Job:
        return Job(self.options, data, self._num_proc, self.options.gpus)
