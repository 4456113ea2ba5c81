"""How the colours of an image become grey."""

import cv2
import numpy as np
from PIL import Image

from ctc_ocr.images.paper import paper
from ctc_ocr.images.pixels import Pixels, invert


def grey(image: Pixels, kind: str = "luminance") -> Pixels:
    """(H, W) or (H, W, 3) RGB -> (H, W), by a choice of the hyperparameter `grey`; a grey image stays as it is, but for
    the choice paper.

    luminance: weighted as in ITU-R BT.601, the same levels as read_image gives. max, min: the largest or smallest of a
    pixel's values. unsaturated: their maximum and their range, added up: colours are as light as white paper, and only
    greys are dark. paper: 255 minus the largest difference from the paper's red, green and blue, so that ink of any
    colour is dark, also where some of it is lighter than the paper, and also where the paper changes evenly.
    """
    if kind == "paper":
        return _without_paper(image)
    if image.ndim == 2:
        return image
    if kind == "luminance":
        return np.array(Image.fromarray(image).convert("L"))
    red, green, blue = cv2.split(image)
    most, least = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    if kind == "unsaturated":
        most = cv2.add(most, cv2.subtract(most, least))  # at most 255
    return np.asarray(least if kind == "min" else most, np.uint8)


def _without_paper(image: Pixels) -> Pixels:
    """255 minus the largest difference of a pixel's values from the paper's."""
    colours = image if image.ndim == 3 else np.stack([image] * 3, axis=2)
    differences = np.asarray(cv2.absdiff(colours, paper(colours)), np.uint8)
    return invert(grey(differences, "max"))
