"""The average of a trained network and of the model that it started from.

Few images are soon learned by heart; half way back to the start, a network reads them almost as well, and others better
(Wortsman et al., "Robust fine-tuning of zero-shot models", 2022). How far is chosen by validation.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.float32]]
SHARES = (0.7, 0.5, 0.3)  # of the trained weights: as far down as validation improves
NEAR = 0.85  # looked at if the first is not better


def average(start: Arrays, trained: Arrays, share: float) -> dict[str, NDArray[np.float32]]:
    """(1 - share) * start + share * trained, {name: array}. What is equal in both stays so, to the bit."""
    return {
        name: np.where(start[name] == value, value, (1 - share) * start[name] + share * value).astype(np.float32)
        for name, value in trained.items()
    }


def best_share(loss_at: Callable[[float], float], trained_loss: float) -> float:
    """The share of the trained weights with the lowest loss of those that are looked at; 1 if none is lower than
    `trained_loss`. It takes two to four calls of `loss_at`."""
    best, lowest = 1.0, trained_loss
    for share in SHARES:
        loss = loss_at(share)
        if not loss < lowest:
            break
        best, lowest = share, loss
    return NEAR if best == 1.0 and loss_at(NEAR) < lowest else best
