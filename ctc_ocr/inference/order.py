"""The order in which predictions are worth a look. No MXNet."""

from collections.abc import Iterable

from ctc_ocr.errors import InputError
from ctc_ocr.inference.image_list import ListedImage
from ctc_ocr.inference.prediction import Prediction

CONFIDENCE, CHARACTER_CONFIDENCE = "confidence", "character_confidence"
ORDERS = (CONFIDENCE, CHARACTER_CONFIDENCE)

Result = tuple[ListedImage, Prediction | InputError]


def least_confident_first(results: Iterable[Result], by: str = CONFIDENCE) -> list[Result]:
    """The results of `predict_files`, the least confident first; images that cannot be read come last.

    by: "confidence", that the text is correct: long texts come before short ones that are read as well, since an error
    in them is more probable; or "character_confidence", which does not depend on the length. Equal ones stay in their
    order. The predictions must have confidences.
    """
    return sorted(results, key=lambda each: _key(each[1], by))


def _key(result: Prediction | InputError, by: str) -> tuple[bool, float]:
    if isinstance(result, InputError):
        return True, 0.0
    # Not the confidence itself, which has the same order: those of long texts are all 0 when calibrated or rounded.
    value = result.log_probability
    if value is None or value != value:  # NaN
        return False, float("-inf")
    return False, value / max(1, len(result.codes)) if by == CHARACTER_CONFIDENCE else value
