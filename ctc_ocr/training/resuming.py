"""Where a run stands that is to be gone on with."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctc_ocr.checkpoint import model_files, run_files, training_state
from ctc_ocr.checkpoint.model_files import Checkpoint
from ctc_ocr.errors import InputError
from ctc_ocr.training.best import Best

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResumePoint:
    """A checkpoint with the optimizer's state that belongs to it, and what it has behind it: how much of how many
    epochs, how often its learning rate fell for want of a better validation, the best validation, and the fingerprint
    of the images."""

    prefix: str
    stored: Checkpoint
    arrays: dict[str, np.ndarray[Any, Any]]
    epochs_done: int
    batches_done: int
    num_batches: int
    falls: int
    best: Best
    data: str

    @property
    def steps_done(self) -> int:
        """Updates made since the run began."""
        return self.epochs_done * self.num_batches + self.batches_done


def newest(prefix: str) -> ResumePoint:
    """The newest checkpoint under `prefix` whose parts belong together: a crash can leave one of which they do not.

    Raises InputError if there is none.
    """
    for epoch in reversed(run_files.epochs(prefix)):
        stored = model_files.load(prefix, epoch)
        if stored.model is None:
            raise InputError(f"{prefix}.json is missing, which a run needs to be resumed")
        arrays, values = training_state.load_training_state(prefix, epoch)
        try:
            names = ("epochs_done", "batches_done", "num_batches", "falls")
            progress = {name: int(values[name]) for name in names}
            sum_of_weights, best, data = int(values["checksum"]), Best(**values["best"]), str(values["data"])
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{prefix}-{epoch:04d}.state.npz: not a training state of this package") from None
        if sum_of_weights == training_state.checksum(stored.arg_params):
            return ResumePoint(prefix, stored, arrays, best=best, data=data, **progress)
        log.warning(
            "%s: weights and optimizer state do not belong together; taking the epoch before", stored.params_file
        )
    raise InputError("no checkpoint to resume: in none do weights and optimizer state belong together", prefix)
