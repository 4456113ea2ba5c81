"""Networks as MXNet symbols, one file an architecture, each from images to logits."""

from typing import Any

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.symbols import crnn, lstm


def logits(images: Any, hyperparameters: Hyperparameters, num_classes: int, steps: Any = None) -> Any:
    """Logits (T, N, C) float32 of images (N, H, W) uint8, or (N, H, W, 3), by the architecture that is named.

    `steps` (N,) float32 is how many time steps of each image are its own; what follows them changes nothing in these.
    The last layer is called pred_fc, whatever the architecture: inference cuts the graph there.
    """
    architecture = {"lstm": lstm, "crnn": crnn}[hyperparameters.network.architecture]
    return architecture.logits(images, hyperparameters, num_classes, steps)
