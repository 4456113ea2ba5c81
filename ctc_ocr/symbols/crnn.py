"""Convolutions, then bidirectional LSTMs over the columns of their feature maps (Shi, Bai and Yao, "An end-to-end
trainable neural network for image-based sequence recognition", 2017).
"""

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Network
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Symbol
from ctc_ocr.symbols import lstm
from ctc_ocr.symbols.images import columns_outside, mask_columns, masking_summand, normalise


def logits(images: Symbol, hyperparameters: Hyperparameters, num_classes: int, steps: Symbol | None = None) -> Symbol:
    """Logits (T, N, num_classes) of images (N, H, W) uint8 or (N, H, W, 3); T is W divided by all strides
    and pooling widths.

    With `steps` (N,), the columns beyond an image's own are set to 0 before each convolution, and the backward LSTMs
    start at its last time step: its logits do not depend on the rest of the batch.
    """
    network, geometry = hyperparameters.network, hyperparameters.geometry
    maps = normalise(images, hyperparameters)  # (N, channels, H, W)
    outside = None if steps is None else columns_outside(maps, steps * geometry.columns_per_step)
    if outside is not None:
        maps = mask_columns(maps, outside)
    factor = 1  # image columns per column of the maps
    for index, (features, (_, rows)) in enumerate(zip(network.features, geometry.map_sizes(), strict=True)):
        factor *= network.strides[index] * network.pool_widths[index]
        mask = None if outside is None else masking_summand(outside, factor, features, rows)
        maps = block(maps, network, index, mask)
    hidden = mx.sym.reshape(mx.sym.transpose(maps, axes=(3, 0, 1, 2)), shape=(0, 0, -1))  # (T, N, features * rows)
    inputs = network.features[-1] * geometry.num_rows
    for index in range(network.num_layers):
        hidden = bidirectional(hidden, steps, network.num_hidden, inputs, f"l{index}")
        hidden = dropped(hidden, network)
        inputs = 2 * network.num_hidden
    return lstm.classify(hidden, num_classes)


def block(maps: Symbol, network: Network, index: int, mask: Symbol | None = None) -> Symbol:
    """Convolution number `index`, batch norm, max pooling and ReLU: (N, C, H, W) -> (N, features, H', W').

    H' is H divided by the stride (rounded up) and by the pooling height (rounded down); W' likewise. `mask`, of the
    same shape as the result, is a masking_summand. A residual convolution adds its input before the ReLU (He et al.,
    "Deep residual learning for image recognition", 2016).
    """
    kernel, stride, given = network.kernels[index], network.strides[index], maps
    norm = network.norm_place if network.batch_norm else "none"
    maps = mx.sym.Convolution(
        maps,
        num_filter=network.features[index],
        kernel=(kernel, kernel),
        stride=(stride, stride),
        pad=(kernel // 2, kernel // 2),
        no_bias=norm == "before",
        name=f"conv{index}",
    )
    if norm == "before":
        maps = mx.sym.BatchNorm(maps, fix_gamma=False, name=f"conv{index}_norm")
    pool = (network.pool_heights[index], network.pool_widths[index])
    if pool != (1, 1):
        maps = mx.sym.Pooling(maps, kernel=pool, stride=pool, pool_type="max")
    if network.adds_input(index):
        maps = maps + given
    if mask is not None:
        maps = maps + mask
    # After pooling: the same result from fewer values. mx.sym.relu would leave oneDNN's layout.
    maps = mx.sym.Activation(maps, act_type="relu", name=f"conv{index}_relu")
    if norm == "after":
        maps = mx.sym.BatchNorm(maps, fix_gamma=False, name=f"conv{index}_norm")
        maps = maps if mask is None else maps * (mask == 0)
    return maps


def dropped(hidden: Symbol, network: Network) -> Symbol:
    """Hidden values of any shape, some of which are 0 while it is trained, if the network has dropout."""
    return mx.sym.Dropout(hidden, p=network.dropout) if network.dropout else hidden


def bidirectional(columns: Symbol, steps: Symbol | None, num_hidden: int, input_size: int, name: str) -> Symbol:
    """Hidden states (T, N, 2 * num_hidden) of one bidirectional LSTM layer over columns (T, N, input_size).

    Two LSTMs, one of them over the reversed sequence of the first `steps` (N,) columns, or of all. MXNet's own
    bidirectional operator lets padding into the backward direction.
    """
    forward = lstm.fused(columns, [lstm.layer(f"{name}_forward", num_hidden, input_size)], num_hidden)
    backward_layer = lstm.layer(f"{name}_backward", num_hidden, input_size)
    backward = _reversed(lstm.fused(_reversed(columns, steps), [backward_layer], num_hidden), steps)
    return mx.sym.concat(forward, backward, dim=2)


def _reversed(columns: Symbol, steps: Symbol | None) -> Symbol:
    if steps is None:
        return mx.sym.SequenceReverse(columns)
    return mx.sym.SequenceReverse(columns, sequence_length=steps, use_sequence_length=True)
