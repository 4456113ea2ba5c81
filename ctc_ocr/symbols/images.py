"""The input of every network: images to feature maps of about zero mean and unit variance."""

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Symbol

LARGE = 1e30  # beyond what a feature map can be, and far from the limit of float32


def normalise(images: Symbol, hyperparameters: Hyperparameters) -> Symbol:
    """(N, H, W) uint8, or (N, H, W, 3), -> (N, channels, H, W) float32: paper about 0, darker is larger."""
    network = hyperparameters.network
    if hyperparameters.data.channels == 1:
        maps = mx.sym.expand_dims(images, axis=1)
    else:
        maps = mx.sym.transpose(images, axes=(0, 3, 1, 2))
    return (network.input_mean - mx.sym.cast(maps, dtype="float32")) * (1.0 / network.input_scale)


def columns_outside(maps: Symbol, columns: Symbol) -> Symbol:
    """(N, 1, 1, W): 1 for the columns from columns[n] (N,) on of maps (N, C, H, W), 0 for those before."""
    numbers = mx.sym.reshape(mx.sym.contrib.arange_like(maps, axis=3), (1, 1, 1, -1))
    return mx.sym.broadcast_greater_equal(numbers, mx.sym.reshape(columns, (-1, 1, 1, 1)))


def mask_columns(maps: Symbol, outside: Symbol) -> Symbol:
    """Maps (N, C, H, W) with the columns set to 0 whose `outside` (N, 1, 1, W) is 1."""
    # Broadcast before the product: the gradient of broadcast_mul takes as long as that of a convolution.
    return maps * mx.sym.broadcast_like(mx.sym.BlockGrad(1 - outside), maps)


def masking_summand(outside: Symbol, factor: int, channels: int, rows: int) -> Symbol:
    """(N, channels, rows, W / factor) to be added before a ReLU, so that it gives 0 in the columns outside.

    `outside` (N, 1, 1, W) is that of the images, whose `factor` columns are one of the maps. The result is that of
    mask_columns after the ReLU, to the bit. But oneDNN adds in the layout in which it convolves, while a product needs
    copies in another layout, of the maps and of their gradients, which MXNet keeps for each width of batches.
    """
    of_maps = mx.sym.slice(outside, begin=(None,) * 4, end=(None,) * 4, step=(1, 1, 1, factor))
    return mx.sym.BlockGrad(mx.sym.broadcast_axis(of_maps * -LARGE, axis=(1, 2), size=(channels, rows)))
