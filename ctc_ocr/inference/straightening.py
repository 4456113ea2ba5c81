"""Finding a line of text that is at another angle and height in each image, by what a model reads of it.

The image is turned and moved in several ways. Where the line lies level in the rows that are read, a model reads a text
of an expected length most confidently; elsewhere it reads less, or other text. So no label is needed, and the images of
training and of validation are straightened in the same way. A network that was trained on them finds the lines of other
images better than that model.
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import TYPE_CHECKING

from ctc_ocr.images.grey import grey
from ctc_ocr.images.pixels import Pixels, shrunk
from ctc_ocr.images.placement import CENTRED, Placement
from ctc_ocr.images.region import Region
from ctc_ocr.lengths import Lengths

if TYPE_CHECKING:
    from ctc_ocr.inference.prediction import Prediction
    from ctc_ocr.inference.predictor import Predictor

# A text that is off by half of a step is still read: by 3.5 degrees, or a tenth of a line that fills half of the rows.
TURNS = range(-28, 29, 7)  # degrees
DOWNS = (-0.2, -0.1, 0.0, 0.1, 0.2)  # fractions of the image's height
TRIED = [Placement(turn, down) for turn, down in product(TURNS, DOWNS)]
LIKELY = 5  # of these, so many are tried with the network that the images are straightened for
HALF_STEPS = [each for each in product((-3.5, 0.0, 3.5), (-0.05, 0.0, 0.05)) if any(each)]


class Straightener:
    """Straightens images by what a predictor reads in their `region`. `lengths`: of the texts. It may be used by
    several threads at once, as the predictor may."""

    def __init__(self, predictor: "Predictor", region: Region, lengths: Lengths) -> None:
        self._predictor, self.region, self._lengths = predictor, region, lengths

    def placement(self, image: Pixels) -> Placement:
        """Where the line of text lies in an image, (H, W) or (H, W, 3) uint8: where the likeliest text is read. Nothing
        is changed where no text has an expected length."""
        return (self._likeliest(image) or [CENTRED])[0]

    def refined_placement(self, image: Pixels, read: "Callable[[list[Pixels]], list[Prediction]]") -> Placement:
        """Of the likeliest placements, that in which the network that the images are straightened for reads the
        likeliest text, or half a step beside it. `read`: what it reads in images that are straightened."""

        def best(tried: list[Placement]) -> Placement:
            return (self._ordered(tried, read([each.straightened(image) for each in tried])) or tried)[0]

        found = best(self._likeliest(image) or [CENTRED])
        return best([found, *(Placement(found.turn + turn, found.down + down) for turn, down in HALF_STEPS)])

    def straightened(self, image: Pixels) -> Pixels:
        """The image, with its line of text level and in the middle."""
        return self.placement(image).straightened(image)

    def _likeliest(self, image: Pixels) -> list[Placement]:
        image = shrunk(image)
        prepared = [self._predictor.prepare(self._part(each.straightened(image))) for each in TRIED]
        return self._ordered(TRIED, self._predictor.predict_prepared(prepared))[:LIKELY]

    def _ordered(self, placements: "Sequence[Placement]", read: "Sequence[Prediction]") -> list[Placement]:
        """The placements in which texts of an expected length were read, likeliest first."""
        expected = [
            (each.confidence or 0.0, placement)
            for each, placement in zip(read, placements, strict=True)
            if self._lengths.shortest <= len(each.codes) <= self._lengths.longest
        ]
        return [placement for _, placement in sorted(expected, key=lambda each: -each[0])]

    def _part(self, image: Pixels) -> Pixels:
        return grey(self.region.cut(image), self.region.grey)
