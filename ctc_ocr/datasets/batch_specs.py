"""The arrays of a batch of prepared images, labelled or generated."""

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.generation.pool import ArraySpec


def batch_specs(hyperparameters: Hyperparameters, count: int, max_length: int) -> dict[str, ArraySpec]:
    """Shapes and dtypes of `count` images and their labels of at most `max_length` units.

    `images` are (N, H, W) or (N, H, W, 3) uint8, and `labels` (N, max_length) float32. With keep_ratio there are also
    `steps` (N,) float32, the time steps of each image without padding, and `width` (1,) int64, the number of columns to
    which the batch can be cut.
    """
    data = hyperparameters.data
    channels = (3,) if data.channels == 3 else ()
    specs = {
        "images": ArraySpec((count, data.height, hyperparameters.geometry.full_width, *channels), "uint8"),
        "labels": ArraySpec((count, max_length), "float32"),
    }
    if data.keep_ratio:
        specs |= {"steps": ArraySpec((count,), "float32"), "width": ArraySpec((1,), "int64")}
    return specs
