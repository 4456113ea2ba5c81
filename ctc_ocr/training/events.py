"""What training tells its callbacks. They get these events and never the trainer. Rates are fractions, 0 to 1."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ctc_ocr.checkpoint.history import COLUMNS, Row
from ctc_ocr.registry import Registry


@dataclass(frozen=True)
class ValidationPrediction:
    """One validation image: its label, the text that was predicted, and the number of edits between them."""

    label: str
    text: str
    edits: int


@dataclass(frozen=True)
class BatchEnd:
    """After each update: `batch` of `num_batches` of this epoch are done."""

    epoch: int  # from 0
    batch: int
    num_batches: int
    num_samples: int  # of this batch


@dataclass(frozen=True)
class Progress:
    """Every 50 batches: means since the last event of this kind. Speed in samples/s, loss in nats per sample."""

    epoch: int
    batch: int
    num_batches: int  # of this epoch
    update: int  # since the run began
    speed: float
    learning_rate: float
    loss: float
    accuracy: float
    cer: float


@dataclass(frozen=True)
class EpochEnd:
    """After the validation and the checkpoint of an epoch. Losses in nats per sample.

    `epoch` counts from 0; its checkpoint has the number epoch + 1. `waiting` is the fraction of the time that was spent
    waiting for data.
    """

    epoch: int
    update: int  # since the run began
    samples: int  # trained on since the run began
    seconds: float  # of training, without validation
    speed: float  # samples/s
    waiting: float
    learning_rate: float  # of the last update
    train_loss: float
    train_accuracy: float
    train_cer: float
    validation_loss: float
    validation_accuracy: float
    validation_cer: float
    validation_lcs_ratio: float
    blank_fraction: float  # of all time steps of all validation images
    empty_fraction: float  # of the validation images: the predicted text is empty
    best_epoch: int  # number of the checkpoint that is used: see checkpoint.history.best_row
    seconds_left: float  # until the run ends, if validation does not improve any more
    predictions: tuple[ValidationPrediction, ...]  # of all validation images, in their order

    @property
    def validation_samples(self) -> int:
        return len(self.predictions)

    @property
    def row(self) -> Row:
        """The row of the run's history."""
        return Row(self.epoch + 1, **{name: getattr(self, name) for name in COLUMNS[1:]})


@dataclass(frozen=True)
class Saved:
    """A checkpoint was written: `path` is its .params file."""

    path: str


@dataclass(frozen=True)
class StateSaved:
    """The state within an epoch was written, from which the run can be resumed."""

    path: str


@dataclass(frozen=True)
class Restarted:
    """The run has diverged, and goes back to the end of `epochs_done` epochs, with a lower learning rate."""

    epochs_done: int
    updates_done: int  # since the run began, of those that count
    reason: str


# After these, training waits until all callbacks have been called, in whatever process: some of them read and remove
# the run's files, and must find those of this moment.
OF_FILES = (EpochEnd, Saved, StateSaved, Restarted)

Callback = Callable[[Any], None]

# Callbacks by name: a function that gets the events, or a class whose instances do.
CALLBACKS: Registry[Any] = Registry("callback")


def register_callback(name: str) -> Callable[[Any], Any]:
    """A decorator that registers a function (event) -> None, or a class without arguments whose instances are such.

    One that is a context manager is entered for the duration of the run.
    """
    return CALLBACKS.register(name)


def make_callback(name: str) -> Callback:
    """The registered callback. Raises InputError with the names that there are."""
    part = CALLBACKS.get(name)
    made: Callback = part() if isinstance(part, type) else part
    return made
