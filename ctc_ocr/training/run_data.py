"""What a run trains and validates with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.known_images import KnownImages
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.datasets.generated_prepared import PreparedSource
from ctc_ocr.datasets.labelled import LabelledBatches
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.lengths import Lengths
from ctc_ocr.training.verdict import Facts

ImageSource: TypeAlias = GeneratedSource | PreparedSource | LabelledBatches


@dataclass(frozen=True)
class TrainingData:
    """`hyperparameters` are those of the run, with what was chosen from the images.

    `train` is endless; `samples_per_epoch` of it are an epoch. Validation uses the first `num_validation` samples of
    `validation`, whose names are `validation_names`, in the order of its batches (None: numbers). `fingerprint`
    identifies labelled images and their split; `known` are those images and, if the run started from another, its
    images."""

    hyperparameters: Hyperparameters
    alphabet: Alphabet
    train: ImageSource
    samples_per_epoch: int
    validation: ImageSource
    num_validation: int
    validation_names: Sequence[str] | None = None
    fingerprint: str = ""
    known: KnownImages | None = None
    facts: Facts | None = None  # of labelled training images
    why_not_starter: str | None = None  # of labelled images: see training.start; "": they may start from it
    lengths: Lengths | None = None  # of their labels, without those of sources that are only trained on
    light_ink: float | None = None  # of labelled training images: the fraction that seems to have light ink
    held_out: Sequence[Sample] = ()  # the labelled images of validation
    validation_fraction: float = 0.0  # as the user gives it; 0: the default
