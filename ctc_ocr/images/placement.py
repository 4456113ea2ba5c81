"""Where a line of text lies in an image, and the image turned and moved so that it lies level in the middle."""

from dataclasses import dataclass

import cv2
import numpy as np

from ctc_ocr.images.pixels import Pixels


@dataclass(frozen=True, slots=True)
class Placement:
    """`turn`: by how many degrees a line goes down to the right. `down`: how far its middle is below that of the image,
    once it is level; a fraction of the image's height."""

    turn: float = 0.0
    down: float = 0.0

    def straightened(self, image: Pixels) -> Pixels:
        """An image (H, W) or (H, W, 3) uint8 in its own size, turned about its middle, and moved up. At its edges, the
        outermost pixels are repeated."""
        if self == CENTRED:
            return image
        height, width = image.shape[:2]
        affine = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), self.turn, 1.0)
        affine[1, 2] -= self.down * height
        return np.asarray(
            cv2.warpAffine(image, affine, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
            np.uint8,
        )


CENTRED = Placement()
