"""Random fields, made once per process: an image takes a piece of one, which costs far less than new numbers."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ctc_ocr.rendering.wild_dice import Dice

HEIGHT, WIDTH = 512, 1024
GRAINS = (0, 1, 2, 4, 8, 16)  # pixels: the blur of white noise; 0 is the white noise itself

Field = NDArray[np.float32]


@lru_cache(maxsize=len(GRAINS))
def _field(grain: int) -> Field:
    """(HEIGHT, WIDTH), mean 0, standard deviation 1."""
    field = np.random.Generator(np.random.Philox(key=grain)).standard_normal((HEIGHT, WIDTH), dtype=np.float32)
    if grain:
        field = np.asarray(cv2.GaussianBlur(field, (0, 0), grain), np.float32)
        field -= field.mean()
        field /= field.std()
    return field


def piece(dice: Dice, grain: int, height: int, width: int) -> Field:
    """A random piece, (height, width), of the field of this grain (one of GRAINS); not to be written to."""
    field = _field(grain)
    rows, columns = min(height, HEIGHT), min(width, WIDTH)
    top, left = dice.whole(0, HEIGHT - rows), dice.whole(0, WIDTH - columns)
    found = field[top : top + rows, left : left + columns]
    if dice.chance(0.5):
        found = found[:, ::-1]
    if (rows, columns) != (height, width):
        found = np.asarray(cv2.copyMakeBorder(found, 0, height - rows, 0, width - columns, cv2.BORDER_WRAP))
    return found
