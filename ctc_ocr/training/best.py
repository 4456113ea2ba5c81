"""The best validation of a run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctc_ocr.checkpoint.history import rank


@dataclass
class Best:
    """The best validation so far: its CER, and its loss in nats per sample, both infinite before the first one.

    `epochs_since` is the number of validations after it.
    """

    cer: float = math.inf
    loss: float = math.inf
    epochs_since: int = 0

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Best":
        """From what asdict makes of it; earlier versions also wrote an epoch. Raises TypeError for other values."""
        return cls(**{name: value for name, value in values.items() if name != "epoch"})

    def add(self, cer: float, loss: float) -> None:
        """Take an epoch's validation into account. An equal one is no improvement."""
        if rank(cer, loss) < rank(self.cer, self.loss):
            self.cer, self.loss, self.epochs_since = cer, loss, 0
        else:
            self.epochs_since += 1
