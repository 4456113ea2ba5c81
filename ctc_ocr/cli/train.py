"""lstm_ocr_train: train a network on captchas that are drawn while it trains, or on labelled images."""

import argparse
import itertools
import logging
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctc_ocr.cli.common import (
    INTERRUPTED,
    MAX_THREADS,
    add_hyperparameters,
    add_version,
    fraction,
    integer,
    non_empty,
    run,
    set_up_logging,
)
from ctc_ocr.cli.data_options import LABEL_OPTIONS, add_label_options, add_taken, hyperparameters
from ctc_ocr.config import presets
from ctc_ocr.config.hyperparameters import Hyperparameters, options
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.generation.pool import BatchPool
from ctc_ocr.images.files import SUFFIXES
from ctc_ocr.rendering.fonts import SUFFIXES as FONT_SUFFIXES
from ctc_ocr.rendering.fonts import check_glyphs, find_fonts
from ctc_ocr.runtime.threads import available_cores, set_threads
from ctc_ocr.training.data import TrainingData, drawn, labelled

if TYPE_CHECKING:
    from ctc_ocr.training.events import Callback
    from ctc_ocr.runtime.run_lock import locked_prefix
    from ctc_ocr.training.trainer import Trainer

PROG = "lstm_ocr_train"
OVERFIT_STEPS = 1000
DRAWN = ("min_length", "max_length", "renderer", "draw_width", "draw_height", "validation_samples")
MAX_PROCESSES = 1024

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    return run(PROG, _train, argv)


