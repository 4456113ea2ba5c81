"""How probable a model finds the labels of images that it has read."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ctc_ocr.alphabet import Alphabet, UnitSplitter
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.images.pixels import Pixels

if TYPE_CHECKING:
    from ctc_ocr.inference.prediction import Prediction
    from ctc_ocr.inference.predictor import Predictor


class LabelProbabilities:
    """Of a model: log p(label | image) of images that it has read, in nats, not calibrated."""

    def __init__(self, predictor: "Predictor") -> None:
        self._predictor = predictor
        self._splitter = UnitSplitter(predictor.alphabet)

    def __call__(
        self, samples: Sequence[Sample], images: Sequence[Pixels], readings: Sequence["Prediction"]
    ) -> list[float]:
        """`images` are what the predictor prepared of the samples, and `readings` what it read in them. A label that
        was read is as probable as the reading; -inf for one with units that the alphabet lacks."""
        found = [-math.inf] * len(samples)
        other, codes = list[int](), list[list[int]]()
        for index, (sample, reading) in enumerate(zip(samples, readings, strict=True)):
            if reading.text == sample.label and reading.log_probability is not None:
                found[index] = reading.log_probability
            elif (units := self._units(sample)) is not None:
                other.append(index)
                codes.append(self._alphabet.encode(units))
        if other:
            scores = self._predictor.label_log_probabilities([images[index] for index in other], codes)
            for index, score in zip(other, scores.tolist(), strict=True):
                found[index] = score
        return found

    @property
    def _alphabet(self) -> Alphabet:
        return self._predictor.alphabet

    def _units(self, sample: Sample) -> list[str] | None:
        """As the source divides the label into units of several characters, if the alphabet has them, and else by the
        longest units of the alphabet; None for a label with other ones."""
        if any(len(unit) > 1 for unit in sample.units) and set(sample.units) <= set(self._alphabet.units):
            return list(sample.units)
        units = self._splitter.units(sample.label)
        return units if units or not sample.label else None
