"""Distortions of a whole wild image: each is a displacement of pixels, and one sampling applies their sum."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from ctc_ocr.rendering.wild_dice import Dice
from ctc_ocr.rendering.wild_fields import piece

Image = NDArray[np.uint8]
Shift = NDArray[np.float32]
KINDS = ("waves_down", "waves_down", "waves_across", "elastic", "perspective", "bulge")


def random_points(dice: Dice, height: int, width: int, size: float, kinds: list[str]) -> tuple[Shift, Shift]:
    """Columns and rows, (height, width) float32, that each pixel is sampled from. size: the font's, in pixels."""
    columns = np.arange(width, dtype=np.float32)[np.newaxis]
    rows = np.arange(height, dtype=np.float32)[:, np.newaxis]
    across, down = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    across[:], down[:] = columns, rows
    for kind in kinds:
        if kind == "waves_down":  # columns move up and down
            down += _wave(dice, columns, size, dice.between(0.05, 0.16))
        elif kind == "waves_across":
            across += _wave(dice, rows, size, dice.between(0.04, 0.12))
        elif kind == "elastic":
            grain = dice.pick((4, 8, 8, 16))
            reach = np.float32(size * dice.between(0.01, 0.035) * math.sqrt(grain / 4))
            across += reach * piece(dice, grain, height, width)
            down += reach * piece(dice, grain, height, width)
        elif kind == "perspective":
            # The text grows, or is squeezed, from one side to the other.
            share = 1 + np.float32(dice.around(0.35)) * (columns / width - np.float32(0.5))
            down += (rows - height / 2) * (share - 1)
            across += np.float32(dice.around(0.25)) * (rows - height / 2)
        else:
            _bulge(dice, across, down, columns, rows)
    return across, down


def sampled(image: Image, points: tuple[Shift, Shift], border: int, nearest: bool = False) -> Image:
    """The image at the points; border: one of OpenCV's."""
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    return np.asarray(cv2.remap(image, points[0], points[1], how, borderMode=border), np.uint8)


def _wave(dice: Dice, along: Shift, size: float, height: float) -> Shift:
    length = size * dice.between(0.8, 4)
    # Short waves that are as high as long ones would tear strokes apart.
    reach = size * height * min(1.0, length / (2 * size))
    return np.asarray(reach * np.sin(along * (2 * math.pi / length) + dice.between(0, 6.3)), np.float32)


def _bulge(dice: Dice, across: Shift, down: Shift, columns: Shift, rows: Shift) -> None:
    """Magnified, or made smaller, about a point."""
    height, width = across.shape
    x, y, radius = dice.between(0, width), dice.between(0.3, 0.7) * height, dice.between(0.5, 1.5) * height
    dx, dy = columns - x, rows - y
    falloff = np.exp(-(dx * dx + dy * dy) / np.float32(radius * radius)) * np.float32(dice.around(0.4))
    across += dx * falloff
    down += dy * falloff
