"""K-fold cross-validation (Stone, 1974): every image is read by a model that was trained without it."""

import logging
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.samples import Problem
from ctc_ocr.errors import check_kind
from ctc_ocr.experiments.folds import folds_of
from ctc_ocr.experiments.label_readings import LabelReading, tally
from ctc_ocr.experiments.trial import Experiment
from ctc_ocr.training.settings import LabelledImages, RunOptions

FOLDS = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of a figure over the folds."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of two or more values."""
        return cls(statistics.fmean(values), statistics.stdev(values))


@dataclass(frozen=True)
class Fold:
    """How well the images of a fold are read by the model of the others.

    number: from 1. num_trained: images of the other folds, its validation included. num_read: those of the fold.
    accuracy: the fraction that is correct. cer: edits per unit of the labels.
    """

    number: int
    num_trained: int
    num_read: int
    accuracy: float
    cer: float


@dataclass(frozen=True)
class CrossValidation:
    """The figures of each fold, and all readings in the order of the source. invalid: samples that were left out."""

    folds: tuple[Fold, ...]
    readings: tuple[LabelReading, ...]
    invalid: tuple[Problem, ...] = ()

    @property
    def accuracy(self) -> Spread:
        return Spread.of([each.accuracy for each in self.folds])

    @property
    def cer(self) -> Spread:
        return Spread.of([each.cer for each in self.folds])


def cross_validate(
    data: LabelledImages | str | Path,
    folds: int = FOLDS,
    hyperparameters: Hyperparameters | None = None,
    options: RunOptions | None = None,
) -> CrossValidation:
    """Divide labelled images into folds, and read each with a network that was trained on all others.

    The trainings are those of `ctc_ocr.train`, each in a temporary folder that is removed. `data`, `hyperparameters`
    and `options` mean what they mean there; prefix, resume, overwrite and tensorboard have no effect. The seed of the
    hyperparameters decides the folds too. Images with the same pixels share a fold. Raises InputError for arguments and
    sources that cannot be used, RunError for a training that fails.
    """
    check_kind("an integer", folds=folds)
    return cross_validated(Experiment.of(data, hyperparameters, options), folds)


def cross_validated(experiment: Experiment, folds: int = FOLDS) -> CrossValidation:
    """`cross_validate` for images that are checked already."""
    parts = folds_of(experiment.checked.digests, folds, experiment.hyperparameters.training.seed)
    experiment.warn_of_seen_images()
    figures: list[Fold] = []
    readings: dict[int, LabelReading] = {}
    for number, test in enumerate(parts, 1):
        others = sorted(set(range(len(experiment.checked.samples))) - set(test))
        log.info("Fold %d of %d: %d images to train on, %d to read", number, folds, len(others), len(test))
        found = experiment.train_and_read(others, test, number)
        counted = tally(found, experiment.alphabet)
        figures.append(Fold(number, len(others), len(test), counted.accuracy, counted.cer))
        log.info("Fold %d of %d: accuracy=%.4f cer=%.4f", number, folds, counted.accuracy, counted.cer)
        readings.update(zip(test, found, strict=True))
    return CrossValidation(
        tuple(figures), tuple(readings[index] for index in sorted(readings)), experiment.checked.invalid
    )
