"""How a model reads labelled images, and how probable it finds their labels. MXNet is imported by the predictor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ctc_ocr.alphabet import Alphabet, UnitSplitter
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.evaluation.metrics import Tally
from ctc_ocr.inference.label_probabilities import LabelProbabilities

if TYPE_CHECKING:
    from ctc_ocr.inference.predictor import Predictor

BATCHES = 4  # of images that are in memory at a time


@dataclass(frozen=True)
class LabelReading:
    """One image, read by a model.

    reading: the text that the model finds. confidence: of it, 0 to 1, calibrated if the model is. log_probability,
    label_log_probability: log p(text | image) of the reading and of the label, in nats, not calibrated; -inf for a
    label that is impossible. fold: the number of the fold that the image was in, from 1; 0 without folds.
    """

    sample: Sample
    reading: str
    confidence: float
    log_probability: float
    label_log_probability: float
    fold: int = 0

    @property
    def label(self) -> str:
        return self.sample.label

    @property
    def correct(self) -> bool:
        return self.reading == self.label

    @property
    def margin(self) -> float:
        """By how much the reading is more probable than the label, in nats; 0 if they are the same."""
        return 0.0 if self.correct else self.log_probability - self.label_log_probability


def read_labelled(predictor: "Predictor", samples: Sequence[Sample], fold: int = 0) -> list[LabelReading]:
    """Read the images of samples, in their order. Raises InputError for an image that cannot be read."""
    label_scores = LabelProbabilities(predictor)
    found: list[LabelReading] = []
    for chunk in _chunks(samples, BATCHES * predictor.batch_size):
        images = [predictor.prepare(each.read_bytes(), each.place) for each in chunk]
        readings = predictor.predict_prepared(images)
        for sample, read, score in zip(chunk, readings, label_scores(chunk, images, readings), strict=True):
            assert read.confidence is not None
            assert read.log_probability is not None
            found.append(LabelReading(sample, read.text, read.confidence, read.log_probability, score, fold))
    return found


def tally(readings: Sequence[LabelReading], alphabet: Alphabet) -> Tally:
    """Accuracy and CER of readings, in units of the alphabet."""
    splitter, counted = UnitSplitter(alphabet), Tally()
    counted.add(
        [splitter.pieces(each.reading) for each in readings], [splitter.pieces(each.label) for each in readings]
    )
    return counted


def _chunks(samples: Sequence[Sample], size: int) -> Iterator[Sequence[Sample]]:
    return (samples[start : start + size] for start in range(0, len(samples), size))
