"""Images of two levels: ink and paper, without stains, shadows and what bleeds through from the other side."""

import cv2
import numpy as np

from ctc_ocr.images.pixels import Pixels

INK, PAPER = 0, 255
WINDOW = 0.5  # of the smaller side: where Sauvola's threshold looks around a pixel
LEAST_WINDOW = 15  # pixels
WEIGHT = 0.2  # k: how much the threshold is below the mean where there is little contrast
RANGE = 128.0  # R: the standard deviation of full contrast


def binarise(image: Pixels, method: str) -> Pixels:
    """Dark ink on light paper, (H, W) uint8, as levels INK and PAPER; of "none", the image itself.

    "otsu": one threshold, which divides the levels into the two most even groups (Otsu, "A threshold selection method
    from gray-level histograms", 1979). "sauvola": one for each pixel, from its surroundings.
    """
    if method == "none":
        return image
    if method == "otsu":
        return np.asarray(cv2.threshold(image, 0, PAPER, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1], np.uint8)
    return np.where(image > sauvola_threshold(image), np.uint8(PAPER), np.uint8(INK))


def sauvola_threshold(image: Pixels) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """(H, W): m * (1 + k * (s / R - 1)), with mean m and standard deviation s of the window around each pixel (Sauvola
    and Pietikäinen, "Adaptive document image binarization", 2000). Pixels at the edge are repeated beyond it."""
    side = max(LEAST_WINDOW, round(WINDOW * min(image.shape))) | 1  # odd
    levels = image.astype(np.float64)
    mean, square = (
        cv2.boxFilter(each, cv2.CV_64F, (side, side), borderType=cv2.BORDER_REPLICATE) for each in (levels, levels**2)
    )
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    return np.asarray(mean * (1 + WEIGHT * (deviation / RANGE - 1)))
