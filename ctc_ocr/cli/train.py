"""lstm_ocr_train: train a network on captchas that are drawn while it trains."""

import argparse
import itertools
import logging
import tempfile
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
MOST_PROCESSES = 1024

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    return run(PROG, _train, argv)


def parser() -> argparse.ArgumentParser:
    """Every hyperparameter is a flag; what is not given is taken from --config, and then from the defaults."""
    made = argparse.ArgumentParser(prog=PROG, description="Train a network to read captchas.")
    made.add_argument("font", nargs="?", help="font file, or folder of fonts (default: the captcha package's font)")
    made.add_argument("--prefix", default="ocr", help="prefix of the files that the run writes (default: ocr)")
    made.add_argument("--config", metavar="FILE.json", help="hyperparameters, as in PREFIX.json")
    made.add_argument("--preset", choices=presets.PRESETS, default="lstm", help="hyperparameters to start from")
    occupied = made.add_mutually_exclusive_group()
    occupied.add_argument("--resume", action="store_true", help="go on from the newest checkpoint under the prefix")
    occupied.add_argument("--overwrite", action="store_true", help="replace the files of the run under the prefix")
    made.add_argument("--overfit_batch", action="store_true", help="learn one batch by heart, save nothing, and end")
    num_proc = max(1, available_cores() // 2)
    made.add_argument(
        "--num_proc",
        type=at_least(1, MOST_PROCESSES),
        default=num_proc,
        help=f"processes that draw images (default: {num_proc})",
    )
    device = made.add_mutually_exclusive_group()
    device.add_argument(
        "--cpu",
        type=at_least(1, MOST_PROCESSES),
        help="threads to train with (default: the cores left by --num_proc)",
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
    existing = [] if arguments.overfit_batch else _check_prefix(arguments)
    return _run(arguments, settings, fonts, devices, existing if arguments.overwrite else [])


def _check_prefix(arguments: argparse.Namespace) -> list[Path]:
    """Refuse a prefix that cannot be used. Returns the files under it, to be removed by a run that overwrites them."""
    from ctc_ocr.checkpoint import epochs, occupied

    prefix = arguments.prefix
    if not prefix or prefix.endswith("/"):
        raise InputError(f"--prefix {prefix!r}: expected the beginning of file names, like models/ocr")
    if prefix != prefix.encode("utf-8", "replace").decode("utf-8"):
        raise InputError(f"--prefix {prefix!r}: MXNet takes only names in UTF-8")
    existing = occupied(prefix)
    if arguments.config and Path(arguments.config).resolve() in [path.resolve() for path in existing]:
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
    from ctc_ocr.checkpoint import Model
    from ctc_ocr.datasets.iterator import endless, remembered
    from ctc_ocr.training.callbacks import OldRun, ProgressBar, log_lines
    from ctc_ocr.training.resuming import newest
    from ctc_ocr.training.trainer import Trainer

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
    point = newest(arguments.prefix) if arguments.resume else None
    first = point.steps_done if point else 0
    pool = BatchPool(train, arguments.num_proc, itertools.count(first))
    with pool, ProgressBar(logging.getLogger("ctc_ocr")) as bar:
        iterator = endless(train, pool, training.samples_per_epoch, first % num_batches)
        trainer = Trainer(model, iterator, devices, [bar, log_lines, OldRun(arguments.prefix, replaced)])
        if arguments.overfit_batch:
            return _overfit(trainer, iterator.next())
        if point:
            trainer.resume(point)
        _check_writable(arguments.prefix)
        if trainer.epochs_done >= training.num_epoch:
            log.info("All %d epochs are done; a larger --num_epoch goes on", trainer.epochs_done)
            return 0
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
