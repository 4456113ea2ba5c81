"""The front of every network: images to maps of about mean 0 and variance 1."""

from typing import Any

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.runtime.mxnet import mx


def normalise(images: Any, hyperparameters: Hyperparameters) -> Any:
    """(N, H, W) uint8, or (N, H, W, 3), -> (N, channels, H, W) float32: paper about 0, ink positive, darker is more."""
    network = hyperparameters.network
    if hyperparameters.data.channels == 1:
        maps = mx.sym.expand_dims(images, axis=1)
    else:
        maps = mx.sym.transpose(images, axes=(0, 3, 1, 2))
    return (network.input_mean - mx.sym.cast(maps, dtype="float32")) * (1.0 / network.input_scale)


def mask_columns(maps: Any, columns: Any) -> Any:
    """(N, C, H, W) with all columns from columns[n] (N,) on set to 0."""
    numbers = mx.sym.reshape(mx.sym.contrib.arange_like(maps, axis=3), (1, 1, 1, -1))
    inside = mx.sym.broadcast_lesser(numbers, mx.sym.reshape(columns, (-1, 1, 1, 1)))
    # Spread out before the product: the gradient of broadcast_mul takes as long as a convolution's.
    return maps * mx.sym.broadcast_like(mx.sym.BlockGrad(inside), maps)
