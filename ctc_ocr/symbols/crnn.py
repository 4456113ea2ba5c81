"""Convolutions, then bidirectional LSTMs over the columns that they leave (Shi, Bai and Yao, "An end-to-end trainable
neural network for image-based sequence recognition", 2017).
"""

from typing import Any

from ctc_ocr._mxnet import mx
from ctc_ocr.hyperparameters import Hyperparameters
from ctc_ocr.symbols import lstm
from ctc_ocr.symbols.images import normalise


def logits(images: Any, hyperparameters: Hyperparameters, num_classes: int) -> Any:
    """Logits (T, N, num_classes) of images (N, H, W) uint8; T is W divided by all pool_widths."""
    network = hyperparameters.network
    maps = mx.sym.expand_dims(normalise(images, network), axis=1)  # (N, 1, H, W)
    blocks = zip(network.features, network.pool_heights, network.pool_widths, strict=True)
    for index, (features, pool_height, pool_width) in enumerate(blocks):
        maps = block(maps, features, (pool_height, pool_width), f"conv{index}")
    columns = mx.sym.transpose(maps, axes=(3, 0, 1, 2))  # (T, N, features, rows)
    hidden = mx.sym.reshape(columns, shape=(0, 0, -1))
    inputs = network.features[-1] * hyperparameters.num_rows
    for index in range(network.num_layers):
        hidden = bidirectional(hidden, network.num_hidden, inputs, hyperparameters.num_steps, f"l{index}")
        inputs = 2 * network.num_hidden
    return lstm.classify(hidden, num_classes)


def block(maps: Any, features: int, pool: tuple[int, int], name: str) -> Any:
    """(N, C, H, W) -> (N, features, H // pool[0], W // pool[1]): convolution, batch norm, ReLU, maximum."""
    maps = mx.sym.Convolution(maps, num_filter=features, kernel=(3, 3), pad=(1, 1), no_bias=True, name=name)
    maps = mx.sym.BatchNorm(maps, fix_gamma=False, name=f"{name}_norm")
    maps = mx.sym.relu(maps)
    return maps if pool == (1, 1) else mx.sym.Pooling(maps, kernel=pool, stride=pool, pool_type="max")


def bidirectional(columns: Any, num_hidden: int, input_size: int, num_steps: int, name: str) -> Any:
    """Hidden states (T, N, 2 * num_hidden) of one LSTM layer that reads columns (T, N, input_size) in both directions.

    Two LSTMs, one over the reversed sequence: MXNet's own bidirectional operator lets padding into the backward
    direction.
    """
    there = lstm.fused(columns, [lstm.layer(f"{name}_forward", num_hidden, input_size)], num_hidden, num_steps)
    back = lstm.layer(f"{name}_backward", num_hidden, input_size)
    reverse = lstm.fused(mx.sym.SequenceReverse(columns), [back], num_hidden, num_steps)
    return mx.sym.concat(there, mx.sym.SequenceReverse(reverse), dim=2)
