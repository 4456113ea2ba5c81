"""What a run ends with, and the likely reason where it reads little: said in a line, with what to do."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctc_ocr.checkpoint.history import Row, best_row
from ctc_ocr.evaluation.metrics import wilson_interval
from ctc_ocr.runtime.advice import advice
from ctc_ocr.training.events import EpochEnd, Restarted

LEARNED_NOTHING = 0.9  # a CER above this
OVERFITS = (0.9, 0.3)  # so much of the training images is read, and so much less of validation
LAST_EPOCHS = 0.15  # of all: if these lowered the CER, the run was still improving
STILL_IMPROVING = "Still improving when it ended: go on with --resume and a larger --num_epoch or --max_minutes"
FEW_IMAGES, FEW_PER_UNIT, FEW_STEPS = 200, 20, 1.5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Facts:
    """What is known of labelled training images: their number, how often each unit occurs in their labels, and the time
    steps of a typical image divided by the units of its label: infinity for a network of one time step, which needs no
    more."""

    num_images: int
    frequencies: Counter[str]
    steps_per_unit: float


class Verdict:
    """A callback that keeps what a verdict is made of. facts: of labelled images. started: from another model. target:
    the accuracy that ends the run; 0 for none. rows: of the epochs before, of a run that is resumed."""

    def __init__(self, facts: Facts | None, started: bool, target: float = 0.0, rows: Sequence[Row] = ()) -> None:
        self._facts, self._started, self._target, self._rows = facts, started, target, list(rows)

    def __call__(self, event: Any) -> None:
        if isinstance(event, EpochEnd):
            self._rows.append(event.row)
        elif isinstance(event, Restarted):
            self._rows = [row for row in self._rows if row.epoch <= event.epochs_done]

    def log(self, is_bounded: bool, is_finished: bool = True) -> None:
        """Log what was reached and, of a run that no signal ended, why it is not more. is_bounded: the number of epochs
        or minutes ended the run, and not validation."""
        if not self._rows:
            return
        best = best_row(self._rows)
        if best.validation_samples:  # not known of epochs of version 0.2
            log.info("%s", reached(best))
        if is_finished and (reason := self._likely_reason(best, is_bounded)):
            (advice if reason == STILL_IMPROVING else log).info("%s", reason)

    def _likely_reason(self, best: Row, is_bounded: bool) -> str:
        last = self._rows[-1]
        if self._target and last.validation_accuracy >= self._target:
            return f"The target accuracy {self._target} is reached"
        if best.validation_cer > LEARNED_NOTHING:
            return f"The network learned to read nothing. {self._why_nothing()}"
        if last.train_accuracy > OVERFITS[0] and best.validation_accuracy < last.train_accuracy - OVERFITS[1]:
            return (
                f"It reads {last.train_accuracy:.0%} of its training images, and overfits them: more labels help most "
                "(`ctc-ocr data curve` tells how many), or stronger augmentation"
            )
        if is_bounded and is_improving([row.validation_cer for row in self._rows]):
            return STILL_IMPROVING
        return "" if is_bounded else "Validation did not improve any more, so the run ended"

    def _why_nothing(self) -> str:
        facts = self._facts
        if facts is None:
            return "Check with --overfit_batch whether the network can learn at all, and try a lower --learning_rate"
        if facts.steps_per_unit < FEW_STEPS:
            return f"It has only {facts.steps_per_unit:.1f} time steps per character: use a larger --width or --height"
        units = len(facts.frequencies)
        if not self._started and facts.num_images < FEW_IMAGES:
            return f"{facts.num_images} images are few without a model to start from: see --init_from"
        if sum(facts.frequencies.values()) < FEW_PER_UNIT * units:
            per_unit = sum(facts.frequencies.values()) / units
            return f"There are {units} different characters, and each occurs {per_unit:.0f} times: label more images"
        return "Wrong labels, or characters that are too small: see `ctc-ocr data preview`, and try --overfit_batch"


def is_improving(cers: Sequence[float]) -> bool:
    """Whether the last epochs lowered the CER below that of all epochs before them."""
    count = max(1, round(LAST_EPOCHS * len(cers)))
    return len(cers) > count and min(cers[-count:]) < min(cers[:-count])


def reached(best: Row) -> str:
    """The validation of the epoch that is used, with the 95 % confidence interval of its accuracy."""
    count = best.validation_samples
    correct = count - round(best.num_wrong)
    low, high = wilson_interval(correct, count)
    digits = 0 if high - low > 0.02 else 1
    return f"Reads {correct:,} of {count:,} held-out images ({100 * low:.{digits}f} to {100 * high:.{digits}f} %)"
