"""Networks as MXNet symbols, one file an architecture, each from images to logits."""

from typing import Any

from ctc_ocr.hyperparameters import Hyperparameters
from ctc_ocr.symbols import crnn, lstm


def logits(images: Any, hyperparameters: Hyperparameters, num_classes: int) -> Any:
    """Logits (T, N, C) float32 of images (N, H, W) uint8, by the architecture that the hyperparameters name.

    The last layer is called pred_fc, whatever the architecture: inference cuts the graph there.
    """
    architecture = {"lstm": lstm, "crnn": crnn}[hyperparameters.network.architecture]
    return architecture.logits(images, hyperparameters, num_classes)
