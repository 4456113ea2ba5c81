"""Networks as MXNet symbols, one file per architecture, each from images to logits."""

import importlib

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.runtime.types import Symbol


def logits(images: Symbol, hyperparameters: Hyperparameters, num_classes: int, steps: Symbol | None = None) -> Symbol:
    """Logits (T, N, C) float32 of images (N, H, W) uint8, or (N, H, W, 3), by the architecture of the hyperparameters.

    `steps` (N,) float32 are each image's own time steps; what follows them does not change the logits of these.
    The last layer is called pred_fc in every architecture. Names that an architecture leaves to MXNet are numbered from
    0, whatever was built before: a model's parameters are found by their names when its network is built again.
    """
    from ctc_ocr.runtime.mxnet import mx  # not above: who only names architectures needs no MXNet

    build = ARCHITECTURES.get(hyperparameters.network.architecture).build
    if isinstance(build, str):
        module, _, name = build.partition(":")
        build = getattr(importlib.import_module(module), name)
    with mx.name.NameManager():
        return build(images, hyperparameters, num_classes, steps)
