"""The event at the end of an epoch, from the sums of its training and its validation."""

from typing import Any

from ctc_ocr.training.events import EpochEnd, ValidationPrediction
from ctc_ocr.training.sums import Sums


def epoch_end(
    train: Sums, validated: Sums, predictions: tuple[ValidationPrediction, ...], *, seconds: float, **others: Any
) -> EpochEnd:
    """`seconds` and `others` are fields of the event by their names."""
    return EpochEnd(
        seconds=seconds,
        speed=train.tally.count / seconds,
        train_loss=train.mean_loss,
        train_accuracy=train.tally.accuracy,
        train_cer=train.tally.cer,
        validation_loss=validated.mean_loss,
        validation_accuracy=validated.tally.accuracy,
        validation_cer=validated.tally.cer,
        validation_lcs_ratio=validated.tally.lcs_ratio,
        blank_fraction=validated.blank_fraction,
        empty_fraction=validated.empty_fraction,
        predictions=predictions,
        **others,
    )
