"""What a run ended with, from the files that it wrote, and how its model is used."""

import math
import shlex
from dataclasses import dataclass, field

from ctc_ocr.checkpoint import history, run_files
from ctc_ocr.checkpoint.history import Row
from ctc_ocr.runtime.advice import advice


@dataclass(frozen=True)
class TrainingResult:
    """What a run ended with.

    `finished` is False if Ctrl-C or SIGTERM ended it, whose number is `signal`; it can be resumed. `best_epoch` and
    `newest_epoch` are numbers of checkpoints. `accuracy` (0 to 1) and `cer` (edits per unit of the labels) are those of
    the best epoch's validation, NaN if no epoch was completed. `history` has a row per epoch. Of a cluster, only the
    first worker has all this, which it has written.
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


def result_of(prefix: str, finished: bool, signal: int = 0) -> TrainingResult:
    """That of the run under a prefix, which has epochs."""
    rows = tuple(history.read(prefix))
    best, *_ = used = _epochs_in_use(prefix)
    row = next((each for each in rows if each.epoch == best), None)
    accuracy, cer = (row.validation_accuracy, row.validation_cer) if row else (math.nan, math.nan)
    return TrainingResult(prefix, finished, best, used[-1], accuracy, cer, rows, signal)


def _epochs_in_use(prefix: str) -> list[int]:
    """The best and the newest epoch; once if they are the same."""
    newest = run_files.epochs(prefix)[-1]
    return list(dict.fromkeys((run_files.best_epoch(prefix) or newest, newest)))


def log_advice(result: TrainingResult) -> None:
    """Log how to read images with the model; nothing of an epoch that was not completed, of which nothing is known."""
    if result.history:
        advice.info(
            "Best epoch: %d, newest: %d. To read images with the best: ctc-ocr infer --model %s IMAGE",
            result.best_epoch, result.newest_epoch, shlex.quote(result.prefix),
        )  # fmt: skip
