"""How infer prints a prediction: as text, or as JSON."""

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctc_ocr.inference.prediction import Prediction

REJECTED_TEXT = "?"  # printed in place of a rejected prediction


def is_rejected(prediction: "Prediction", min_confidence: float) -> bool:
    """Whether the confidence is below the minimum, or NaN. A prediction without a confidence is not rejected."""
    return prediction.confidence is not None and not prediction.confidence >= min_confidence


@dataclass(frozen=True)
class Format:
    """What is printed of predictions.

    `alternatives`: with log probabilities, the alternatives too. `scores`: with the scores of the beam search.
    """

    as_json: bool = False
    alternatives: bool = False
    scores: bool = False
    min_confidence: float = 0.0

    def single(self, prediction: "Prediction", digits: bool) -> str:
        """The line of a single image without its name, as MXNet's example prints it: a list for a model of digits."""
        if is_rejected(prediction, self.min_confidence):
            return REJECTED_TEXT
        return f"Digits: {[int(digit) for digit in prediction.text]}" if digits else f"Text: {prediction.text}"

    def line(self, name: str, prediction: "Prediction", label: str | None) -> str:
        """The line of one image: its name and text, and if the label is known, that and whether the text equals it."""
        rejected = is_rejected(prediction, self.min_confidence)
        if self.as_json:
            return self._json(name, prediction, label, rejected)
        shown = REJECTED_TEXT if rejected else self._texts(prediction)
        if label is None:
            return f"{name}\t{shown}"
        outcome = "rejected" if rejected else "correct" if prediction.text == label else "incorrect"
        return f"{name}\t{shown}\t{label}\t{outcome}"

    def _texts(self, prediction: "Prediction") -> str:
        if not self.alternatives:
            return prediction.text
        texts = []
        for each in (prediction, *prediction.alternatives):
            score = f"score {each.score:.3f}, " if self.scores else ""
            texts.append(f"{each.text} ({score}{each.log_probability:.3f})")
        return "\t".join(texts)

    def _json(self, name: str, prediction: "Prediction", label: str | None, rejected: bool) -> str:
        """A rejected prediction has neither text nor alternatives."""
        values: dict[str, Any] = {
            "image": name,
            "text": None if rejected else prediction.text,
            "confidence": _finite(prediction.confidence),
        }
        if self.alternatives:
            shown = [] if rejected else [prediction, *prediction.alternatives]
            values["alternatives"] = [self._alternative(each) for each in shown]
        if label is not None:
            values["label"] = label
        return json.dumps(values, allow_nan=False)

    def _alternative(self, prediction: "Prediction") -> dict[str, Any]:
        values = {"text": prediction.text, "log_probability": _finite(prediction.log_probability)}
        return {**values, "score": _finite(prediction.score)} if self.scores else values


def _finite(value: float | None) -> float | None:
    """Rounded; null for infinity and NaN, which JSON does not have."""
    return round(value, 6) if value is not None and math.isfinite(value) else None
