"""Finding images whose ink is probably not what the model expects. No MXNet."""

from ctc_ocr.images.grey import grey
from ctc_ocr.images.pixels import Pixels, has_light_ink


class InkCheck:
    """Counts images that look inverted to a model whose images have dark or light `ink`; none if it is auto.

    Such images may be no problem: a model that was trained on light ink as if it were dark reads it as well.
    """

    def __init__(self, ink: str) -> None:
        self.ink = ink
        self.count = 0

    def add(self, image: Pixels) -> None:
        """One more image, (H, W) or (H, W, 3) uint8, as it was before its ink was made dark."""
        if self.ink != "auto":
            self.count += has_light_ink(grey(image)) != (self.ink == "light")