def parser() -> argparse.ArgumentParser:
    """Every hyperparameter is a flag; what is not given is taken from --config, and then from the defaults."""
    made = argparse.ArgumentParser(prog=PROG, description="Train a network to read captchas, words or lines.")
    made.add_argument("font", nargs="?", help="font file, or folder of fonts (default: the captcha package's font)")
    made.add_argument("--prefix", default="ocr", help="prefix of the files that the run writes (default: ocr)")
    made.add_argument("--config", type=non_empty, metavar="FILE.json", help="hyperparameters, as in PREFIX.json")
    made.add_argument(
        "--preset", choices=presets.PRESETS, help="hyperparameters to start from (default: lstm; with --data: word)"
    )
    occupied = made.add_mutually_exclusive_group()
    occupied.add_argument("--resume", action="store_true", help="go on from the newest checkpoint under the prefix")
    occupied.add_argument("--overwrite", action="store_true", help="replace the files of the run under the prefix")
    made.add_argument("--overfit_batch", action="store_true", help="learn one batch by heart, save nothing, and end")
    made.add_argument("--print_network", action="store_true", help="print layers, shapes and parameters, and end")
    made.add_argument(
        "--init_from", type=non_empty, metavar="PREFIX", help="start from the weights of this model, as far as they fit"
    )
    made.add_argument(
        "--tensorboard", action="store_true", help="write PREFIX-tensorboard for TensorBoard (extra [tensorboard])"
    )
    _add_labelled(made.add_argument_group("labelled images"))
    num_proc = max(1, available_cores() // 2)
    made.add_argument(
        "--num_proc",
        type=integer(1, MAX_PROCESSES),
        default=num_proc,
        help=f"processes that draw or prepare images (default: {num_proc})",
    )
    device = made.add_mutually_exclusive_group()
    device.add_argument(
        "--cpu",
        type=integer(1, MAX_THREADS),
        help="threads to train with (default: the cores left by --num_proc)",
    )
    device.add_argument("--gpu", type=integer(0), default=0, help="GPUs to train on (default: 0)")
    add_hyperparameters(made.add_argument_group("hyperparameters"), options(), suppress=True)
    add_version(made)
    return made


def _add_labelled(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--data", type=non_empty, metavar="SOURCE", help="images to train on: see docs/data.md")
    held_out = group.add_mutually_exclusive_group()
    held_out.add_argument(
        "--validation", type=non_empty, metavar="SOURCE", help="images for validation (default: some of --data)"
    )
    held_out.add_argument(
        "--validation_share",
        type=fraction,
        default=0.1,
        metavar="P",
        help="share of --data for validation (default: 0.1)",
    )
    add_taken(group)
    group.add_argument(
        "--max_bad",
        type=fraction,
        default=0.1,
        metavar="P",
        help="share of bad samples that is let pass (default: 0.1)",
    )
    add_label_options(group)


def _train(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    if arguments.resume and not (arguments.config or arguments.preset) and Path(f"{arguments.prefix}.json").is_file():
        arguments.config = f"{arguments.prefix}.json"  # the run's own settings, but for the flags that are given
    arguments.preset = arguments.preset or ("word" if arguments.data else "lstm")
    _refuse_idle(arguments)
    settings = hyperparameters(arguments)
    fonts: tuple[str, ...] = ()
    if not arguments.data:
        _refuse_labelled(arguments)
        _refuse_images(arguments.font)
        fonts = find_fonts(arguments.font)
        check_glyphs(fonts, settings.data.alphabet)
    else:
        _refuse_drawn(arguments)
    set_up_logging()
    set_threads(arguments.cpu or max(1, available_cores() - arguments.num_proc))
    # Threads are fixed when MXNet is imported, so not above; and worker processes, which import this, want no MXNet.
    from ctc_ocr.runtime.devices import contexts

    devices = contexts(arguments.gpu)
    if settings.training.batch_size % len(devices):
        raise InputError(f"--batch_size {settings.training.batch_size} cannot be shared by {len(devices)} GPUs")
    existing = [] if arguments.overfit_batch or arguments.print_network else _check_prefix(arguments)
    return _run(arguments, settings, fonts, devices, existing if arguments.overwrite else [])


def _refuse_idle(arguments: argparse.Namespace) -> None:
    """Flags that mean nothing where nothing is saved."""
    for mode in ("overfit_batch", "print_network"):
        for name in ("resume", "overwrite", "tensorboard", *(["init_from"] if mode == "print_network" else [])):
            if getattr(arguments, mode) and getattr(arguments, name):
                raise InputError(f"--{name} means nothing with --{mode}, which saves nothing")


def _refuse_labelled(arguments: argparse.Namespace) -> None:
    defaults = parser().parse_args([])
    names = ("validation", "validation_share", "lookup", "max_units", "max_bad", *LABEL_OPTIONS)
    given = [name for name in names if getattr(arguments, name) != getattr(defaults, name)]
    if given:
        raise InputError(f"--{given[0]} means nothing without --data")


def _refuse_images(font: str | None) -> None:
    """Where a font is expected, and the flag was forgotten."""
    if font is None:
        return
    path = Path(font)
    suffixes = {each.suffix.lower() for each in (path.iterdir() if path.is_dir() else [path])}
    if suffixes & {*SUFFIXES, ".csv", ".rec"} and not suffixes & set(FONT_SUFFIXES):
        raise InputError("no font, but images as it seems; those to train on are named with --data", font)


def _refuse_drawn(arguments: argparse.Namespace) -> None:
    if arguments.font:
        raise InputError(f"a font ({arguments.font}) and --data are both given: images are either drawn or labelled")
    if given := [name for name in DRAWN if name in arguments]:
        raise InputError(f"--{given[0]} means nothing with --data: no captchas are drawn")


def _check_prefix(arguments: argparse.Namespace) -> list[Path]:
    """Refuse a prefix that cannot be used. Returns the files under it, to be removed by a run that overwrites them."""
    from ctc_ocr.checkpoint.run_files import epochs, existing_files

    prefix = arguments.prefix
    if not prefix or prefix.endswith("/") or Path(prefix).is_dir():
        folder = f"a folder, in which {prefix.rstrip('/')}/ocr would be; " if prefix else ""
        raise InputError(f"--prefix {prefix!r}: {folder}expected the beginning of file names, like models/ocr")
    if arguments.resume and arguments.init_from:
        raise InputError("--resume goes on with a run's own weights: --init_from means nothing there")
    if prefix != prefix.encode("utf-8", "replace").decode("utf-8"):
        raise InputError(f"--prefix {prefix!r}: MXNet takes only names in UTF-8")
    existing = existing_files(prefix)
    written = [path.resolve() for path in existing]
    if arguments.config and not arguments.resume and Path(arguments.config).resolve() in written:
        raise InputError(f"--config {arguments.config} has the name of a file that the run under {prefix!r} writes")
    if arguments.resume and not epochs(prefix):
        raise InputError(f"nothing to resume: there is no {prefix}-0001.params or later epoch")
    if existing and not (arguments.resume or arguments.overwrite):
        way = "go on with --resume, " if epochs(prefix) else "it was ended before its first checkpoint; "
        raise InputError(
            f"there is a run under the prefix {prefix!r} already ({existing[0]} and so on): "
            f"{way}replace it with --overwrite, or take another --prefix"
        )
    return existing


def _check_writable(prefix: str) -> None:
    """Better now than after the first epoch."""
    folder = Path(f"{prefix}-").parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"--prefix {prefix}: {folder} cannot be written to: {error.strerror}") from None


def _run(
    arguments: argparse.Namespace,
    settings: Hyperparameters,
    fonts: tuple[str, ...],
    devices: list[Any],
    replaced: list[Path],
) -> int:
    from ctc_ocr.checkpoint.description import Model
    from ctc_ocr.checkpoint.model_files import load
    from ctc_ocr.checkpoint.run_files import resolve_model
    from ctc_ocr.datasets.iterator import cached_batches, streamed_batches
    from ctc_ocr.symbols.summary import describe_network
    from ctc_ocr.training.resuming import newest
    from ctc_ocr.runtime.run_lock import locked_prefix
    from ctc_ocr.training.trainer import Trainer

    start = load(*resolve_model(arguments.init_from)) if arguments.init_from else None
    if not arguments.data:
        log.info("Without --data, captchas are drawn to train on")
    data = labelled(arguments, settings) if arguments.data else drawn(settings, fonts)
    model = Model(settings, data.alphabet)
    if arguments.print_network:
        print(describe_network(settings, data.alphabet.num_classes, settings.training.batch_size), end="")
        return 0
    num_batches = -(-data.samples_per_epoch // settings.training.batch_size)
    point = newest(arguments.prefix) if arguments.resume else None
    first = point.steps_done if point else 0
    with ExitStack() as stack:
        pool = stack.enter_context(BatchPool(data.train, arguments.num_proc, itertools.count(first)))
        iterator = streamed_batches(data.train, pool, data.samples_per_epoch, first % num_batches)
        callbacks: list[Callback] = []
        trainer = Trainer(model, iterator, devices, callbacks, data.fingerprint)
        if start:
            trainer.initialise_from(start)
        if arguments.overfit_batch:
            return _overfit(trainer, iterator.next())
        stack.enter_context(locked_prefix(arguments.prefix))
        if point:
            trainer.resume(point)
        _check_writable(arguments.prefix)
        done = trainer.epochs_done >= settings.training.num_epoch
        if done:
            log.info("All %d epochs are done; a larger --num_epoch goes on", trainer.epochs_done)
            if _calibrated(arguments.prefix):
                return 0
        callbacks += _callbacks(arguments, data, trainer, replaced, stack)
        validation = cached_batches(data.validation, data.num_validation, arguments.num_proc)
        finished = done or trainer.fit(iterator, validation, arguments.prefix, lambda: pool.seconds_waited)
    if not finished:
        log.info(
            "Interrupted. What was learned is saved; go on with the same command and --resume%s",
            " in place of --overwrite" if arguments.overwrite else "",
        )
        return INTERRUPTED
    _calibrate(arguments.prefix, validation, devices[0])
    return 0


def _callbacks(
    arguments: argparse.Namespace, data: TrainingData, trainer: "Trainer", replaced: list[Path], stack: ExitStack
) -> list["Callback"]:
    from ctc_ocr.training.callbacks import OldRun, ProgressBar, log_lines
    from ctc_ocr.training.run_files import History, Pruning, ValidationReadings
    from ctc_ocr.training.tensorboard import TensorBoard

    prefix = arguments.prefix
    made: list[Callback] = [
        stack.enter_context(ProgressBar(logging.getLogger("ctc_ocr"))),
        log_lines,
        OldRun(prefix, replaced),
        History(prefix, trainer.epochs_done),
        ValidationReadings(prefix, data.validation_names),
        Pruning(prefix, trainer.model.hyperparameters.training.keep),
    ]
    if arguments.tensorboard:
        made.append(stack.enter_context(TensorBoard(prefix, trainer.steps_done)))
    return made


def _calibrated(prefix: str) -> bool:
    """Whether the end of the run was reached before."""
    from ctc_ocr.checkpoint.calibration_file import load_calibration

    return all(load_calibration(prefix, epoch) for epoch in _likely_used(prefix))


def _likely_used(prefix: str) -> list[int]:
    """The best and the newest epoch; of one that is both, one."""
    from ctc_ocr.checkpoint.run_files import best_epoch, epochs

    newest = epochs(prefix)[-1]
    return list(dict.fromkeys((best_epoch(prefix) or newest, newest)))


def _calibrate(prefix: str, validation: Any, context: Any) -> None:
    from ctc_ocr.inference.calibrate import calibrate

    used = _likely_used(prefix)
    calibrate(prefix, used, validation, context)
    log.info("The best epoch is %d, the newest %d: lstm_ocr_infer --model %s IMAGE", used[0], used[-1], prefix)


def _overfit(trainer: "Trainer", batch: Any) -> int:
    steps, loss, accuracy = trainer.overfit(batch, OVERFIT_STEPS)
    log.info("One batch, %d steps: loss=%.4f accuracy=%.4f", steps, loss, accuracy)
    if accuracy < 1.0:
        raise RunError("one batch could not be learned by heart: see to the hyperparameters before training on more")
    log.info("One batch is learned by heart: this set-up can learn")
    return 0
