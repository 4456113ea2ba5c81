"""How far a run is, and how it went: with its weights and its optimizer's state, all that resuming needs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from typing import Any

from ctc_ocr.checkpoint.history import Row, row_of
from ctc_ocr.checkpoint.history import read as read_history
from ctc_ocr.training.best import Best
from ctc_ocr.training.budget import Budget


@dataclass
class RunState:
    """Progress of a run, and its validation so far. Training states have it as JSON values."""

    num_batches: int  # per epoch
    fingerprint: str = ""  # of the images: a run is resumed with the same ones only
    validation_fraction: float | None = 0.0  # as the user gives it, 0: the default; None: not known, of old states
    restarts: int = 0  # how often the run has diverged and gone back: its learning rate is lower for it
    epochs_done: int = 0
    batches_done: int = 0  # of the epoch under way
    seconds: float = 0.0  # of training in the epoch under way, before it was interrupted
    reductions: int = 0  # of the learning rate, by the schedule `plateau`
    best: Best = field(default_factory=Best)
    budget: Budget = field(default_factory=Budget)
    history: list[Row] = field(default_factory=list)  # of the epochs that are done
    start: int | None = None  # checksum of the weights that the run started from; None: from none, or not known

    @property
    def updates_done(self) -> int:
        """Updates since the run began."""
        return self.epochs_done * self.num_batches + self.batches_done

    @property
    def num_updates(self) -> int:
        """Updates of the whole run, as far as is known now."""
        return self.budget.end * self.num_batches

    @property
    def decay_from(self) -> int:
        """The update after which the rate falls, with the schedule `wsd`."""
        return self.budget.decay_from * self.num_batches

    def to_values(self, sums: Sequence[Sequence[float]]) -> dict[str, Any]:
        """What is written, with the sums of the epoch under way, of each worker."""
        return {
            "epochs_done": self.epochs_done,
            "batches_done": self.batches_done,
            "num_batches": self.num_batches,
            "sums": sums if self.batches_done else [],
            "seconds": self.seconds,
            "falls": self.reductions,
            "restarts": self.restarts,
            "best": asdict(self.best),
            "budget": asdict(self.budget),
            "history": [astuple(row) for row in self.history],
            "data": self.fingerprint,
            "validation_fraction": self.validation_fraction,
            "start": self.start,
        }

    @classmethod
    def from_values(cls, values: Mapping[str, Any], prefix: str) -> "RunState":
        """What to_values has written for a run under `prefix`, or an earlier version: some of the values are newer than
        others. Raises KeyError, TypeError or ValueError for other values."""
        within = int(values["batches_done"])
        return cls(
            num_batches=int(values["num_batches"]),
            fingerprint=str(values["data"]),
            validation_fraction=values.get("validation_fraction"),
            restarts=int(values.get("restarts", 0)),
            epochs_done=int(values["epochs_done"]),
            batches_done=within,
            seconds=float(values.get("seconds", 0.0)) if within else 0.0,
            reductions=int(values["falls"]),
            best=Best.from_values(values["best"]),
            budget=Budget.from_values(values["budget"]),
            history=_history(prefix, values),
            start=values.get("start"),
        )


def _history(prefix: str, values: Mapping[str, Any]) -> list[Row]:
    """The states of version 0.2 have none: that of the file, of the epochs that are done."""
    if "history" not in values:
        return [row for row in read_history(prefix) if row.epoch <= int(values["epochs_done"])]
    return [row_of(row) for row in values["history"]]
