"""Log probabilities by MXNet: what the Predictor needs of a model of this package or of MXNet's example/ctc."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.model_files import load_stored
from ctc_ocr.checkpoint.stored_model import StoredModel, stored_calibration
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.images.pixels import stretch_contrast
from ctc_ocr.inference.batch_rows import rows_of_width
from ctc_ocr.inference.constant_folding import fold_constants
from ctc_ocr.inference.graph import inference_graph, needed_parameters
from ctc_ocr.inference.network import GRAPH_LOCK, Network
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Context


class MXNetReader:
    """Log probabilities of prepared images. Raises InputError if the model cannot be loaded."""

    def __init__(self, stored: StoredModel, batch_size: int, context: Context = None) -> None:
        self.prefix, self.epoch = stored.prefix, stored.epoch
        self.calibration = stored_calibration(stored)
        with GRAPH_LOCK:
            checkpoint = load_stored(stored)
            graph = inference_graph(checkpoint)
            arguments, auxiliary = needed_parameters(graph, checkpoint)
            symbol, arguments = fold_constants(graph.symbol, arguments)
        self.alphabet: Alphabet = graph.alphabet
        self.lengths = checkpoint.model.lengths if checkpoint.model else None
        self.light_ink = checkpoint.model.light_ink if checkpoint.model else None
        self.hyperparameters: Hyperparameters = graph.hyperparameters
        self.stretches = self.hyperparameters.data.normalise == "image"  # or what is read is stretched already
        self._batch_size = batch_size
        full_rows = rows_of_width(self.hyperparameters, batch_size, self.hyperparameters.geometry.full_width)
        self.network = Network(graph, symbol, arguments, auxiliary, full_rows, context or mx.cpu())

    @property
    def preparation(self) -> Hyperparameters:
        """How images are prepared for it: contrast is stretched here, as in the graph of an ONNX model, so that views
        of an image are made of its own levels."""
        return replace(self.hyperparameters, data=replace(self.hyperparameters.data, normalise="fixed"))

    def log_probabilities(self, images: NDArray[np.uint8], widths: NDArray[np.intp] | None) -> NDArray[np.float32]:
        """Log probabilities (T, N, C) of images (N, H, W) or (N, H, W, 3), whose own columns are `widths` (N,)."""
        if self.stretches:
            images = _stretched(images, widths)
        steps = None
        if widths is not None:
            columns = self.hyperparameters.geometry.columns_per_step
            steps = -(-widths // columns)
        return self.network.log_probabilities(images, steps, self._bound_rows(len(images), images.shape[2]))

    def best_count(self, count: int, width: int) -> int:
        """Of so many images of a width, how many are best computed together: no rows of the batch are empty then."""
        rows = rows_of_width(self.hyperparameters, self._batch_size, width)
        while rows > max(count, 1):
            rows //= 4
        return max(rows, 1)

    def _bound_rows(self, count: int, width: int) -> int:
        """Images in the batch that `count` images are computed in: 1, a full one, or a quarter of that, a quarter of a
        quarter and so on, so that few images take little time and few sizes are bound."""
        rows = 1 if count == 1 else rows_of_width(self.hyperparameters, self._batch_size, width)
        while 1 < count <= rows // 4:
            rows //= 4
        return rows


def _stretched(images: NDArray[np.uint8], widths: NDArray[np.intp] | None) -> NDArray[np.uint8]:
    """A copy in which the contrast of each image's own columns is stretched."""
    found = images.copy()
    for number, image in enumerate(images):
        own = slice(None) if widths is None else slice(int(widths[number]))
        found[number, :, own] = stretch_contrast(image[:, own])
    return found
