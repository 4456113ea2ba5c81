"""Greedy decoding: the best path, collapsed (Graves et al., 2006). NumPy only.

Logits are (T, N, C): time steps, images, classes; class BLANK (0) is the CTC blank. Where images differ in width,
`steps` (N,) are each image's own time steps, 0 to T; None: all of them have T.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK, collapse
from ctc_ocr.decoding.likelihood import Steps


def best_path(logits: NDArray[np.floating[Any]], steps: Steps | None = None) -> NDArray[np.intp]:
    """(T, N, C) logits or probabilities -> (T, N), the most probable class of each step; BLANK after the true ones."""
    path: NDArray[np.intp] = logits.argmax(axis=2)
    if steps is not None:
        path[np.arange(len(path))[:, None] >= np.asarray(steps)] = BLANK
    return path


def greedy(logits: NDArray[np.floating[Any]], steps: Steps | None = None) -> list[list[int]]:
    """(T, N, C) logits -> N lists of codes: each image's best path, collapsed."""
    return collapse(best_path(logits, steps))
