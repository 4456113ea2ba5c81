"""Operations on the pixels of whole images. Images are (H, W) uint8 grey or (H, W, 3) uint8 RGB."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
PAPER_LEVEL, INK_LEVEL = 225.0, 45.0  # to which stretch_contrast maps the paper and the ink
PAPER_PERCENTILE, INK_PERCENTILE = 90, 2
MIN_STRETCHED = 18  # levels: less contrast between ink and paper is stretched as if it were this much
MIN_CONTRAST = 16  # below this, an image counts as one level


def resize(image: Pixels, width: int, height: int) -> Pixels:
    """(H, W[, 3]) -> (height, width[, 3]).

    Bilinear, but an axis that shrinks to less than half is averaged over areas, since bilinear sampling would skip
    pixels of it. (At exactly half, OpenCV's bilinear is the mean over areas too.)
    """
    rows, columns = image.shape[:2]
    averaged = (width if columns > 2 * width else columns, height if rows > 2 * height else rows)
    if averaged != (columns, rows):
        image = cv2.resize(image, averaged, interpolation=cv2.INTER_AREA)
    if averaged != (width, height):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image


def shrunk(image: Pixels, side: int = 400) -> Pixels:
    """An image (H, W) or (H, W, 3), resized if its shorter side has more pixels: photographs are large, and a network
    is given a tenth of these rows."""
    height, width = image.shape[:2]
    factor = side / min(height, width)
    return image if factor >= 1 else resize(image, round(width * factor), round(height * factor))


def invert(image: Pixels) -> Pixels:
    """255 minus each value, for any shape."""
    return np.subtract(255, image, dtype=np.uint8)


def has_light_ink(image: Pixels) -> bool:
    """Whether a grey image (H, W) seems to be light ink on dark paper.

    The paper covers most of an image, so its level is the median: it is nearer to the 1st or to the 99th percentile. An
    image of one level is judged by that level.
    """
    dark, paper, light = percentiles(image, (1, 50, 99))
    return bool(paper < (dark + light) / 2 if light - dark >= MIN_CONTRAST else paper < 128)


def percentiles(image: Pixels, percents: Sequence[float]) -> list[float]:
    """What np.percentile gives, from a histogram: many times faster. The image has any shape, at least one pixel."""
    ranks = np.cumsum(np.bincount(image.ravel(), minlength=256))
    found = []
    for percent in percents:
        place = percent / 100 * (image.size - 1)
        below = int(place)
        levels = ranks.searchsorted((below, min(below + 1, image.size - 1)), side="right").tolist()
        share, difference = place - below, levels[1] - levels[0]
        # From the nearer level, as NumPy does, so that rounding is the same.
        nearer = levels[0] + difference * share if share < 0.5 else levels[1] - difference * (1 - share)
        found.append(float(nearer))
    return found


def level_at(image: Pixels, percent: int) -> int:
    """The lowest level that at least this percentage of the values do not exceed: a percentile that is a level."""
    ranks = np.cumsum(np.bincount(image.ravel(), minlength=256))
    return int(ranks.searchsorted(-(-percent * image.size // 100)))


def stretch_contrast(image: Pixels) -> Pixels:
    """Levels mapped linearly, so that the paper (the 90th percentile) becomes PAPER_LEVEL and the ink (the 2nd)
    INK_LEVEL. Contrast is multiplied by no more than 10."""
    ink, paper = level_at(image, INK_PERCENTILE), level_at(image, PAPER_PERCENTILE)
    # In float32, operation by operation as in the ONNX models, which give the same levels.
    contrast = np.float32(PAPER_LEVEL - INK_LEVEL)
    scale = contrast / np.float32(max(paper - ink, MIN_STRETCHED))
    levels = (np.arange(256, dtype=np.float32) - np.float32(paper)) * scale + np.float32(PAPER_LEVEL)
    table = levels.clip(0, 255).round().astype(np.uint8)
    stretched: Pixels = table[image]
    return stretched


def paper_level(image: Pixels) -> tuple[int, ...]:
    """The paper's level in each channel of an image (H, W) or (H, W, 3): the median of the pixels on its border."""
    border = np.concatenate((image[0], image[-1], image[:, 0], image[:, -1]))
    border = border.reshape(len(border), -1)
    middle = len(border) // 2
    return tuple(np.partition(border.T, middle, axis=1)[:, middle].tolist())
