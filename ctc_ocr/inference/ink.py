"""Finding images whose ink is probably not what the model expects. No MXNet."""

import math

from ctc_ocr.images.grey import grey
from ctc_ocr.images.pixels import Pixels, has_light_ink

STANDARD_ERRORS = 2.0  # of a number of images that chance decides: more than that is no chance


class InkCheck:
    """Counts images that look inverted to a model whose images have dark or light `ink`; none if it is auto.

    light_ink: the fraction of the model's training images that seem to have light ink, 0 to 1; None if the model does
        not say. Where most of an image is not paper, its ink may be another than it seems to be.
    """

    def __init__(self, ink: str, light_ink: float | None = None) -> None:
        self.ink = ink
        self.light_ink = light_ink
        self.count = 0

    def add(self, image: Pixels) -> None:
        """One more image, (H, W) or (H, W, 3) uint8, as it was before its ink was made dark."""
        if self.ink != "auto":
            self.count += has_light_ink(grey(image)) != (self.ink == "light")

    def is_unusual(self, num_images: int) -> bool:
        """Whether more of so many images look inverted than of the model's training images, and not by chance. Whether
        any do, if the model does not say how many of those did."""
        if self.light_ink is None:
            return self.count > 0
        usual = num_images * (1 - self.light_ink if self.ink == "light" else self.light_ink)
        return self.count > usual + STANDARD_ERRORS * math.sqrt(usual)
