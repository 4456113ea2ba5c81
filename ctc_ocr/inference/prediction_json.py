"""A prediction as JSON has it: in `infer --json` and in the server's answers."""

import math
from typing import TYPE_CHECKING, Any

from ctc_ocr.evaluation.shown_probability import shown_probability

if TYPE_CHECKING:
    from ctc_ocr.inference.prediction import Character, Prediction


def as_json(prediction: "Prediction", alternatives: bool = False, scores: bool = False) -> dict[str, Any]:
    """text, confidence, character_confidence and characters; with `alternatives`, those too, the text itself first, and
    with `scores` their scores of the beam search. Probabilities have the digits that tell them from others, places a
    tenth of a pixel; null is what was not asked for, and NaN."""
    characters = prediction.characters
    values: dict[str, Any] = {
        "text": prediction.text,
        "confidence": _probability(prediction.confidence),
        "character_confidence": _probability(prediction.character_confidence),
        "characters": None if characters is None else [_character(each) for each in characters],
    }
    if alternatives:
        values["alternatives"] = [_alternative(each, scores) for each in (prediction, *prediction.alternatives)]
    return values


def rejected(prediction: "Prediction", alternatives: bool = False) -> dict[str, Any]:
    """Of a prediction whose confidence is too low: the confidences, without text, characters and alternatives."""
    values = {**as_json(prediction), "text": None, "characters": None}
    return {**values, "alternatives": []} if alternatives else values


def _character(character: "Character") -> dict[str, Any]:
    """With `top` and `bottom` in vertical text, and `left` and `right` in other text."""
    ends = ("left", "right") if character.top is None else ("top", "bottom")
    return {
        "unit": character.unit,
        "probability": _probability(character.probability),
        **{end: _rounded(getattr(character, end), 1) for end in ends},
        "alternatives": [[unit, _probability(value)] for unit, value in character.alternatives],
    }


def _alternative(prediction: "Prediction", scores: bool) -> dict[str, Any]:
    values = {"text": prediction.text, "log_probability": _rounded(prediction.log_probability, 6)}
    return {**values, "score": _rounded(prediction.score, 6)} if scores else values


def _probability(value: float | None) -> float | None:
    return float(shown_probability(value)) if value is not None and math.isfinite(value) else None


def _rounded(value: float | None, digits: int) -> float | None:
    """null for infinity and NaN, which JSON does not have."""
    return round(value, digits) if value is not None and math.isfinite(value) else None
