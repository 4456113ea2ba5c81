"""A training run from end to end: data, image processes, resuming, callbacks, calibration."""

import importlib.util
import itertools
import logging
import math
import os
import shlex
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctc_ocr.checkpoint import history, run_files
from ctc_ocr.checkpoint.calibration_file import has_been_chosen
from ctc_ocr.checkpoint.history import Row
from ctc_ocr.checkpoint.starter import STARTER
from ctc_ocr.config.hyperparameters import Hyperparameters, read_sections
from ctc_ocr.config.presets import preset
from ctc_ocr.datasets.checking import CheckedSample, CheckResult
from ctc_ocr.datasets.choices import CHOSEN, FoundRegion
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.errors import InputError
from ctc_ocr.generation.pool import BatchPool
from ctc_ocr.generation.rows import ALL_ROWS
from ctc_ocr.images.region import Region
from ctc_ocr.runtime.run_lock import locked_prefix
from ctc_ocr.runtime.threads import available_cores, set_threads
from ctc_ocr.runtime.types import Context
from ctc_ocr.training.data import TrainingData, chosen_images, training_data
from ctc_ocr.training.events import Callback
from ctc_ocr.training.job import Begun, Ended, Job, train_rows, trainer_of, validation_batches
from ctc_ocr.training.number_of_workers import with_workers
from ctc_ocr.training.settings import Captchas, LabelledImages, RunOptions, checked_options
from ctc_ocr.training.start import Start, network_of
from ctc_ocr.training.verdict import Verdict
from ctc_ocr.training.worker_processes import WorkerProcesses
from ctc_ocr.training.workers import ALONE

if TYPE_CHECKING:
    from ctc_ocr.datasets.iterator import BatchIter
    from ctc_ocr.training.store_workers import StoreWorkers
    from ctc_ocr.training.trainer import Trainer

MAX_OVERFIT_UPDATES = 1000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """What a run ended with.

    `finished` is False if Ctrl-C or SIGTERM ended it, whose number is `signal`; it can be resumed. `best_epoch` and
    `newest_epoch` are numbers of checkpoints. `accuracy` and `cer` are those of the best epoch's validation, NaN if no
    epoch was completed. `history` has a row per epoch. Of a cluster, only the first worker has all this, which it has
    written.
    """

    prefix: str
    finished: bool
    best_epoch: int = 0
    newest_epoch: int = 0
    accuracy: float = math.nan
    cer: float = math.nan
    history: tuple[Row, ...] = field(default=(), repr=False)
    signal: int = 0


@dataclass(frozen=True)
class OverfitResult:
    """The check that one batch can be overfitted: updates made, and loss (nats per sample) and accuracy at the end."""

    updates: int
    loss: float
    accuracy: float

    @property
    def succeeded(self) -> bool:
        return self.accuracy == 1.0


