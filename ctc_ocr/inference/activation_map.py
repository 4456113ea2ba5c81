"""Which parts of an image a prediction rests on: the feature maps of the last convolution times their gradients, summed
over the features; what is positive speaks for the prediction (HiResCAM: Draelos and Carin, "Use HiResCAM instead of
Grad-CAM for faithful explanations of convolutional neural networks", 2020).

For a network whose maps are averaged before its only dense layer, this is the class activation map (Zhou et al.,
"Learning deep features for discriminative localization", 2016).
"""

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ctc_ocr import symbols
from ctc_ocr.alphabet import BLANK
from ctc_ocr.checkpoint.model_files import Checkpoint
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.errors import InputError
from ctc_ocr.images import preparation
from ctc_ocr.images.pixels import Pixels, stretch_contrast
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import MXArray, Symbol
from ctc_ocr.symbols.dividing import divided

MAPS = "feature_maps"


class ActivationMaps:
    """Activation maps of a model's predictions. Raises InputError for a network without convolutions named conv0,
    conv1, ..., as the built-in `lstm` is."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        if checkpoint.model is None:
            raise InputError("a model of MXNet's example has no convolutions", checkpoint.params_file)
        model = checkpoint.model
        self.hyperparameters = model.hyperparameters
        self._parameters = {**checkpoint.arg_params, **checkpoint.aux_params}
        takes_steps = (
            self.hyperparameters.data.keep_ratio
            and ARCHITECTURES.get(self.hyperparameters.network.architecture).needs_steps
        )
        without_dropout = replace(self.hyperparameters, network=replace(self.hyperparameters.network, dropout=0.0))
        steps = mx.sym.Variable("steps") if takes_steps else None
        logits = symbols.logits(mx.sym.Variable("data"), without_dropout, model.alphabet.num_classes, steps)
        last = f"conv{len(self.hyperparameters.network.features) - 1}_relu"
        if f"{last}_output" not in logits.get_internals().list_outputs():
            raise InputError(
                f"architecture {self.hyperparameters.network.architecture} has no layer {last} to map",
                checkpoint.description_file,
            )
        self._below, self._above = divided(logits, last, MAPS)

    def map_of(self, image: Pixels) -> NDArray[np.float32]:
        """(H, W) float32, 0 to 1, of an image (H, W) or (H, W, 3) uint8 that `Predictor.prepare` returned: 1 where the
        characters of its best path rest most; all 0 if they rest on nothing, or if there are none."""
        if self.hyperparameters.data.normalise == "image":
            image = stretch_contrast(image)
        height, width = image.shape[:2]
        geometry = self.hyperparameters.geometry
        full = geometry.batch_width(width) if self.hyperparameters.data.keep_ratio else width
        batch = np.empty((1, height, full, *image.shape[2:]), np.uint8)
        preparation.paste([image], batch, self.hyperparameters.network.input_mean)
        inputs = {"data": mx.nd.array(batch, dtype=np.uint8), "steps": mx.nd.array([geometry.steps_of(width, height)])}
        features = _executor(self._below, {**self._parameters, **inputs}).forward(is_train=False)[0]
        above = _executor(self._above, {**self._parameters, **inputs, MAPS: features}, gradient_of=MAPS)
        logits = above.forward(is_train=True)[0]  # only so can it compute gradients; nothing in it is random
        path = logits.asnumpy()[:, 0].argmax(axis=1)
        wanted = np.zeros(logits.shape, np.float32)
        wanted[np.arange(len(path)), 0, path] = path != BLANK
        above.backward([mx.nd.array(wanted)])
        found = _weighted(features.asnumpy()[0], above.grad_dict[MAPS].asnumpy()[0])
        resized = cv2.resize(found, (full, height), interpolation=cv2.INTER_LINEAR)[:, :width]
        largest = max(float(resized.max()), 0.0)  # without what lies in the padding
        return np.asarray(np.clip(resized / largest if largest > 0 else resized, 0.0, 1.0), np.float32)


def _weighted(maps: NDArray[np.float32], gradients: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w), 0 to 1: feature maps (C, h, w) times their gradients; only what speaks for the prediction."""
    total = np.maximum((maps * gradients).sum(axis=0), 0.0)
    largest = float(total.max())
    return np.asarray(total / largest if largest > 0 else total, np.float32)


def _executor(symbol: Symbol, values: Mapping[str, MXArray], gradient_of: str = "") -> "mx.executor.Executor":
    """Bound to these values, of which it takes those that it needs."""
    arguments = {name: values[name] for name in symbol.list_arguments()}
    auxiliary = {name: values[name] for name in symbol.list_auxiliary_states()}
    gradients = {gradient_of: mx.nd.zeros(values[gradient_of].shape)} if gradient_of else {}
    requests = {name: "write" if name == gradient_of else "null" for name in arguments}
    return symbol.bind(mx.cpu(), arguments, args_grad=gradients, grad_req=requests, aux_states=auxiliary)
