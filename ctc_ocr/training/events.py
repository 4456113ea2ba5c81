"""What training tells its callbacks. They get these and never the trainer. Rates are shares, 0 to 1."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reading:
    """One validation image: what is written in it and what was read."""

    truth: str
    text: str


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
    speed: float
    loss: float
    accuracy: float


@dataclass(frozen=True)
class EpochEnd:
    """After an epoch's validation. `waiting` is the share of its time spent waiting for data."""

    epoch: int
    seconds: float
    speed: float
    waiting: float
    loss: float
    train_accuracy: float
    validation_accuracy: float
    validation_lcs_ratio: float
    blank_share: float  # of all steps of all validation images
    empty_share: float  # of the validation images: nothing was read
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class Saved:
    """A checkpoint was written: `path` is its .params file."""

    path: str


Callback = Callable[[Any], None]
