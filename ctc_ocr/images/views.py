"""Views of a prepared image, as if it had been taken from a little elsewhere: what a network reads in several of them
is more often right than what it reads in one (test-time augmentation)."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from ctc_ocr.images.pixels import Pixels


@dataclass(frozen=True)
class _View:
    """`right`, `down`: in image heights. `tall`: factor of the height. `turn`: degrees, counterclockwise."""

    right: float
    down: float
    tall: float
    turn: float


_MOVED = (
    _View(-0.04, -0.03, 1.0, 1.5),
    _View(0.04, 0.03, 1.0, -1.5),
    _View(-0.04, 0.0, 0.92, -1.5),
    _View(0.04, 0.0, 1.08, 1.5),
    _View(0.02, -0.03, 1.0, 2.0),
    _View(-0.02, 0.03, 1.0, -2.0),
    _View(0.02, 0.0, 0.92, 0.0),
    _View(-0.02, 0.0, 1.08, 0.0),
)


def view_of(image: Pixels, number: int) -> Pixels:
    """View `number`, from 0 on, of a prepared image (H, W) or (H, W, 3) uint8, of the same shape; 0 is the image
    itself. At its edges, the outermost pixels are repeated. There are MAX_VIEWS, see `ctc_ocr.config.sections`."""
    if number == 0:
        return image
    view, (height, width) = _MOVED[number - 1], image.shape[:2]
    sine, cosine = math.sin(math.radians(view.turn)), math.cos(math.radians(view.turn))
    turned = np.array([[cosine, sine], [-sine * view.tall, cosine * view.tall]])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    moved = middle - turned @ middle + np.array([view.right, view.down]) * height
    affine = np.column_stack([turned, moved])
    found: Pixels = cv2.warpAffine(
        image, affine, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return found
