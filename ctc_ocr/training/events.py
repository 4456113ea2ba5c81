"""What training tells its callbacks. They get these and never the trainer. Rates are shares, 0 to 1."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reading:
    """One validation image: what is written in it, what was read, and how many edits of units lie between them."""

    truth: str
    text: str
    edits: int


@dataclass(frozen=True)
class BatchEnd:
    """After each step: `batch` of `num_batches` of this epoch are done."""

    epoch: int
    batch: int
    num_batches: int
    num_samples: int


@dataclass(frozen=True)
class Report:
    """Every few batches: means since the report before it. Speed in samples a second, loss in nats a sample."""

    epoch: int
    batch: int
    step: int  # updates since the run began
    speed: float
    learning_rate: float
    loss: float
    accuracy: float
    cer: float


@dataclass(frozen=True)
class EpochEnd:
    """After an epoch's validation, when its checkpoint is written. Losses in nats a sample.

    `waiting` is the share of its time spent waiting for data. The checkpoint is that of epoch + 1.
    """

    epoch: int
    step: int  # updates since the run began
    samples: int  # trained on since the run began
    seconds: float  # of training
    speed: float
    waiting: float
    learning_rate: float  # of the last step
    train_loss: float
    train_accuracy: float
    train_cer: float
    validation_loss: float
    validation_accuracy: float
    validation_cer: float
    validation_lcs_ratio: float
    blank_fraction: float  # of all steps of all validation images
    empty_fraction: float  # of the validation images: nothing was read
    best_epoch: int  # number of the checkpoint with the best validation
    readings: tuple[Reading, ...]  # of all validation images, in their order


@dataclass(frozen=True)
class Saved:
    """A checkpoint was written: `path` is its .params file."""

    path: str


Callback = Callable[[Any], None]
