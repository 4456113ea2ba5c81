"""A hash of what an image looks like, nearly the same for copies that were scaled or compressed.

The image is shrunk to 32x32 grey, transformed by a discrete cosine transform, and of its 128 lowest frequencies but the
mean, each bit says whether it is above their median (after Zauner, Implementation and Benchmarking of Perceptual Image
Hash Functions, 2010, with 128 in place of 64).
"""

import cv2
import numpy as np

from ctc_ocr.images.grey import grey
from ctc_ocr.images.pixels import Pixels, resize

HASH_BYTES = 16
SIDE = 32  # pixels of the image that is transformed
_FREQUENCIES = sorted(
    ((row, column) for row in range(SIDE) for column in range(SIDE)), key=lambda each: (sum(each), each)
)
_ROWS, _COLUMNS = np.array(_FREQUENCIES[1 : 8 * HASH_BYTES + 1]).T


def perceptual_hash(image: Pixels) -> bytes:
    """16 bytes for an image (H, W) or (H, W, 3) uint8."""
    small = resize(grey(image), SIDE, SIDE).astype(np.float32)
    found = cv2.dct(small)[_ROWS, _COLUMNS]
    return np.packbits(found > np.median(found)).tobytes()
