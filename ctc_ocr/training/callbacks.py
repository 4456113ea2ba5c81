"""What is shown during a run: a progress bar on a terminal, and log lines in the format of MXNet's example."""

import logging
import sys
from contextlib import ExitStack
from typing import Any

from tqdm import tqdm

from ctc_ocr.training.events import BatchEnd, EpochEnd, Progress, Saved

PLATEAU = 0.9  # fraction of images with an empty prediction
NUM_PREDICTIONS = 4

log = logging.getLogger(__name__)


def log_lines(event: Any) -> None:
    """Speed and accuracy every few batches; accuracy, time, blanks and a few predictions every epoch."""
    if isinstance(event, Progress):
        log.info(
            "Epoch[%d] Batch [%d] Speed: %.2f samples/sec accuracy=%.6f loss=%.4f",
            event.epoch, event.batch, event.speed, event.accuracy, event.loss,
        )  # fmt: skip
    elif isinstance(event, Saved):
        log.info('Saved checkpoint to "%s"', event.path)
    elif isinstance(event, EpochEnd):
        _log_epoch(event)


def _log_epoch(end: EpochEnd) -> None:
    head = f"Epoch[{end.epoch}]"
    log.info(
        "%s Train-accuracy=%.6f Train-cer=%.6f Train-loss=%.4f Learning-rate=%.3g",
        head, end.train_accuracy, end.train_cer, end.train_loss, end.learning_rate,
    )  # fmt: skip
    log.info(
        "%s Time cost=%.3f (%.0f samples/sec, %.0f %% of the time waiting for data)",
        head, end.seconds, end.speed, 100 * end.waiting,
    )  # fmt: skip
    log.info(
        "%s Validation-accuracy=%.6f Validation-lcs=%.6f Validation-cer=%.6f Validation-loss=%.4f",
        head, end.validation_accuracy, end.validation_lcs_ratio, end.validation_cer, end.validation_loss,
    )  # fmt: skip
    shown = ", ".join(f"{each.label} -> {each.text or '(empty)'}" for each in end.predictions[:NUM_PREDICTIONS])
    log.info("%s Blanks: %.1f %% of the time steps. Predictions: %s", head, 100 * end.blank_fraction, shown)
    if end.empty_fraction > PLATEAU:
        log.info(
            "%s On the all-blank plateau: %.0f %% of the predictions are empty. Every CTC network starts like this; if "
            "it does not end, check whether --overfit_batch succeeds, and lower --learning_rate",
            head, 100 * end.empty_fraction,
        )  # fmt: skip


def _console_loggers() -> list[logging.Logger]:
    """Those that print what `ctc_ocr` logs: its own, or a parent's after logging.basicConfig. tqdm would let any other
    logger print each line once more."""
    found, logger = list[logging.Logger](), logging.getLogger("ctc_ocr")
    while True:
        if any(getattr(handler, "stream", None) in (sys.stdout, sys.stderr) for handler in logger.handlers):
            found.append(logger)
        if not logger.propagate or logger.parent is None:
            return found
        logger = logger.parent


class ProgressBar:
    """A progress bar per epoch, on a terminal only; log lines appear above it. Use it as a context manager."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._redirect = ExitStack()

    def __enter__(self) -> "ProgressBar":
        if sys.stderr.isatty():
            # Imported here, since it warns in notebooks, which show no bar.
            from tqdm.contrib.logging import logging_redirect_tqdm

            self._redirect.enter_context(logging_redirect_tqdm(_console_loggers()))
        return self

    def __exit__(self, *error: Any) -> None:
        self._close()
        self._redirect.close()

    def __call__(self, event: Any) -> None:
        if isinstance(event, BatchEnd):
            if self._bar is None:
                total = event.num_batches * event.num_samples
                self._bar = tqdm(
                    total=total, initial=(event.batch - 1) * event.num_samples, unit=" samples", leave=False,
                    desc=f"Epoch[{event.epoch}]", disable=not sys.stderr.isatty(),
                )  # fmt: skip
            self._bar.update(event.num_samples)
        elif isinstance(event, (EpochEnd, Saved)):
            self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
