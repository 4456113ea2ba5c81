"""The result for one image. No MXNet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.decoding.alignment import AlignedUnit
from ctc_ocr.evaluation.calibration import Calibration


@dataclass(frozen=True)
class Character:
    """A unit of a text, as the text's best alignment has it.

    unit: one character, or more if the alphabet has such units.
    probability: the network's own at the unit's most probable time step, 0 to 1, not calibrated.
    alternatives: (unit, probability) of other units at that step, best first: at most 4, of at least 0.001.
    left, right: where it begins and ends in the image, in pixels of its width; None if places were not asked for, and
        in vertical text.
    top, bottom: the same in vertical text, in pixels of the image's height; None in horizontal text.
    """

    unit: str
    probability: float
    alternatives: tuple[tuple[str, float], ...] = ()
    left: float | None = None
    right: float | None = None
    top: float | None = None
    bottom: float | None = None


@dataclass(frozen=True)
class Prediction:
    """The text in an image.

    text: the predicted text.
    codes: its units as codes of the model's alphabet, without blanks.
    confidence: probability that the text is correct, 0 to 1, calibrated if the model is; None if not asked for.
    log_probability: log p(text | image) of the network, not calibrated; None if not asked for.
    alternatives: the next best predictions, best first, of a beam search with `top_k` above 1.
    score: what a beam search orders predictions by: the log probability, plus what a language model, a length bonus and
        the prior of lengths add to it; None if confidences were not asked for.
    characters: the units of the text, in its order, each with its own probability, alternatives and place. None if
        confidences were not asked for, and in `alternatives`.
    """

    text: str
    codes: list[int]
    confidence: float | None
    log_probability: float | None = None
    alternatives: tuple["Prediction", ...] = ()
    score: float | None = None
    characters: list[Character] | None = None

    @property
    def character_confidence(self) -> float | None:
        """Geometric mean of p(text | image) per unit, 0 to 1, not calibrated: it does not fall with the length of the
        text, as the probability of a whole line does. An empty text counts as one unit. None if confidences were not
        asked for.
        """
        if self.log_probability is None:
            return None
        return confidence_of(self.log_probability / max(1, len(self.codes)), None)


class Hypothesis(Protocol):
    """One candidate of a decoder."""

    @property
    def codes(self) -> list[int]: ...

    @property
    def log_probability(self) -> float: ...

    @property
    def score(self) -> float: ...

    @property
    def units(self) -> Sequence[AlignedUnit] | None: ...


def prediction_of(
    hypotheses: Sequence[Hypothesis], alphabet: Alphabet, calibration: Calibration | None, confidence: bool
) -> Prediction:
    """The prediction of an image's hypotheses, best first, at least one; with `confidence`, its probabilities too."""
    best, *others = (
        Prediction(
            alphabet.decode(each.codes),
            list(each.codes),
            confidence_of(each.log_probability, calibration) if confidence else None,
            each.log_probability if confidence else None,
            score=each.score if confidence else None,
            characters=_characters(each, alphabet) if confidence else None,
        )
        for each in hypotheses
    )
    return replace(best, alternatives=tuple(others)) if others else best


def _characters(hypothesis: Hypothesis, alphabet: Alphabet) -> list[Character] | None:
    if hypothesis.units is None:
        return None

    def unit_of(code: int) -> str:
        return alphabet.decode([code])

    return [
        Character(unit_of(code), unit.probability, tuple((unit_of(other), value) for other, value in unit.alternatives))
        for code, unit in zip(hypothesis.codes, hypothesis.units, strict=True)
    ]


def confidence_of(log_probability: float, calibration: Calibration | None) -> float:
    """Confidence, 0 to 1, of a text with this log probability; 0 if it is -inf or NaN, whatever the calibration."""
    if not log_probability > -math.inf:
        return 0.0
    probability = math.exp(min(log_probability, 0.0))  # sums in float32 can be a little above 0
    return probability if calibration is None else float(calibration.apply(probability))
