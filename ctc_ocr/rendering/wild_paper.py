"""The paper of a wild image: plain, a gradient, noise, blobs, stripes, a grid, or like a photograph."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from ctc_ocr.rendering.wild_colours import Colours, as_array
from ctc_ocr.rendering.wild_dice import Dice
from ctc_ocr.rendering.wild_fields import piece

Image = NDArray[np.uint8]
KINDS = ("plain",) * 8 + ("gradient", "gradient", "noise", "blobs", "photo", "stripes", "grid", "checks")


def draw_paper(dice: Dice, colours: Colours, height: int, width: int, kind: str) -> Image:
    """(height, width, channels); its levels stay within a part of the contrast between ink and paper."""
    paper = np.empty((height, width, colours.channels), np.uint8)
    paper[:] = as_array(colours.paper)[0].astype(np.uint8)
    if kind == "plain":
        return paper
    reach = max(8.0, 0.4 * colours.contrast)
    if kind in ("stripes", "grid", "checks"):
        return _ruled(dice, colours, paper, kind, reach)
    if kind == "gradient":
        share = _ramp(dice, height, width)
    elif kind == "noise":
        share = piece(dice, dice.pick((0, 1)), height, width) * np.float32(0.4)
    elif kind == "blobs":
        share = (piece(dice, dice.pick((4, 8)), height, width) > dice.between(0.2, 1.2)).astype(np.float32)
    else:
        share = piece(dice, dice.pick((4, 8, 16)), height, width) * np.float32(0.6)
    other = as_array(colours.like_paper(dice, 2 * reach))[0] - as_array(colours.paper)[0]
    return _added(paper, share[:, :, np.newaxis] * np.clip(other, -reach, reach))


def _ramp(dice: Dice, height: int, width: int) -> NDArray[np.float32]:
    angle = dice.between(0, math.pi)
    across = np.linspace(0, math.cos(angle), width, dtype=np.float32)
    down = np.linspace(0, math.sin(angle), height, dtype=np.float32)
    return np.add.outer(down, across)


def _added(paper: Image, change: NDArray[np.float32]) -> Image:
    changed = paper + change
    return np.clip(changed, 0, 255, out=changed).astype(np.uint8)


def _ruled(dice: Dice, colours: Colours, paper: Image, kind: str, reach: float) -> Image:
    height, width = paper.shape[:2]
    colour = colours.like_paper(dice, reach)
    step = dice.whole(4, 16)
    if kind == "checks":
        squares = ((np.arange(height) // step)[:, np.newaxis] + np.arange(width) // step) % 2 == 1
        paper[squares] = as_array(colour)[0].astype(np.uint8)
        return paper
    thickness = 1 if kind == "grid" else dice.whole(1, max(1, step // 2))
    slope = dice.around(1.5) if kind == "stripes" else 0.0
    reach_x = abs(slope) * height
    for x in range(-int(reach_x) - step, width + int(reach_x), step):
        cv2.line(paper, (x, 0), (int(x + slope * height), height), colour, thickness)
    if kind == "grid":
        for y in range(dice.whole(0, step), height, step):
            cv2.line(paper, (0, y), (width, y), colour, thickness)
    return paper
