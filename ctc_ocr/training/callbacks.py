"""What is shown during a run: a progress bar on a terminal, and log lines in the format of MXNet's example."""

import logging
import sys
from contextlib import ExitStack
from typing import Any

from tqdm import tqdm

from ctc_ocr.training.events import BatchEnd, EpochEnd, Progress, Restarted, Saved

PLATEAU = 0.9  # fraction of images with an empty prediction
LONG_EPOCH = 200  # batches
WAITING = 0.5  # a larger fraction of the time is told

log = logging.getLogger(__name__)


class LogLines:
    """A line per epoch, and in long epochs one every 50 batches. The all-blank plateau, and much waiting for data, are
    told once."""

    def __init__(self) -> None:
        self._told_plateau = self._told_waiting = False

    def __call__(self, event: Any) -> None:
        if isinstance(event, Progress) and event.num_batches >= LONG_EPOCH:
            log.info(
                "Epoch %d, batch %d of %d: %.0f samples/s, accuracy %.4f, loss %.4f",
                event.epoch + 1, event.batch, event.num_batches, event.speed, event.accuracy, event.loss,
            )  # fmt: skip
        elif isinstance(event, EpochEnd):
            log.info("%s", epoch_line(event))
            if event.empty_fraction > PLATEAU and not self._told_plateau:
                self._told_plateau = True
                log.info(
                    "On the all-blank plateau: %.0f %% of the predictions are empty. Every network starts like this",
                    100 * event.empty_fraction,
                )
            if event.waiting > WAITING and not self._told_waiting:
                self._told_waiting = True
                log.info("%.0f %% of the time waiting for data: more --num_proc may help", 100 * event.waiting)
        elif isinstance(event, Restarted):
            place = f"the end of epoch {event.epochs_done}" if event.epochs_done else "the start"
            log.warning("Diverged: %s. Back to %s, with half the rate", event.reason, place)


def epoch_line(end: EpochEnd) -> str:
    """An epoch's validation, on its checkpoint's number; with the time of a log line before it, at most 80 columns."""
    read = sum(not each.edits for each in end.predictions)
    result = f"{read:,} of {len(end.predictions):,} read, CER {end.validation_cer:.4f}"
    if end.empty_fraction > PLATEAU:
        result = f"nothing read yet, loss {end.validation_loss:.3f}"
    return f"Epoch {end.epoch + 1}: {result}, best {end.best_epoch}, {end.seconds:.0f} s, {_left(end.seconds_left)}"


def _left(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s left"
    minutes = round(seconds / 60)
    return f"{minutes} min left" if minutes < 100 else f"{minutes / 60:.0f} h left"


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
                    desc=f"Epoch {event.epoch + 1}", disable=not sys.stderr.isatty(),
                )  # fmt: skip
            self._bar.update(event.num_samples)
        elif isinstance(event, (EpochEnd, Saved, Restarted)):
            self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
