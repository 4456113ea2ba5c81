"""Masks: restricting a network's output to some classes."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK, Alphabet, UnitSplitter
from ctc_ocr.decoding.likelihood import log_softmax
from ctc_ocr.errors import InputError


def allowed_classes(alphabet: Alphabet, allowed: Iterable[str]) -> NDArray[np.bool_]:
    """(C,) bool: True for the blank and the allowed units.

    `allowed` is a sequence of units, or a text, which is split into the longest units that match. Raises InputError for
    an empty text, and for units that are not in the alphabet.
    """
    if isinstance(allowed, str):
        if not allowed:
            raise InputError("expected at least one unit", "allowed")
        allowed = UnitSplitter(alphabet).pieces(allowed)
    mask = np.zeros(alphabet.num_classes, dtype=bool)
    try:
        mask[[BLANK, *alphabet.encode(allowed)]] = True
    except InputError as error:
        raise error.within("allowed") from None
    return mask


def restrict(logits: NDArray[np.floating[Any]], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Logits or log probabilities (..., C) -> log probabilities (..., C) float64 of the classes in the mask (C,), which
    sum to 1 without the others; -inf for those."""
    return log_softmax(np.where(mask, logits, -np.inf))
