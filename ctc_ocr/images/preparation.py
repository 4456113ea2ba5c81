"""From an image file to the network's input: the same in training and in inference."""

import numpy as np

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Data
from ctc_ocr.images.binarising import binarise
from ctc_ocr.images.files import Encoded, read_image
from ctc_ocr.images.grey import grey
from ctc_ocr.images.letterbox import letterboxed
from ctc_ocr.images.pixels import Pixels, has_light_ink, invert, resize, stretch_contrast
from ctc_ocr.images.region import Region


def prepare(image: Pixels, hyperparameters: Hyperparameters) -> Pixels:
    """(H, W) or (H, W, 3) RGB uint8 of any size -> the network's height and channels, dark ink on light paper.

    The width is the network's, or with keep_ratio at most that.
    """
    return prepare_cropped(crop(image, hyperparameters.data), hyperparameters)


def crop(image: Pixels, data: Data) -> Pixels:
    """The part of an image (H, W) or (H, W, 3) that the network is given, in its channels."""
    return crop_placed(image, data)[0]


def crop_placed(image: Pixels, data: Data) -> tuple[Pixels, int]:
    """That part, and its first column in the image: its first row, of vertical text."""
    part, left = Region.of(data).cut_placed(image)
    if data.channels == 1:
        return grey(part, data.grey), left
    return part if part.ndim == 3 else np.repeat(part[:, :, np.newaxis], 3, axis=2), left


def channels_to_read(data: Data) -> int:
    """In how many channels an image is read: text is looked for in its colours, also for a network of grey images,
    and so may grey be made of them."""
    return 3 if data.crop == "text" or data.grey != "luminance" else data.channels


def prepare_cropped(image: Pixels, hyperparameters: Hyperparameters) -> Pixels:
    """What `crop` gives -> what `prepare` gives."""
    data = hyperparameters.data
    if data.ink == "light" or (data.ink == "auto" and has_light_ink(grey(image))):
        image = invert(image)
    image = fit(binarise(image, data.binarise), hyperparameters)
    return stretch_contrast(image) if data.normalise == "image" else image


def fit(image: Pixels, hyperparameters: Hyperparameters) -> Pixels:
    """Resized to the network's height, and to the width that follows from it; or into a frame of both."""
    height, width = image.shape[:2]
    if hyperparameters.data.letterbox:
        return letterboxed(image, hyperparameters.data.width, hyperparameters.data.height)
    return resize(image, hyperparameters.geometry.resized_width(width, height), hyperparameters.data.height)


def load(encoded: Encoded, name: str, hyperparameters: Hyperparameters) -> Pixels:
    """An encoded image, prepared. Raises InputError with `name` as its place."""
    return prepare(read_image(encoded, name, channels_to_read(hyperparameters.data)), hyperparameters)


def paste(images: list[Pixels], out: Pixels, paper: float) -> None:
    """Write image n at the left of out[n], (N, H, W) or (N, H, W, 3) uint8, with the level `paper` to its right."""
    out[:] = np.uint8(round(min(max(paper, 0), 255)))
    for image, place in zip(images, out, strict=True):
        place[:, : image.shape[1]] = image
