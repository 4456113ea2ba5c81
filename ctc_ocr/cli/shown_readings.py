"""How infer shows a reading: as text, or as JSON."""

import argparse
import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctc_ocr.inference.predictor import Prediction

REFUSAL = "?"  # what is printed instead of a reading that the model is not sure of


def is_refused(prediction: "Prediction", least: float) -> bool:
    """Whether a reading is too unsure to be given. One without a confidence is not."""
    return prediction.confidence is not None and not prediction.confidence >= least


def only_text(prediction: "Prediction", arguments: argparse.Namespace, units: set[str]) -> str:
    """The line of a single image, as MXNet's example prints it."""
    if is_refused(prediction, arguments.min_confidence):
        return REFUSAL
    if units <= set("0123456789"):
        return f"Digits: {[int(digit) for digit in prediction.text]}"
    return f"Text: {prediction.text}"


def line_of(name: str, prediction: "Prediction", truth: str | None, arguments: argparse.Namespace) -> str:
    """The line of one image of many: its name and what is read in it, beside its truth where that is known."""
    refused = is_refused(prediction, arguments.min_confidence)
    if arguments.json:
        return _json(name, prediction, truth, refused, arguments)
    shown = REFUSAL if refused else _readings(prediction, arguments)
    if truth is None:
        return f"{name}\t{shown}"
    return f"{name}\t{shown}\t{truth}\t{'refused' if refused else 'right' if prediction.text == truth else 'wrong'}"


def _has_scores(arguments: argparse.Namespace) -> bool:
    """Whether readings are ordered by something else than their log probability."""
    return "language_model" in arguments or "length_bonus" in arguments


def _readings(prediction: "Prediction", arguments: argparse.Namespace) -> str:
    if "top_k" not in arguments:
        return prediction.text
    shown = []
    for each in (prediction, *prediction.alternatives):
        score = f"score {each.score:.3f}, " if _has_scores(arguments) else ""
        shown.append(f"{each.text} ({score}{each.log_probability:.3f})")
    return "\t".join(shown)


def _json(name: str, prediction: "Prediction", truth: str | None, refused: bool, arguments: argparse.Namespace) -> str:
    """A refused reading is not told, nor what else the image could show."""
    told: dict[str, Any] = {
        "image": name,
        "text": None if refused else prediction.text,
        "confidence": _number(prediction.confidence),
    }
    if "top_k" in arguments:
        readings = [] if refused else [prediction, *prediction.alternatives]
        told["alternatives"] = [_alternative(each, _has_scores(arguments)) for each in readings]
    return json.dumps(told if truth is None else {**told, "truth": truth}, allow_nan=False)


def _alternative(prediction: "Prediction", with_score: bool) -> dict[str, Any]:
    told = {"text": prediction.text, "log_probability": _number(prediction.log_probability)}
    return {**told, "score": _number(prediction.score)} if with_score else told


def _number(value: float | None) -> float | None:
    """JSON has no infinity: the logarithm of 0 is null."""
    return round(value, 6) if value is not None and math.isfinite(value) else None
