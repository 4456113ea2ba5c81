"""lstm_ocr_train: train a network on captchas that are drawn while it trains."""

import argparse
import itertools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ctc_ocr import presets
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.cli.common import INTERRUPTED, add_hyperparameters, add_version, at_least, run, set_up_logging
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.generation.pool import BatchPool
from ctc_ocr.generation.seeds import TRAIN, VALIDATION
from ctc_ocr.hyperparameters import Hyperparameters, options, read_sections
from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer
from ctc_ocr.rendering.factory import make_renderer
from ctc_ocr.rendering.fonts import check_glyphs, find_fonts
from ctc_ocr.threads import available_cores, set_threads

if TYPE_CHECKING:
    from ctc_ocr.training.trainer import Trainer

PROG = "lstm_ocr_train"
OVERFIT_STEPS = 1000

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    return run(PROG, _train, argv)


def parser() -> argparse.ArgumentParser:
    """Every hyperparameter is a flag; what is not given is taken from --config, and then from the defaults."""
    made = argparse.ArgumentParser(prog=PROG, description="Train a network to read captchas.")
    made.add_argument("font", nargs="?", help="font file, or folder of fonts (default: the captcha package's font)")
    made.add_argument("--prefix", default="ocr", help="prefix of the files that the run writes (default: ocr)")
    made.add_argument("--config", metavar="FILE.json", help="hyperparameters, in the form that PREFIX.json has them")
    made.add_argument("--preset", choices=presets.PRESETS, default="lstm", help="hyperparameters to start from")
    occupied = made.add_mutually_exclusive_group()
    occupied.add_argument("--resume", action="store_true", help="go on from the newest checkpoint under the prefix")
    occupied.add_argument("--overwrite", action="store_true", help="replace the files of the run under the prefix")
    made.add_argument("--overfit_batch", action="store_true", help="learn one batch by heart, save nothing, and end")
    num_proc = max(1, available_cores() // 2)
    made.add_argument(
        "--num_proc", type=at_least(1), default=num_proc, help=f"processes that draw images (default: {num_proc})"
    )
    device = made.add_mutually_exclusive_group()
    device.add_argument(
        "--cpu", type=at_least(1), help="threads to train with (default: the cores that are left by --num_proc)"
    )
    device.add_argument("--gpu", type=at_least(0), default=0, help="GPUs to train on (default: 0)")
    add_hyperparameters(made.add_argument_group("hyperparameters"), options(), suppress=True)
    add_version(made)
    return made


def hyperparameters(arguments: argparse.Namespace) -> Hyperparameters:
    """The flags that were given, over --config, over --preset, over the defaults."""
    config = read_sections(arguments.config) if arguments.config else {}
    flags: dict[str, dict[str, Any]] = {}
    for name, (section, _, _) in options().items():
        if hasattr(arguments, name):
            flags.setdefault(section, {})[name] = getattr(arguments, name)
    return presets.settings(arguments.preset, config, flags)


def _train(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    settings = hyperparameters(arguments)
    fonts = find_fonts(arguments.font)
    check_glyphs(fonts, settings.data.alphabet)
    set_up_logging()
    set_threads(arguments.cpu or max(1, available_cores() - arguments.num_proc))
    # Threads are fixed when MXNet is imported, so not above; and worker processes, which import this, want no MXNet.
    from ctc_ocr.devices import contexts

    devices = contexts(arguments.gpu)
    if settings.training.batch_size % len(devices):
        raise InputError(f"--batch_size {settings.training.batch_size} cannot be shared by {len(devices)} GPUs")
    if not arguments.overfit_batch:
        _check_prefix(arguments)
    return _run(arguments, settings, fonts, devices)


def _check_prefix(arguments: argparse.Namespace) -> None:
    from ctc_ocr.checkpoint import epochs, occupied

    if arguments.resume and not epochs(arguments.prefix):
        raise InputError(f"nothing to resume: there is no {arguments.prefix}-0001.params or later epoch")
    existing = occupied(arguments.prefix)
    if existing and not (arguments.resume or arguments.overwrite):
        raise InputError(
            f"there is a run under the prefix {arguments.prefix!r} already ({existing[0]} and so on): "
            "go on with --resume, replace it with --overwrite, or take another --prefix"
        )


def _clear_prefix(arguments: argparse.Namespace) -> None:
    """Done only when all is ready to train, so that a mistake in the arguments costs no model."""
    from ctc_ocr.checkpoint import occupied

    try:
        Path(arguments.prefix).parent.mkdir(parents=True, exist_ok=True)
        for path in occupied(arguments.prefix) if arguments.overwrite else []:
            path.unlink()
    except OSError as error:
        raise InputError(f"--prefix {arguments.prefix}: {error}") from None


def _run(arguments: argparse.Namespace, settings: Hyperparameters, fonts: tuple[str, ...], devices: list[Any]) -> int:
    from ctc_ocr.checkpoint import Model
    from ctc_ocr.datasets.iterator import endless, remembered
    from ctc_ocr.training.callbacks import ProgressBar, log_lines
    from ctc_ocr.training.trainer import Trainer, steps_done

    data, training = settings.data, settings.training
    sizes = (data.draw_width, data.draw_height, data.width, data.height)
    renderer = make_renderer(data.renderer, fonts, *sizes)
    train = GeneratedSource(renderer, data, training.batch_size, training.seed, TRAIN)
    # What counts is how the library's own images are read, whatever drew those that are trained on.
    library = CaptchaLibraryRenderer(fonts, *sizes)
    held_out = GeneratedSource(library, data, training.batch_size, training.seed, VALIDATION)
    # One image here: compiles what the workers will only load, and reports a font that cannot be drawn at once.
    image = np.empty((1, data.height, data.width), np.uint8)
    renderer.render_batch([data.alphabet[0]], np.zeros(1, np.uint64), image)
    model = Model(settings, Alphabet(tuple(data.alphabet)))
    num_batches = -(-training.samples_per_epoch // training.batch_size)
    first = steps_done(arguments.prefix, num_batches) if arguments.resume else 0
    pool = BatchPool(train, arguments.num_proc, itertools.count(first))
    with pool, ProgressBar(logging.getLogger("ctc_ocr")) as bar:
        iterator = endless(train, pool, training.samples_per_epoch, first % num_batches)
        trainer = Trainer(model, iterator, devices, [bar, log_lines])
        if arguments.overfit_batch:
            return _overfit(trainer, iterator.next())
        if arguments.resume:
            trainer.resume(arguments.prefix)
        _clear_prefix(arguments)
        validation = remembered(held_out, training.validation_samples, arguments.num_proc)
        finished = trainer.fit(iterator, validation, arguments.prefix, lambda: pool.seconds_waited)
    if finished:
        return 0
    log.info("Interrupted. What was learned is saved; go on with the same command and --resume")
    return INTERRUPTED


def _overfit(trainer: "Trainer", batch: Any) -> int:
    steps, loss, accuracy = trainer.overfit(batch, OVERFIT_STEPS)
    log.info("One batch, %d steps: loss=%.4f accuracy=%.4f", steps, loss, accuracy)
    if accuracy < 1.0:
        raise RunError("one batch could not be learned by heart: see to the hyperparameters before training on more")
    log.info("One batch is learned by heart: this set-up can learn")
    return 0
