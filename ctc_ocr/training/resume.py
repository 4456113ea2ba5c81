"""Where a run stands that is resumed, and whether it can be."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.history import Row
from ctc_ocr.checkpoint.history import read as read_history
from ctc_ocr.checkpoint.model_files import Checkpoint, load
from ctc_ocr.checkpoint.run_files import description_path, epochs, state_path
from ctc_ocr.checkpoint.training_state import checksum, load_training_state
from ctc_ocr.errors import InputError
from ctc_ocr.training.best import Best
from ctc_ocr.training.budget import Budget
from ctc_ocr.training.state_values import check_values

# Hyperparameters that change only how the run goes on, and not what its files mean.
MAY_CHANGE = ("renderer", "lstm_graph", "dropout")
TRAINED = "trained."  # begins the names of weights in a training state; the optimizer's begin with a number

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResumePoint:
    """A checkpoint with its optimizer state, and the progress of its run."""

    prefix: str
    checkpoint: Checkpoint
    model: Model
    optimizer_state: dict[str, NDArray[Any]]
    trained: dict[str, NDArray[Any]]  # the weights, where those of the checkpoint are their running average
    epochs_done: int
    batches_done: int  # of the epoch under way
    num_batches: int  # per epoch
    reductions: int  # of the learning rate, by the schedule `plateau`
    best: Best
    budget: Budget
    history: tuple[Row, ...]
    fingerprint: str  # of the images

    @property
    def updates_done(self) -> int:
        """Updates since the run began."""
        return self.epochs_done * self.num_batches + self.batches_done

    @property
    def state_file(self) -> str:
        return str(state_path(self.prefix, self.checkpoint.epoch))


def newest(prefix: str) -> ResumePoint:
    """The newest checkpoint under `prefix` whose weights and optimizer state belong together; after a crash they may
    not. Raises InputError if there is none.
    """
    for epoch in reversed(epochs(prefix)):
        checkpoint = load(prefix, epoch)
        if checkpoint.model is None:
            raise InputError("missing, and needed to resume a run", description_path(prefix))
        arrays, values = load_training_state(prefix, epoch)
        trained = {name: arrays.pop(name) for name in list(arrays) if name.startswith(TRAINED)}
        trained = {name.removeprefix(TRAINED): array for name, array in trained.items()}
        try:
            check_values(values, epoch)
            progress = {name: int(values[name]) for name in ("epochs_done", "batches_done", "num_batches")}
            point = ResumePoint(
                prefix, checkpoint, checkpoint.model, arrays, trained, **progress,
                reductions=int(values["falls"]), best=Best(**values["best"]),
                budget=Budget.from_values(values["budget"]), history=_history(prefix, values),
                fingerprint=str(values["data"]),
            )  # fmt: skip
            expected = int(values["checksum"])
        except (KeyError, TypeError, ValueError, IndexError):
            raise InputError("not a training state of this package", state_path(prefix, epoch)) from None
        if expected == checksum(checkpoint.arg_params):
            return point
        log.warning("%s: its optimizer state belongs to other weights; trying the epoch before", checkpoint.params_file)
    raise InputError("no checkpoint to resume: in none do weights and optimizer state belong together", prefix)


def _history(prefix: str, values: Mapping[str, Any]) -> tuple[Row, ...]:
    """The rows of the epochs that are done. The states of version 0.2 have none: those of the file. Raises KeyError,
    TypeError or ValueError for broken ones."""
    if "history" not in values:
        return tuple(row for row in read_history(prefix) if row.epoch <= int(values["epochs_done"]))
    rows = values["history"]
    return tuple(Row(int(epoch), int(samples), *map(float, others)) for epoch, samples, *others in rows)


def check_resumable(point: ResumePoint, model: Model, num_batches: int, fingerprint: str) -> None:
    """Raises InputError if a run with these settings and images would not be the same run. Logs what changes."""
    before, now = point.model.hyperparameters.to_dict(), model.hyperparameters.to_dict()
    for section, values in now.items():
        for name, value in values.items():
            old = before[section][name]
            if old == value:
                continue
            if section not in ("training", "augmentation") and name not in MAY_CHANGE:
                reason = f"cannot resume: the run has {name}={old}, and {value} was given; {_start_anew(point)}"
                raise InputError(reason, point.prefix)
            log.info("Resuming with %s=%s; it was %s before", name, value, old)
    if point.model.alphabet != model.alphabet:
        raise InputError(f"cannot resume: the run has another alphabet; {_start_anew(point)}", point.prefix)
    if point.num_batches != num_batches:
        raise InputError(
            f"cannot resume: its epochs have {point.num_batches} batches, and these settings give {num_batches}; "
            "resume with the same images, batch_size and samples_per_epoch",
            point.prefix,
        )
    if point.fingerprint != fingerprint:
        raise InputError(
            "cannot resume: the run has other images, or another split into training and validation; "
            f"{_start_anew(point)}",
            point.prefix,
        )


def _start_anew(point: ResumePoint) -> str:
    return f"--init_from {point.prefix} and another --prefix start a new run from its weights, as far as they fit"
