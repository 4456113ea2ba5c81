"""Greedy decoding: the most probable class of each time step, repeats merged, blanks removed (Graves et al., 2006)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK, collapse
from ctc_ocr.decoding.likelihood import Steps, steps_per_image


def best_path(logits: NDArray[np.floating[Any]], steps: Steps | None = None) -> NDArray[np.intp]:
    """(T, N, C) logits or (log) probabilities -> (T, N), the most probable class of each time step.

    BLANK after the time steps (N,) of an image (None: T).
    """
    path: NDArray[np.intp] = logits.argmax(axis=2)
    if steps is not None:
        path[np.arange(len(path))[:, None] >= steps_per_image(logits, steps)] = BLANK
    return path


def greedy(logits: NDArray[np.floating[Any]], steps: Steps | None = None) -> list[list[int]]:
    """(T, N, C) logits or (log) probabilities -> N lists of codes: each image's best path, collapsed."""
    return collapse(best_path(logits, steps))
