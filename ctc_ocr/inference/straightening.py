"""Finding a line of text that is at another angle and height in each image, by what a model reads of it.

The image is turned and moved in several ways. Where the line lies level in the rows that are read, a model reads a text
of an expected length most confidently; elsewhere it reads less, or other text. So no label is needed, and the images of
training, of validation and those that are read later are straightened in the same way.
"""

from itertools import product
from typing import TYPE_CHECKING

from ctc_ocr.images.grey import grey
from ctc_ocr.images.pixels import Pixels, shrunk
from ctc_ocr.images.placement import CENTRED, Placement
from ctc_ocr.images.region import Region
from ctc_ocr.lengths import Lengths

if TYPE_CHECKING:
    from ctc_ocr.inference.predictor import Predictor

# A text that is off by half of a step is still read: by 3.5 degrees, or a tenth of a line that fills half of the rows.
TURNS = range(-28, 29, 7)  # degrees
DOWNS = (-0.2, -0.1, 0.0, 0.1, 0.2)  # fractions of the image's height
TRIED = [Placement(turn, down) for turn, down in product(TURNS, DOWNS)]


class Straightener:
    """Straightens images by what a predictor reads in a region of them. `lengths`: of the texts. It may be used by
    several threads at once, as the predictor may."""

    def __init__(self, predictor: "Predictor", region: Region, lengths: Lengths) -> None:
        self._predictor, self._region, self._lengths = predictor, region, lengths

    def placement(self, image: Pixels) -> Placement:
        """Where the line of text lies in an image, (H, W) or (H, W, 3) uint8: where the likeliest text is read. Nothing
        is changed where no text has an expected length."""
        image = shrunk(image)
        prepared = [self._predictor.prepare(self._part(each.straightened(image))) for each in TRIED]
        read = self._predictor.predict_prepared(prepared)
        expected = [
            (each.confidence or 0.0, placement)
            for each, placement in zip(read, TRIED, strict=True)
            if self._lengths.shortest <= len(each.text) <= self._lengths.longest
        ]
        return max(expected, key=lambda each: each[0])[1] if expected else CENTRED

    def straightened(self, image: Pixels) -> Pixels:
        """The image, with its line of text level and in the middle."""
        return self.placement(image).straightened(image)

    def _part(self, image: Pixels) -> Pixels:
        return grey(self._region.cut(image), self._region.grey)
