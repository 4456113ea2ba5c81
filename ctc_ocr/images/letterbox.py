"""Images of any shape in a frame of one size: their aspect ratio is kept, and paper fills what is left."""

from dataclasses import dataclass

import numpy as np

from ctc_ocr.images.pixels import Pixels, paper_level, resize


@dataclass(frozen=True)
class Letterbox:
    """Where an image is in its frame: its size there, and its first column and row, in pixels."""

    width: int
    height: int
    left: int
    top: int


def letterbox_of(columns: int, rows: int, width: int, height: int) -> Letterbox:
    """The largest size with the aspect ratio of an image of `columns` and `rows` in a frame, in the frame's middle."""
    scale = min(width / columns, height / rows)
    inner_width, inner_height = max(1, round(columns * scale)), max(1, round(rows * scale))
    return Letterbox(inner_width, inner_height, (width - inner_width) // 2, (height - inner_height) // 2)


def letterboxed(image: Pixels, width: int, height: int) -> Pixels:
    """(H, W[, 3]) uint8 -> (height, width[, 3]); around the image is the paper's level."""
    place = letterbox_of(image.shape[1], image.shape[0], width, height)
    inner = resize(image, place.width, place.height)
    framed = np.empty((height, width, *image.shape[2:]), np.uint8)
    framed[:] = paper_level(image)
    framed[place.top : place.top + place.height, place.left : place.left + place.width] = inner
    return framed
