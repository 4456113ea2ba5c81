"""The input of every network: images to feature maps of about zero mean and unit variance."""

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Symbol


def normalise(images: Symbol, hyperparameters: Hyperparameters) -> Symbol:
    """(N, H, W) uint8, or (N, H, W, 3), -> (N, channels, H, W) float32: paper about 0, darker is larger."""
    network = hyperparameters.network
    if hyperparameters.data.channels == 1:
        maps = mx.sym.expand_dims(images, axis=1)
    else:
        maps = mx.sym.transpose(images, axes=(0, 3, 1, 2))
    return (network.input_mean - mx.sym.cast(maps, dtype="float32")) * (1.0 / network.input_scale)


def mask_columns(maps: Symbol, columns: Symbol) -> Symbol:
    """(N, C, H, W) with the columns from columns[n] (N,) on set to 0."""
    numbers = mx.sym.reshape(mx.sym.contrib.arange_like(maps, axis=3), (1, 1, 1, -1))
    inside = mx.sym.broadcast_lesser(numbers, mx.sym.reshape(columns, (-1, 1, 1, 1)))
    # Broadcast before the product: the gradient of broadcast_mul takes as long as that of a convolution.
    return maps * mx.sym.broadcast_like(mx.sym.BlockGrad(inside), maps)