def train(
    hyperparameters: Hyperparameters | None = None,
    data: Captchas | LabelledImages | str | Path | None = None,
    prefix: str | Path = "ocr",
    callbacks: Sequence[Callback] = (),
    **options: Any,
) -> TrainingResult:
    """Train a network and write its checkpoints under `prefix`. Returns what the run ended with.

    `hyperparameters`: see `preset`; by default `lstm` for captchas and `word` for labelled images, but with `init_from`
    the network and the size of the images are those of that model, and some are chosen from labelled images: see
    `LabelledImages.choose`. A run that is resumed keeps its own. `data`: captchas to generate, labelled images, or the
    path of labelled images; None: captchas in the captcha package's font. `callbacks` get the events of
    `ctc_ocr.training.events`. `options` are the other fields of RunOptions: resume, overwrite, init_from, num_proc,
    cpu, gpu, tensorboard, progress.

    What happens is logged by the logger `ctc_ocr`. Ctrl-C or SIGTERM ends the run after the current update and saves
    it; before the first update it raises KeyboardInterrupt. Raises InputError for arguments and files that cannot be
    used, RunError for a run that fails.
    """
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
        self.data = LabelledImages(data) if isinstance(data, (str, Path)) else data or Captchas()
        self.options = checked_options(options)
        if isinstance(self.data, LabelledImages):
            self.data = _with_choices(self.data, self.options, hyperparameters is None)
        self.hyperparameters = hyperparameters or _default(self.data, self.options)
        _check_kinds(self.hyperparameters, self.data, callbacks)
        self.hyperparameters = with_workers(self.hyperparameters, self.data, self.options)
        self.callbacks = tuple(callbacks)
        self._start = Start(self.options)
        self._held_out: Sequence[Sample] = ()
        self._of_run: Hyperparameters | None = None
        self._num_proc = self.options.num_proc or max(1, available_cores() // 2)
        batch_size, gpus = self.hyperparameters.training.batch_size, len(self.options.gpus)
        if gpus and batch_size % gpus:
            raise InputError(f"{batch_size} cannot be divided by {gpus} GPUs", "batch_size")
        if self.options.resume and (self.options.init_from or self.options.overwrite):
            other = "init_from" if self.options.init_from else "overwrite"
            raise InputError("has no effect on a run that is resumed: it goes on from its own files", other)

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
            return self._run(self._existing_files(), workers)

    def checked_images(self) -> tuple[Hyperparameters, CheckResult]:
        """The hyperparameters that the run would have, and the valid labelled images; what is found is logged. Raises
        InputError and RunError as `run`."""
        if not isinstance(self.data, LabelledImages):
            raise InputError("expected LabelledImages: captchas are not checked", "data")
        self._fix_threads()
        return chosen_images(
            self.hyperparameters, self.data, self.options.progress, self._start.uses_starter, _region_by_starter
        )

    def check_prefix(self) -> None:
        """Raises InputError or RunError if the run could not be written: another one is there or at work, or its
        folder cannot be written to."""
        with usable_prefix(self.options.prefix), locked_prefix(self.options.prefix):
            self._existing_files()

    def run_hyperparameters(self) -> Hyperparameters:
        """Those of the run, with what was chosen from the images; before it has run, those that it was given."""
        return self._of_run or self.hyperparameters

    def held_out_samples(self) -> Sequence[Sample]:
        """The labelled images that the run validated with; () before it has run, and for captchas."""
        return self._held_out

    def network_summary(self) -> str:
        """A table of the layers, their output shapes and numbers of parameters."""
        self._fix_threads()
        from ctc_ocr.symbols.summary import describe_network

        data = self._training_data()
        settings = data.hyperparameters
        return describe_network(settings, data.alphabet.num_classes, settings.training.batch_size)

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
        job = Job(self.options, data, self._num_proc, self.options.gpus)
        start = self._start.checkpoint(data.hyperparameters, data.facts)
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

    def _existing_files(self) -> list[Path]:
        """The files of the run that is replaced. Raises InputError if there is one that must not be."""
        prefix, options = self.options.prefix, self.options
        existing = run_files.existing_files(prefix)
        if options.resume and not run_files.can_be_resumed(prefix):
            raise InputError(f"nothing to resume: there is no {prefix}-0001.params or later epoch")
        if existing and not (options.resume or options.overwrite):
            way = "continue it with --resume, " if run_files.can_be_resumed(prefix) else "it has no checkpoint yet; "
            raise InputError(
                f"there is a run under the prefix {prefix!r} already ({existing[0]}, ...): "
                f"{way}replace it with --overwrite, or use another --prefix"
            )
        if existing:
            self._start.refuse_replaced(prefix)
        return existing if options.overwrite else []

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
            _region_by_starter,
        )

    def _run(self, replaced: list[Path], cluster: "StoreWorkers | None") -> TrainingResult:
        """Train by this process, by several on this machine, or as a worker of a cluster."""
        prefix = self.options.prefix
        self._fix_threads()
        if self.options.gpus:
            self._devices()
        data = self._training_data()
        self._held_out, self._of_run = data.held_out, data.hyperparameters
        workers = data.hyperparameters.training.workers
        if workers > 1 and cluster is None:
            log.info("%d training workers, each with a part of every batch; --workers 1 trains in one process", workers)
        with ExitStack() as stack:
            verdict: list[Verdict] = []

            def begin(begun: Begun) -> Callback:
                verdict.append(Verdict(data.facts, begun.started))
                return _calling([*verdict, *self._make_callbacks(data, begun, replaced, stack)])

            if cluster is not None:
                ended = self._train_in_cluster(data, cluster, begin)
                if not cluster.is_first:
                    return TrainingResult(prefix, ended.finished, signal=ended.signal)
            elif workers > 1:
                ended = self._train_together(data, workers, begin)
            else:
                ended = self._train_alone(data, begin)
            if ended.idle:
                result = _result(prefix, finished=True)
                # What was killed between its last epoch and its end has left older ones.
                run_files.keep_newest(prefix, data.hyperparameters.training.keep, result.best_epoch)
                return result
            verdict[0].log(is_bounded=ended.bounded, is_finished=ended.finished)
        result = replace(_result(prefix, ended.finished), signal=ended.signal)
        if not result.history:
            return result  # of an epoch that was not completed, nothing is known
        log.info(
            "Best epoch: %d, newest: %d. To read images with the best: ctc-ocr infer --model %s IMAGE",
            result.best_epoch, result.newest_epoch, shlex.quote(prefix),
        )  # fmt: skip
        return result

    def _train_alone(self, data: TrainingData, begin: Callable[[Begun], Callback]) -> Ended:
        job = Job(self.options, data, self._num_proc, self.options.gpus)
        return train_rows(job, ALL_ROWS, lambda: ALONE, begin, calibrate=self._calibrate)

    def _train_together(self, data: TrainingData, workers: int, begin: Callable[[Begun], Callback]) -> Ended:
        job = Job(self.options, data, -(-self._num_proc // workers))
        with WorkerProcesses(job, workers, self.options.cpu or 1) as processes:
            ended = processes.run(begin)
        self._calibrate_with_all(ended, data)
        return ended

    def _train_in_cluster(
        self, data: TrainingData, workers: "StoreWorkers", begin: Callable[[Begun], Callback]
    ) -> Ended:
        from ctc_ocr.training.cluster import check_agreement

        check_agreement(workers, data)
        job = Job(self.options, data, self._num_proc, self.options.gpus)
        ended = train_rows(job, workers.rows, lambda: workers, begin)
        workers.leave()
        if workers.is_first:
            self._calibrate_with_all(ended, data)
        return ended

    def _calibrate_with_all(self, ended: Ended, data: TrainingData) -> None:
        """After a run in which each worker had only its rows of the validation batches."""
        if not ended.idle:
            with validation_batches(data, self._num_proc) as validation:
                self._calibrate(ended, validation, self._devices()[0])

    def _make_callbacks(
        self, data: TrainingData, begun: Begun, replaced: list[Path], stack: ExitStack
    ) -> list[Callback]:
        """Those that keep the run's files and show its progress, then the user's. Context managers are entered."""
        from ctc_ocr.training.callbacks import LogLines, ProgressBar
        from ctc_ocr.training.file_callbacks import History, ImagesFile, Pruning, RemoveOldRun, ValidationPredictions
        from ctc_ocr.training.tensorboard import TensorBoard

        prefix = self.options.prefix
        made: list[Callback] = [
            *([ProgressBar()] if self.options.progress else []),
            LogLines(),
            RemoveOldRun(prefix, replaced),
            *([ImagesFile(prefix, data.known)] if data.known else []),
            History(prefix, begun.history),
            ValidationPredictions(prefix, data.validation_names),
            Pruning(prefix, self.hyperparameters.training.keep),
            *([TensorBoard(prefix, begun.updates_done)] if self.options.tensorboard else []),
            *self.callbacks,
        ]
        return [stack.enter_context(each) if hasattr(each, "__enter__") else each for each in made]  # type: ignore[arg-type]

    def _calibrate(self, ended: Ended, validation: "BatchIter", context: Context) -> None:
        """Of an interrupted run, only the best epoch, which is read by default; and not if no epoch was completed, for
        then the images of `validation` may still be in the making."""
        from ctc_ocr.inference.calibrate import calibrate_unless_interrupted

        prefix = self.options.prefix
        epochs = run_files.epochs_to_calibrate(prefix)
        if ended.finished:
            calibrate_unless_interrupted(prefix, epochs, validation, context)
        elif not (epochs and has_been_chosen(prefix, epochs[0])):
            if epochs and ended.complete:
                calibrate_unless_interrupted(prefix, epochs[:1], validation, context)
            else:
                log.info("Not calibrated: no epoch was completed. A run that reaches its end is calibrated")


@contextmanager
def usable_prefix(prefix: str) -> Iterator[None]:
    """Makes the folder of the run's files; it goes again if nothing was written. Raises InputError
    for what cannot be the beginning of file names, or a folder that cannot be written to.
    """
    if prefix == STARTER or run_files.is_onnx(prefix):
        raise InputError("is the name of another kind of model; choose another prefix", f"prefix {prefix!r}")
    if not prefix or prefix.endswith("/") or Path(prefix).is_dir():
        hint = f"it is a folder; {prefix.rstrip('/')}/ocr would be in it; " if prefix else ""
        raise InputError(f"{hint}expected the beginning of file names, such as models/ocr", f"prefix {prefix!r}")
    if prefix != prefix.encode("utf-8", "replace").decode("utf-8"):
        raise InputError("MXNet accepts only file names in UTF-8", f"prefix {prefix!r}")
    folder = Path(f"{prefix}-").parent
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"{folder} cannot be written to: {error.strerror}", f"prefix {prefix}") from None
    try:
        yield
    finally:
        for each in made:
            with suppress(OSError):  # not empty: something was written
                each.rmdir()


def _region_by_starter(
    samples: Sequence[CheckedSample], region: Region, seed: int, names: Collection[str], height: int
) -> FoundRegion:
    """Imports MXNet."""
    from ctc_ocr.inference.likely_region import likely_region

    return likely_region(STARTER, samples, region, seed, names, height)


def _with_choices(data: LabelledImages, options: RunOptions, is_default: bool) -> LabelledImages:
    """With the names of the hyperparameters that are chosen from the images. Those of a run that is resumed stay, and
    so does the height of a model to start from: its LSTM fits no other."""
    names = data.choose if data.choose is not None else CHOSEN if is_default else ()
    kept = CHOSEN if options.resume else ("height",) if Start(options).named is not None else ()
    return replace(data, choose=tuple(name for name in names if name not in kept))


def _default(data: Captchas | LabelledImages, options: RunOptions) -> Hyperparameters:
    """What is used where no hyperparameters are given."""
    description = Path(f"{options.prefix}.json")
    if options.resume and description.is_file():
        return Hyperparameters.from_dict(read_sections(description))
    name = Start(options).named
    start = {} if name is None or options.resume else network_of(name)
    return preset("lstm" if isinstance(data, Captchas) else "word", start)


def _check_kinds(hyperparameters: object, data: object, callbacks: object) -> None:
    """Raises InputError for arguments of other types, with what is accepted."""
    if not isinstance(hyperparameters, Hyperparameters):
        raise InputError(f"expected Hyperparameters, as from preset(); got {hyperparameters!r}", "hyperparameters")
    if not isinstance(data, (Captchas, LabelledImages)):
        hint = "; Captchas(renderer=...) takes a renderer" if hasattr(data, "render_batch") else ""
        raise InputError(f"expected Captchas, LabelledImages or a path, got {type(data).__name__}{hint}", "data")
    if not isinstance(callbacks, Sequence):
        raise InputError(f"expected a list of callbacks, got {callbacks!r}", "callbacks")
    for each in callbacks:
        if isinstance(each, type) or not callable(each):
            raise InputError(
                f"expected functions or objects that can be called with an event, got {each!r}", "callbacks"
            )


def _calling(callbacks: Sequence[Callback]) -> Callback:
    """One callback that calls all of them."""

    def call(event: Any) -> None:
        for callback in callbacks:
            callback(event)

    return call


def _epochs_in_use(prefix: str) -> list[int]:
    """The best and the newest epoch; once if they are the same."""
    newest = run_files.epochs(prefix)[-1]
    return list(dict.fromkeys((run_files.best_epoch(prefix) or newest, newest)))


def _result(prefix: str, finished: bool) -> TrainingResult:
    rows = tuple(history.read(prefix))
    best, *_ = used = _epochs_in_use(prefix)
    row = next((each for each in rows if each.epoch == best), None)
    accuracy, cer = (row.validation_accuracy, row.validation_cer) if row else (float("nan"), float("nan"))
    return TrainingResult(prefix, finished, best, used[-1], accuracy, cer, rows)
