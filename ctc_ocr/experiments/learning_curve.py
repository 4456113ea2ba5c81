"""Accuracy against the number of labels, measured with some of the labels, and what more of them would give."""

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.samples import Problem
from ctc_ocr.errors import InputError, check_kind
from ctc_ocr.experiments.folds import folds_of, nested_subsets
from ctc_ocr.experiments.power_law import Count, PowerLaw, probable_laws
from ctc_ocr.experiments.trial import Experiment
from ctc_ocr.training.settings import LabelledImages, RunOptions

FOLDS = 3
FRACTIONS = (1 / 8, 1 / 4, 1 / 2, 1.0)  # of the images of the other folds
SMALL, SMALL_REPEATS = 1 / 4, 2  # subsets up to this fraction are drawn so many times: their results differ most
MIN_LABELS = 4  # in the smallest subset
NUM_SEEDS = 2**64
INTERVAL = (2.5, 97.5)  # percentiles of the probable laws: a 95 % interval

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Expected:
    """The accuracy, 0 to 1, that a training on so many labels will probably reach, and its 95 % interval."""

    labels: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """The measured accuracy with so many labels: its mean, lowest and highest over the trainings."""

    labels: int
    trainings: int
    accuracy: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class LearningCurve:
    """num_labels: of the source. counts: what each training read. invalid: samples that were left out."""

    num_labels: int
    counts: tuple[Count, ...]
    seed: int = 0
    invalid: tuple[Problem, ...] = ()

    @property
    def points(self) -> tuple[Point, ...]:
        """One for each number of labels, fewest first."""
        found = []
        for labels in sorted({each.labels for each in self.counts}):
            values = [each.accuracy for each in self.counts if each.labels == labels]
            found.append(Point(labels, len(values), float(np.mean(values)), min(values), max(values)))
        return tuple(found)

    @cached_property
    def _laws(self) -> list[PowerLaw]:
        return probable_laws(self.counts, self.seed)

    def expected(self, labels: int) -> Expected:
        """What a training on so many labels will probably reach: the median of the probable laws. The interval has the
        chance of images and of trainings in it, and errors that may stay with any number of labels."""
        accuracies = [1 - law.error(labels) for law in self._laws]
        low, accuracy, high = np.percentile(accuracies, (INTERVAL[0], 50, INTERVAL[1])).tolist()
        return Expected(labels, accuracy, low, high)

    def to_dict(self, more: Sequence[int] = ()) -> dict[str, Any]:
        """{name: value}, ready for JSON: what was measured, and what is expected of all labels and of so many more."""
        return {
            "labels": self.num_labels,
            "points": [asdict(each) for each in self.points],
            "trainings": [asdict(each) for each in self.counts],
            "expected": [asdict(self.expected(self.num_labels + added)) for added in (0, *more)],
        }


def learning_curve(
    data: LabelledImages | str | Path,
    hyperparameters: Hyperparameters | None = None,
    options: RunOptions | None = None,
    folds: int = FOLDS,
) -> LearningCurve:
    """Train on an eighth, a quarter, a half and all of the images that are not in a fold, and read that fold; for each
    fold.

    Smaller subsets are within larger ones; the two smallest sizes are drawn twice. The trainings are those of
    `ctc_ocr.train`, each in a temporary folder that is removed; `data`, `hyperparameters` and `options` mean what they
    mean there. Raises InputError for arguments and sources that cannot be used, RunError for a training that fails.
    """
    check_kind("an integer", folds=folds)
    return measured_curve(Experiment.of(data, hyperparameters, options), folds)


def measured_curve(experiment: Experiment, folds: int = FOLDS) -> LearningCurve:
    """`learning_curve` for images that are checked already."""
    digests = experiment.checked.digests
    seed = experiment.hyperparameters.training.seed
    parts = folds_of(digests, folds, seed)
    sizes = _sizes(len(digests) - max(map(len, parts)), folds)
    experiment.warn_of_seen_images()
    counts: list[Count] = []
    for number, test in enumerate(parts, 1):
        others = sorted(set(range(len(digests))) - set(test))
        for repeat in range(SMALL_REPEATS):
            of_repeat = (seed + repeat) % NUM_SEEDS
            subsets = nested_subsets(others, digests, sizes, of_repeat)
            for fraction, subset in zip(FRACTIONS, subsets, strict=True):
                if repeat and fraction > SMALL:
                    continue
                log.info("Fold %d of %d: %d images to train on, %d to read", number, folds, len(subset), len(test))
                readings = experiment.train_and_read(subset, test, number, of_repeat)
                counts.append(Count(len(subset), sum(not each.correct for each in readings), len(readings)))
                log.info("%d labels: accuracy=%.4f", len(subset), counts[-1].accuracy)
    return LearningCurve(len(digests), tuple(counts), seed, experiment.checked.invalid)


def _sizes(available: int, folds: int) -> list[int]:
    """Numbers of labels to train on, of those that every fold leaves. Raises InputError for too few."""
    sizes = [int(available * fraction) for fraction in FRACTIONS]
    if sizes[0] < MIN_LABELS:
        needed = math.ceil(MIN_LABELS / FRACTIONS[0] * folds / (folds - 1))
        raise InputError(
            f"too few images: an eighth of the {available} that a fold leaves is less than {MIN_LABELS}; expected "
            f"about {needed} or more", "source",
        )  # fmt: skip
    return sizes
