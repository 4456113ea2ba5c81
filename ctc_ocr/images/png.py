"""Images as PNG files in memory."""

import cv2
import numpy as np

from ctc_ocr.errors import InputError
from ctc_ocr.images.pixels import Pixels


def encode_png(image: Pixels) -> bytes:
    """An image (H, W) or (H, W, 3) RGB uint8 as a PNG file, from which the same pixels are read. Raises InputError if
    it is too wide or high for one."""
    done, file = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]) if image.ndim == 3 else image)
    if not done:
        raise InputError("OpenCV cannot write this PNG file")
    return bytes(file)
