"""How long an epoch is, and a run: until its last epoch, until its minutes are used up, or until validation stands
still."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ctc_ocr.checkpoint.history import ONE_SAMPLE
from ctc_ocr.config.sections import Training

EPOCH_UPDATES = 100  # of labelled images: enough for a difference that validation shows, few enough to stop in time
WILD_SAMPLES = 15_000  # of an epoch of images that are generated in any size
PATIENCE_GROWTH = 0.3  # of the epochs done: what has improved for long may take longer to improve again
READS_NOTHING = 0.9  # a CER above this is the all-blank plateau, or little better
PLATEAU_PATIENCE = 4  # times the patience, while nothing is read: the plateau of a hard set is long
LESS_CER, LESS_LOSS = 0.95, 0.8  # fractions of the lowest value before, at which it counts as improved
# Validation images, all read: below 1 in 100 is wrong with 95 % confidence ("rule of three"), and little can improve.
MANY_READ, PATIENCE_OF_ALL_READ = 300, 1
CERTAIN = 0.05  # nats per sample, the right text with 95 %: a lower loss changes no reading


def samples_of_epoch(training: Training, is_generated: bool) -> int:
    """How many samples an epoch has, of generated images or of labelled ones."""
    if training.samples_per_epoch:
        return training.samples_per_epoch
    return WILD_SAMPLES if is_generated else EPOCH_UPDATES * training.batch_size


@dataclass
class StandStill:
    """How many epochs validation has not clearly improved for: by its CER (edits per unit), or at an equal CER by its
    loss (nats per sample). `all_read`: the last one had no error in many samples."""

    cer: float = math.inf
    loss: float = math.inf
    epochs: int = 0
    all_read: bool = False

    def add(self, cer: float, loss: float, samples: int) -> None:
        """Take an epoch's validation with so many samples into account."""
        self.all_read = cer == 0 and samples >= MANY_READ
        if cer < LESS_CER * self.cer or (cer <= self.cer and self._is_less(max(loss, CERTAIN), samples)):
            self.cer, self.loss, self.epochs = cer, loss, 0
        else:
            self.epochs += 1

    def _is_less(self, loss: float, samples: int) -> bool:
        return loss < LESS_LOSS * self.loss and loss <= self.loss - ONE_SAMPLE / samples


@dataclass
class Budget:
    """When a run ends: after the epoch `end`, which is at most `limit` and what the minutes allow.

    With the schedule `wsd`, the rate falls from the end of the epoch `decay_from`. `seconds` were used so far,
    validation included, and `lost` seconds for updates that were thrown away since they diverged. `stopped`: validation
    stood still. `start` sets them for a run, or for one that continues with a larger number of epochs or minutes;
    `foresee` within the first epoch, `after_epoch` after each, and `lose` when the run has gone back.
    """

    limit: int = 0
    end: int = 0
    decay_from: int = 0
    seconds: float = 0.0
    lost: float = 0.0
    stopped: bool = False
    standing: StandStill = field(default_factory=StandStill)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Budget":
        """From what asdict makes of it. Raises TypeError for other values."""
        return cls(**{**values, "standing": StandStill(**values["standing"])})

    def start(self, training: Training, epochs_done: int) -> None:
        """All of the settings' epochs, of which `epochs_done` are done."""
        self.limit = self.end = training.num_epoch
        self.stopped, self.standing.epochs = False, 0
        self._fit_into_minutes(training, epochs_done)
        self._decay_last(training, epochs_done)

    def foresee(self, training: Training, epoch_seconds: float) -> None:
        """In the first epoch: what fits into the minutes if each epoch takes so long. At least one does."""
        self.end = min(self.limit, max(1, int((60 * training.max_minutes - self.lost) / epoch_seconds)))
        self._decay_last(training, 0)

    def after_epoch(
        self, training: Training, epochs_done: int, seconds: float, cer: float, loss: float, samples: int
    ) -> None:
        """Take an epoch into account: how long it took with its validation, and its CER and loss of so many samples."""
        self.seconds += seconds
        self.standing.add(cer, loss, samples)
        decays = self.decay_from < epochs_done
        if not self.stopped and not decays and self._stands_still(training, epochs_done):
            self.stopped, self.decay_from = True, epochs_done
            self.limit = min(self.limit, epochs_done + max(1, math.ceil(training.decay_fraction * epochs_done)))
        self._fit_into_minutes(training, epochs_done)
        if not self.stopped and not decays:
            self._decay_last(training, epochs_done)

    def lose(self, training: Training, epochs_done: int, seconds: float) -> None:
        """So many seconds in all were for updates that do not count."""
        self.lost = seconds
        self._fit_into_minutes(training, epochs_done)
        if not self.stopped and self.decay_from >= epochs_done:
            self._decay_last(training, epochs_done)

    def seconds_left(self, training: Training, epochs_done: int) -> float:
        """Until the run ends, if validation does not improve any more; with the mean duration of an epoch so far."""
        end = self.end
        if training.schedule == "wsd" and training.stop_patience and not self.stopped:
            still = max(0.0, self._patience(training, epochs_done) - self.standing.epochs)
            end = min(end, math.ceil((1 + training.decay_fraction) * (epochs_done + still)))
        return (end - epochs_done) * self.seconds / epochs_done

    def _fit_into_minutes(self, training: Training, epochs_done: int) -> None:
        self.end = self.limit
        if training.max_minutes and epochs_done:
            left = 60 * training.max_minutes - self.seconds - self.lost
            self.end = min(self.limit, epochs_done + max(0, int(left / (self.seconds / epochs_done))))

    def _decay_last(self, training: Training, epochs_done: int) -> None:
        """Let the decay begin so that it ends with the run, but not in the past."""
        share = training.decay_fraction / (1 + training.decay_fraction)
        self.decay_from = max(epochs_done, self.end - math.ceil(share * self.end))

    def _stands_still(self, training: Training, epochs_done: int) -> bool:
        if training.schedule != "wsd" or not training.stop_patience:
            return False
        return self.standing.epochs >= self._patience(training, epochs_done)

    def _patience(self, training: Training, epochs_done: int) -> float:
        """Epochs without improvement that are waited for."""
        if self.standing.all_read:
            return PATIENCE_OF_ALL_READ
        plateau = PLATEAU_PATIENCE if self.standing.cer > READS_NOTHING else 1
        return max(training.stop_patience * plateau, PATIENCE_GROWTH * epochs_done)
