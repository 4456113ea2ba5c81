"""What happens to an image after it is drawn: blur, lost resolution, JPEG, noise, two levels only, gamma."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ctc_ocr.rendering.wild_dice import Dice
from ctc_ocr.rendering.wild_fields import piece

Image = NDArray[np.uint8]
KINDS = ("blur", "blur", "shrink", "jpeg", "noise", "noise", "salt", "binary", "gamma")


def degrade(dice: Dice, image: Image, kind: str, contrast: float, threshold: float) -> Image:
    """image (H, W, C), changed or not. contrast: levels between ink and paper; threshold: the level in their middle."""
    height, width, channels = image.shape
    if kind == "blur":
        changed = cv2.GaussianBlur(image, (0, 0), dice.between(0.4, 1.1) * height / 44)
    elif kind == "shrink":
        factor = dice.between(1.2, 1.9) * max(1.0, height / 48)
        small = cv2.resize(
            image, (max(1, int(width / factor)), max(1, int(height / factor))), interpolation=cv2.INTER_AREA
        )
        how = dice.pick((cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC))
        changed = cv2.resize(small, (width, height), interpolation=how)
    elif kind == "jpeg":
        _, file = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, dice.whole(20, 75)))
        changed = cv2.imdecode(file, cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE)
    elif kind == "noise":
        field = piece(dice, dice.pick((0, 0, 1)), height, width) * np.float32(contrast * dice.between(0.03, 0.18))
        noise = (
            field if channels == 1 else cv2.merge([field, *(piece(dice, 0, height, width) * field.std() for _ in "ab")])
        )
        changed = cv2.add(image, noise.reshape(image.shape), dtype=cv2.CV_8U)
    elif kind == "salt":
        field, share = piece(dice, 0, height, width), dice.between(1.9, 2.8)
        image[field > share] = 255
        image[field < -share] = 0
        changed = image
    elif kind == "binary":
        grey = image if channels == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        changed = cv2.threshold(grey, threshold, 255, cv2.THRESH_BINARY)[1]
        changed = changed if channels == 1 else cv2.merge([changed] * 3)
    else:
        changed = cv2.LUT(image, _gamma(dice.whole(6, 15)))
    return np.asarray(changed, np.uint8).reshape(image.shape)


@lru_cache(maxsize=16)
def _gamma(tenths: int) -> Image:
    return np.asarray(255 * (np.arange(256) / 255) ** (tenths / 10) + 0.5, np.uint8)
