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
        was read is as probable as the reading, one that may be divided into units in two ways as the more probable of
        them; -inf for one with units that the alphabet lacks."""
        found = [-math.inf] * len(samples)
        other, codes = list[int](), list[list[int]]()
        for index, (sample, reading) in enumerate(zip(samples, readings, strict=True)):
            if reading.text == sample.label and reading.log_probability is not None:
                found[index] = reading.log_probability
            else:
                for units in self._divisions(sample):
                    other.append(index)
                    codes.append(self._alphabet.encode(units))
        if other:
            scores = self._predictor.label_log_probabilities([images[index] for index in other], codes)
            for index, score in zip(other, scores.tolist(), strict=True):
                found[index] = max(found[index], score)
        return found

    @property
    def _alphabet(self) -> Alphabet:
        return self._predictor.alphabet

    def _divisions(self, sample: Sample) -> list[list[str]]:
        """The label's units in the alphabet, where that has them: as the source divides it and, if that may not be
        meant, by the longest units. Of a source that does not say, each character is a unit."""
        known = set(self._alphabet.units)
        by_source, longest = list(sample.units), self._splitter.units(sample.label)
        found = [by_source] if set(by_source) <= known else []
        says = any(len(unit) > 1 for unit in by_source)
        return found + ([longest] if longest and longest != by_source and not (says and found) else [])
