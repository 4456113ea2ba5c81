"""Networks as MXNet symbols, one file per architecture, each from images to logits."""

import importlib

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.runtime.types import Symbol


def logits(images: Symbol, hyperparameters: Hyperparameters, num_classes: int, steps: Symbol | None = None) -> Symbol:
    """Logits (T, N, C) float32 of images (N, H, W) uint8, or (N, H, W, 3), by the architecture of the hyperparameters.

    `steps` (N,) float32 are each image's own time steps; what follows them does not change the logits of these.
    The last layer is called pred_fc in every architecture: inference cuts the graph there.
    """
    build = ARCHITECTURES.get(hyperparameters.network.architecture).build
    if isinstance(build, str):
        module, _, name = build.partition(":")
        build = getattr(importlib.import_module(module), name)
    return build(images, hyperparameters, num_classes, steps)
