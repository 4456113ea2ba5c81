"""Training images that are put together from pieces of labelled ones: new texts in their look, against overfitting.

CutMix (Yun et al., 2019) along the line of text: two images are cut between two characters each, where a model's
alignment has found them, and the left piece of one is joined with the right piece of the other.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from ctc_ocr.images.pixels import Pixels

Cuts = tuple[float, ...]  # where an image can be cut between its units, as fractions of its width, ascending
Codes = tuple[int, ...]
SEAM = 2  # columns on each side of a cut that fade into each other


def mix(
    left: tuple[Pixels, Codes, Cuts], right: tuple[Pixels, Codes, Cuts], generator: np.random.Generator
) -> tuple[Pixels, Codes]:
    """The first units of one image and the last ones of another; as many units as the left image has.

    Images are (H, W) or (H, W, 3) uint8 of the same height, codes one per unit, cuts one less. An image whose partner
    has too few units, or that has one unit only, is returned as it is.
    """
    image, codes, cuts = left
    other, other_codes, other_cuts = right
    # The unit of the left image before which it is cut, and that of the right one, counted from its end.
    least = max(1, len(codes) - len(other_codes) + 1)
    if least >= len(codes):
        return image, codes
    first = int(generator.integers(least, len(codes)))
    second = len(other_codes) - (len(codes) - first)
    end, start = round(cuts[first - 1] * image.shape[1]), round(other_cuts[second - 1] * other.shape[1])
    return _joined(image[:, :end], other[:, start:]), codes[:first] + other_codes[second:]


def _joined(left: Pixels, right: Pixels) -> Pixels:
    """Side by side, with columns at the seam that fade from one to the other."""
    width = min(SEAM, left.shape[1], right.shape[1])
    if not width:
        return np.ascontiguousarray(np.concatenate((left, right), axis=1))
    joined = np.concatenate((left, right), axis=1)
    seam = left.shape[1]
    part = joined[:, seam - width : seam + width]
    joined[:, seam - width : seam + width] = cv2.blur(part, (2 * width - 1, 1))
    return joined


def cuts_between(spans: Sequence[tuple[int, int]], num_steps: int) -> Cuts:
    """From the time steps (start, stop) of the units of an alignment: half-way between two neighbours."""
    return tuple((before[1] + after[0]) / 2 / num_steps for before, after in zip(spans, spans[1:], strict=False))
