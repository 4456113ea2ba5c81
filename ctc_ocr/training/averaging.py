"""The average of a trained network and of the model that it started from.

A network that has overfitted a few images reads others better a little way back to the start (Wortsman et al.,
"Robust fine-tuning of zero-shot models", 2022). Further back, the validation loss may fall on while fewer texts are
right, since only the confidence falls.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.float32]]
SHARE = 0.85  # of the trained weights


def average(start: Arrays, trained: Arrays, share: float) -> dict[str, NDArray[np.float32]]:
    """(1 - share) * start + share * trained, {name: array}. What is equal in both stays so, to the bit."""
    return {
        name: np.where(start[name] == value, value, (1 - share) * start[name] + share * value).astype(np.float32)
        for name, value in trained.items()
    }
