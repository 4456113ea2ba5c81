"""Convolutions, then dense layers, for images of one character: the whole image is one time step.

Its convolutions have the names of those of `crnn`, so that their weights can be a start for either network.
"""

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Network
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Symbol
from ctc_ocr.symbols import lstm
from ctc_ocr.symbols.crnn import block, dropped
from ctc_ocr.symbols.images import normalise


def logits(images: Symbol, hyperparameters: Hyperparameters, num_classes: int, steps: Symbol | None = None) -> Symbol:
    """Logits (1, N, num_classes) of images (N, H, W) uint8 or (N, H, W, 3). `steps` say nothing new: each image has
    one."""
    network = hyperparameters.network
    maps = normalise(images, hyperparameters)  # (N, channels, H, W)
    for index in range(len(network.features)):
        maps = block(maps, network, index)
    hidden = dropped(_pooled(maps, network), network)
    for index, units in enumerate(network.dense):
        hidden = mx.sym.FullyConnected(hidden, num_hidden=units, name=f"dense{index}")
        hidden = dropped(mx.sym.Activation(hidden, act_type="relu"), network)
    return lstm.classify(mx.sym.expand_dims(hidden, axis=0), num_classes)


def _pooled(maps: Symbol, network: Network) -> Symbol:
    """(N, F) of maps (N, C, H, W): F is C * H * W, or C with the mean of each map."""
    if network.pooling == "flatten":
        return mx.sym.Flatten(maps)
    means = mx.sym.Flatten(mx.sym.Pooling(maps, global_pool=True, pool_type="avg"))
    return mx.sym.BatchNorm(means, fix_gamma=False, name="pool_norm") if network.batch_norm else means
