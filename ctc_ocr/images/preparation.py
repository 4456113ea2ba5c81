"""From an image file to what the network is given: the same in training and in prediction."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.images.files import invert, looks_inverted, read_image, resize

Pixels = NDArray[np.uint8]
PAPER, INK = 225.0, 45.0  # levels that `normalise: image` gives to an image's own paper and ink


def prepare(image: Pixels, hyperparameters: Hyperparameters) -> Pixels:
    """(H, W) uint8, or (H, W, 3) RGB, of any size -> the network's height, dark ink on light paper.

    Its width is the network's, or with keep_ratio at most that.
    """
    data = hyperparameters.data
    if data.ink == "light" or (data.ink == "auto" and looks_inverted(grey(image))):
        image = invert(image)
    if data.normalise == "image":
        image = level(image)
    return fit(image, hyperparameters)


def fit(image: Pixels, hyperparameters: Hyperparameters) -> Pixels:
    """Resized to the network's height and to the width that is left of it then."""
    height, width = image.shape[:2]
    return resize(image, hyperparameters.geometry.resized_width(width, height), hyperparameters.data.height)


def load(encoded: bytes, name: str, hyperparameters: Hyperparameters) -> Pixels:
    """An encoded image, prepared. Raises InputError that starts with `name`."""
    return prepare(read_image(encoded, name, hyperparameters.data.channels), hyperparameters)


def grey(image: Pixels) -> Pixels:
    """(H, W) uint8 of (H, W) or (H, W, 3) RGB: the same levels that read_image gives of a file with these pixels."""
    return image if image.ndim == 2 else np.array(Image.fromarray(image).convert("L"))


def level(image: Pixels) -> Pixels:
    """Levels stretched so that the paper (the level that nine tenths are darker than) is PAPER and the ink (a
    fiftieth) INK; an image with less than a tenth of the contrast is only shifted."""
    ink, paper = np.percentile(image, (2, 90))
    scale = (PAPER - INK) / max(paper - ink, (PAPER - INK) / 10)
    table = np.clip((np.arange(256) - paper) * scale + PAPER, 0, 255).round().astype(np.uint8)
    levelled: Pixels = table[image]
    return levelled


def paste(images: list[Pixels], out: Pixels, paper: float) -> None:
    """Each image at the left of its place in `out` (N, H, W) or (N, H, W, 3) uint8; `paper` to the right of it."""
    out[:] = np.uint8(round(min(max(paper, 0), 255)))
    for image, place in zip(images, out, strict=True):
        place[:, : image.shape[1]] = image
