"""The figures of an evaluation, as records."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ctc_ocr.evaluation.metrics import wilson_interval

if TYPE_CHECKING:
    from ctc_ocr.evaluation.classes import ClassFigures


@dataclass(frozen=True)
class Accuracy:
    """The fraction of samples that are correct, None for no samples, and its 95 % confidence interval."""

    samples: int
    correct: int
    accuracy: float | None = field(init=False)
    confidence_interval: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "accuracy", self.correct / self.samples if self.samples else None)
        object.__setattr__(self, "confidence_interval", wilson_interval(self.correct, self.samples))


@dataclass(frozen=True)
class LengthAccuracy(Accuracy):
    """The accuracy for labels of one length, in units."""

    length: int


@dataclass(frozen=True)
class ThresholdAccuracy(Accuracy):
    """What is left if predictions with a confidence below the threshold are rejected, and its CER."""

    threshold: float
    coverage: float | None
    cer: float | None


@dataclass(frozen=True)
class CoveragePoint:
    """A point of the accuracy-coverage curve: predictions with a confidence below the threshold are rejected."""

    threshold: float
    coverage: float
    accuracy: float


@dataclass(frozen=True)
class Confusion:
    """How often a unit of a label was predicted as another unit. None as the label: an insertion; None as the
    prediction: a deletion."""

    label: str | None
    predicted: str | None
    count: int


@dataclass(frozen=True)
class OutsideAlphabet:
    """Samples whose labels have units outside the model's alphabet, which are never correct, and counts of the most
    frequent of these units."""

    samples: int
    units: dict[str, int]


@dataclass(frozen=True)
class EvaluationResult(Accuracy):
    """How well a model reads labelled images. Fractions are from 0 to 1; a figure without any samples is None.

    cer: edits per unit of the labels; above 1 if far too much is predicted.
    lcs_ratio: mean length of the longest common subsequence, over the length of the label.
    units: of all labels; edits: the minimum that turn the predictions into the labels, of three kinds.
    with_repeats: labels with two equal neighbours, which CTC can tell apart only with a blank between them.
    confusions: the 50 most frequent ones, most frequent first.
    coverage: by threshold, from no rejected predictions on.
    min_confidence: what rejecting predictions below the given minimum confidence would do; all other figures are for
        all predictions.
    classes: figures of single characters; None if a label is not one unit.
    """

    cer: float | None
    lcs_ratio: float | None
    units: int
    edits: int
    substitutions: int
    deletions: int
    insertions: int
    by_length: tuple[LengthAccuracy, ...]
    with_repeats: Accuracy
    confusions: tuple[Confusion, ...]
    outside_alphabet: OutsideAlphabet
    expected_calibration_error: float | None
    coverage: tuple[CoveragePoint, ...]
    min_confidence: ThresholdAccuracy
    classes: "ClassFigures | None" = None

    def to_dict(self) -> dict[str, Any]:
        """All figures as values that JSON has."""
        return asdict(self)
