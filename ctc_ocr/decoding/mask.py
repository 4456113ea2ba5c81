"""Masks: restricting the output of a network to some classes. NumPy only."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK, Alphabet, UnitSplitter
from ctc_ocr.decoding.likelihood import log_softmax
from ctc_ocr.errors import InputError


def allowed_classes(alphabet: Alphabet, allowed: Iterable[str]) -> NDArray[np.bool_]:
    """(C,) bool: the blank and the allowed units, given one by one, or as a text, of which the longest units that fit
    are taken. Raises InputError for an empty text and for what is not in the alphabet, which it names."""
    if isinstance(allowed, str):
        if not allowed:
            raise InputError("no units to be read: at least one must be allowed")
        allowed = UnitSplitter(alphabet).pieces(allowed)
    mask = np.zeros(alphabet.num_classes, dtype=bool)
    mask[[BLANK, *alphabet.encode(allowed)]] = True
    return mask


def restrict(logits: NDArray[np.floating[Any]], allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Logits (..., C) -> log probabilities (..., C) float64 of the allowed classes (C,) alone, -inf for the others.

    Log probabilities of all the classes will do for logits: a softmax does not see the difference.
    """
    return log_softmax(np.where(allowed, logits, -np.inf))
