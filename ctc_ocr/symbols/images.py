"""The front of every network: grey images to numbers of about mean 0 and variance 1."""

from typing import Any

from ctc_ocr._mxnet import mx
from ctc_ocr.hyperparameters import Network


def normalise(images: Any, network: Network) -> Any:
    """(N, H, W) uint8 -> (N, H, W) float32: paper about 0, ink positive, the darker the larger."""
    grey = mx.sym.cast(images, dtype="float32")
    return (network.input_mean - grey) * (1.0 / network.input_scale)
