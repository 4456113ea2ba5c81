"""The paper of an image, whose colour may change evenly over it: by a gradient, or by a lamp on one side."""

from math import isqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from ctc_ocr.images.pixels import Pixels

SAMPLED = 2000  # pixels, or some more: enough for three numbers per channel
TOLERANCE = 32  # levels of each channel: what differs more from the paper is ink
MAX_FITS = 10  # each takes in more of a steep gradient
RIDGE = 1e-6  # of the number of pixels: if all are in one line, the paper is taken for even across it
NEARLY_HALF = 0.499999  # levels just below a half are rounded down: sums in another order give the same

Numbers = NDArray[np.float64]


def paper(image: Pixels) -> Pixels:
    """(H, W, 3) -> (H, W, 3): the levels that the image would have without ink.

    They are a plane in each channel. It begins as the most frequent colour, and is fitted by least squares to the
    pixels that differ from it by at most TOLERANCE in each channel, until these stay the same.
    """
    height, width = image.shape[:2]
    step = max(1, isqrt(height * width // SAMPLED))
    rows, columns = _places(height), _places(width)
    sample, down, across = image[::step, ::step].copy(), rows[::step], columns[::step]
    terms = np.stack(np.broadcast_arrays(1.0, down[:, None], across), axis=2)
    plane, before = _most_frequent(sample), np.zeros(sample.shape[:2], bool)
    for _ in range(MAX_FITS):
        is_paper = cv2.absdiff(_levels(plane, down, across), sample).max(axis=2) <= TOLERANCE
        if (is_paper == before).all() or not is_paper.any():
            break
        plane, before = _fitted(terms[is_paper], sample[is_paper].astype(np.float64)), is_paper
    return _levels(plane, rows, columns)


def _places(count: int) -> Numbers:
    """The middles of so many rows or columns, where the image goes from -1 to 1."""
    return (2 * np.arange(count) + 1) / count - 1


def _most_frequent(image: Pixels) -> Numbers:
    """The mean of the pixels in the most frequent of 16x16x16 ranges of colours, rounded down, as an even plane."""
    red, green, blue = np.moveaxis(image.astype(np.int16) >> 4, 2, 0)
    ranges = (red << 8) | (green << 4) | blue
    mean = np.floor(image[ranges == np.bincount(ranges.ravel()).argmax()].mean(axis=0))
    return np.stack((mean, np.zeros(3), np.zeros(3)))


def _fitted(terms: Numbers, pixels: Numbers) -> Numbers:
    """(N, 3 terms) and (N, 3 channels) -> (3 terms, 3 channels), by the normal equations."""
    ridge = np.diag((0.0, RIDGE, RIDGE)) * len(terms)
    return np.asarray(np.linalg.solve(terms.T @ terms + ridge, terms.T @ pixels))


def _levels(plane: Numbers, rows: Numbers, columns: Numbers) -> Pixels:
    """A plane's levels (rows, columns, 3)."""
    channels = []
    for middle, down, across in plane.T:
        levels = (middle + NEARLY_HALF + rows[:, None] * down) + columns * across
        channels.append(levels.clip(0, 255).astype(np.uint8))
    return np.asarray(cv2.merge(channels), np.uint8)
