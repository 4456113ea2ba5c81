"""How infer prints a prediction: as text, or as JSON."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ctc_ocr.errors import printable
from ctc_ocr.evaluation.shown_probability import shown_probability
from ctc_ocr.inference.prediction_json import as_json, rejected

if TYPE_CHECKING:
    from ctc_ocr.inference.prediction import Prediction

REJECTED_TEXT = "?"  # printed in place of a rejected prediction
CHARACTER_DIGITS = 3  # of a character's probability, on a line of text


def is_rejected(prediction: "Prediction", min_confidence: float) -> bool:
    """Whether the confidence is below the minimum, or NaN. A prediction without a confidence is not rejected."""
    return prediction.confidence is not None and not prediction.confidence >= min_confidence


@dataclass(frozen=True)
class Format:
    """What is printed of predictions.

    `alternatives`: with log probabilities, the alternatives too. `scores`: with the scores of the beam search.
    `confidences`: on lines of text, the confidences and the characters with their probabilities; JSON always has them.
    """

    as_json: bool = False
    alternatives: bool = False
    scores: bool = False
    min_confidence: float = 0.0
    confidences: bool = False

    def single(self, prediction: "Prediction", digits: bool) -> str:
        """The line of a single image without its name, as MXNet's example prints it: a list for a model of digits."""
        if is_rejected(prediction, self.min_confidence):
            return REJECTED_TEXT
        return (
            f"Digits: {[int(digit) for digit in prediction.text]}" if digits else f"Text: {printable(prediction.text)}"
        )

    def line(self, name: str, prediction: "Prediction", label: str | None) -> str:
        """The line of one image: its name and text, and if the label is known, that and whether the text equals it;
        then the confidences, if they are asked for."""
        is_low = is_rejected(prediction, self.min_confidence)
        if self.as_json:
            return self._json(name, prediction, label, is_low)
        fields = [printable(name), REJECTED_TEXT if is_low else self._texts(prediction)]
        if label is not None:
            outcome = "rejected" if is_low else "correct" if prediction.text == label else "incorrect"
            fields += [printable(label), outcome]
        if self.confidences:
            fields += self._confidences(prediction, is_low)
        return "\t".join(fields)

    def _texts(self, prediction: "Prediction") -> str:
        if not self.alternatives:
            return printable(prediction.text)
        texts = []
        for each in (prediction, *prediction.alternatives):
            score = f"score {each.score:.3f}, " if self.scores else ""
            texts.append(f"{printable(each.text)} ({score}{each.log_probability:.3f})")
        return "\t".join(texts)

    def _confidences(self, prediction: "Prediction", is_low: bool) -> list[str]:
        """Confidence, character confidence, and the characters with their probabilities, unless it is rejected."""
        values = (prediction.confidence, prediction.character_confidence)
        characters = [] if is_low else prediction.characters or []
        shown = [f"{each.unit!r} {shown_probability(each.probability, CHARACTER_DIGITS)}" for each in characters]
        return [*("-" if each is None else shown_probability(each) for each in values), ", ".join(shown)]

    def _json(self, name: str, prediction: "Prediction", label: str | None, is_low: bool) -> str:
        """A rejected prediction has neither text nor characters nor alternatives."""
        found = (
            rejected(prediction, self.alternatives) if is_low else as_json(prediction, self.alternatives, self.scores)
        )
        values: dict[str, Any] = {"image": name, **found}
        if label is not None:
            values["label"] = label
        return json.dumps(values, allow_nan=False)
