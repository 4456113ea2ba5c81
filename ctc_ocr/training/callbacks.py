"""What is shown while a run goes on: a progress bar on a terminal, and log lines in the words of MXNet's example."""

import logging
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ctc_ocr.training.events import BatchEnd, EpochEnd, Report, Saved

PLATEAU = 0.9  # share of images in which nothing is read
NUM_READINGS = 4

log = logging.getLogger(__name__)


def log_lines(event: Any) -> None:
    """Speed and accuracy every few batches; accuracy, time, blanks and a few readings every epoch."""
    if isinstance(event, Report):
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
    readings = ", ".join(f"{each.truth} as {each.text or 'nothing'}" for each in end.readings[:NUM_READINGS])
    log.info("%s Blanks: %.1f %% of all steps. Reads %s", head, 100 * end.blank_fraction, readings)
    if end.empty_fraction > PLATEAU:
        log.info(
            "%s On the all-blank plateau: nothing is read in %.0f %% of the images. Every CTC network begins like "
            "this; if it lasts, see whether --overfit_batch can learn, and lower --learning_rate",
            head, 100 * end.empty_fraction,
        )  # fmt: skip


class OldRun:
    """Removes the files of the run that a new one replaces, once the first checkpoint of the new one is written."""

    def __init__(self, prefix: str, files: list[Path]) -> None:
        self._prefix, self._files = prefix, files

    def __call__(self, event: Any) -> None:
        if isinstance(event, Saved):
            state = event.path.removesuffix(".params") + ".state.npz"
            written = {Path(f"{self._prefix}.json"), Path(f"{self._prefix}-symbol.json"), Path(event.path), Path(state)}
            for path in self._files:
                if path not in written:
                    path.unlink(missing_ok=True)
            self._files = []


class ProgressBar:
    """One bar an epoch, on a terminal only; log lines go above it. Use it as a context manager."""

    def __init__(self, logger: logging.Logger) -> None:
        self._bar: Any = None
        self._redirect: Any = logging_redirect_tqdm([logger])

    def __enter__(self) -> "ProgressBar":
        self._redirect.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._close()
        self._redirect.__exit__(*error)

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
