"""The best validation of a run."""

import math
from dataclasses import dataclass

from ctc_ocr.checkpoint.history import rank


@dataclass
class Best:
    """The best validation so far: the number of its checkpoint (0: none), its CER, and its loss in nats per sample.

    `epochs_since` is the number of validations after it.
    """

    epoch: int = 0
    cer: float = math.inf
    loss: float = math.inf
    epochs_since: int = 0

    def add(self, epoch: int, cer: float, loss: float) -> None:
        """Take an epoch's validation into account. An equal one is no improvement."""
        if self.epoch == 0 or rank(cer, loss) < rank(self.cer, self.loss):
            self.epoch, self.cer, self.loss, self.epochs_since = epoch, cer, loss, 0
        else:
            self.epochs_since += 1
