"""The part of an image that a network is given, and how its colours become grey."""

from dataclasses import dataclass

import cv2
import numpy as np

from ctc_ocr.config.sections import Data
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.images.text_region import cut_text


@dataclass(frozen=True, slots=True)
class Region:
    """`vertical`: the image is transposed first, so that vertical text runs from left to right. `crop`: "text", the
    line of text wherever it is, or "none". `top` and `bottom`: of that, the rows that are kept, as fractions of its
    height; below 0 and above 1, the first and the last row are repeated. `grey`: how its colours become
    grey, as in the hyperparameters."""

    crop: str = "none"
    top: float = 0.0
    bottom: float = 1.0
    vertical: bool = False
    grey: str = "luminance"

    @classmethod
    def of(cls, data: Data) -> "Region":
        """That of some hyperparameters."""
        return cls(data.crop, data.top_edge, data.bottom_edge, data.writing == "vertical", data.grey)

    def cut(self, image: Pixels) -> Pixels:
        """The part of an image, (H, W) or (H, W, 3) uint8; at least one row."""
        return self.cut_placed(image)[0]

    def cut_placed(self, image: Pixels) -> tuple[Pixels, int]:
        """That part, and its first column in the image: its first row, of vertical text."""
        image = self.turned(image)
        part, left = cut_text(image) if self.crop == "text" else (image, 0)
        return self._rows(part), left

    def turned(self, image: Pixels) -> Pixels:
        """An image in which text runs from left to right."""
        return np.ascontiguousarray(image.swapaxes(0, 1)) if self.vertical else image

    def _rows(self, image: Pixels) -> Pixels:
        if (self.top, self.bottom) == (0.0, 1.0):
            return image
        height = len(image)
        first, last = round(self.top * height), round(self.bottom * height)
        first = min(first, height - 1)
        last = max(last, first + 1, 1)
        part = image[max(0, first) : min(last, height)]
        above, below = max(0, -first), max(0, last - height)
        if above or below:
            return np.asarray(cv2.copyMakeBorder(part, above, below, 0, 0, cv2.BORDER_REPLICATE), np.uint8)
        return part.copy()  # not a view, which would keep the whole image


WHOLE = Region()
