"""Images -> texts and confidences, by a checkpoint of this package or of MXNet's own example/ctc."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.calibration_file import load_calibration
from ctc_ocr.checkpoint.model_files import load
from ctc_ocr.checkpoint.run_files import resolve_model
from ctc_ocr.config.schema import MAX_SIZE
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.errors import InputError
from ctc_ocr.evaluation.calibration import Calibration
from ctc_ocr.images import preparation
from ctc_ocr.images.files import Encoded, read_image
from ctc_ocr.images.pixels import Pixels, grey
from ctc_ocr.inference.constant_folding import fold_constants
from ctc_ocr.inference.graph import inference_graph, needed_parameters
from ctc_ocr.runtime.host_memory import host_view, is_on_host
from ctc_ocr.runtime.mxnet import mx

BATCH_SIZE = 128  # of MXNet's example network on one core, 32 take 2 to 8 % longer, and more than 128 gain nothing
BATCH_PIXELS = 2**19  # of images that keep their ratio: the memory of wide ones stays within bounds

Source = str | os.PathLike[str] | Encoded | Pixels


@dataclass(frozen=True)
class Prediction:
    """A reading. `codes` are without blanks; `confidence` is how probably the text is right, 0 to 1, if it was asked
    for; `log_probability` is log p(text | image) as the network gives it; `alternatives` are the next best readings of
    a beam search with top_k above 1; `score` is what it and they are ordered by: the log probability, and what a
    language model and a bonus add."""

    text: str
    codes: list[int]
    confidence: float | None
    log_probability: float | None = None
    alternatives: tuple["Prediction", ...] = ()
    score: float | None = None


class Predictor:
    """Reads images of any size with a model at an epoch (None: the highest); they are resized to the model's.

    `model` is a prefix, a PREFIX-0007.params (a given `epoch` goes before its own), or a folder with one model in it.
    `decoder` says how texts are found; `ink` replaces the model's own (dark, light or auto). Confidences are
    calibrated where the model's run has found out how. The network is bound once for each size of batches in use.
    Raises InputError if the model cannot be read, or if batch_size is not from 1 to 10,000.
    """

    def __init__(
        self,
        model: str | Path,
        epoch: int | None = None,
        batch_size: int = BATCH_SIZE,
        context: Any = None,
        decoder: Decoder | None = None,
        ink: str | None = None,
    ) -> None:
        if not 1 <= batch_size <= MAX_SIZE:
            raise InputError(f"batch_size: expected 1 to {MAX_SIZE} images, got {batch_size}")
        prefix, named = resolve_model(model)
        checkpoint = load(prefix, named if epoch is None else epoch)
        self.epoch = checkpoint.epoch
        self.batch_size = batch_size
        self.decoder = decoder or Decoder()
        self.calibration: Calibration | None = load_calibration(prefix, checkpoint.epoch)
        self._graph = inference_graph(checkpoint)
        settings = self._graph.hyperparameters
        self.hyperparameters = replace(settings, data=replace(settings.data, ink=ink or settings.data.ink))
        self._context = context or mx.cpu()
        arguments, self._aux_params = needed_parameters(self._graph, checkpoint)
        self._symbol, self._arg_params = fold_constants(self._graph.symbol, arguments)
        self._executors: dict[tuple[int, int], Any] = {}

    @property
    def alphabet(self) -> Alphabet:
        return self._graph.alphabet

    def load(self, source: Source, name: str | None = None) -> Pixels:
        """The file, the encoded bytes, or the array (H, W) or (H, W, 3) RGB uint8, as the model reads it: what it keeps
        of an image. Raises InputError, starting with `name`, for what is no such image."""
        channels = self.hyperparameters.data.channels
        image = _pixels(source, name, channels)
        if channels == 1:
            image = grey(image)
        elif image.ndim == 2:
            image = np.repeat(image[:, :, None], 3, axis=2)
        return preparation.prepare(image, self.hyperparameters)

    def read(self, source: Source) -> Prediction:
        """The reading of one image: a path, encoded bytes, or an array."""
        return self.predict_loaded([self.load(source)])[0]

    def predict(self, sources: Sequence[Source], confidence: bool = True) -> list[Prediction]:
        """Readings of N images in their order; without their confidence, they are faster. Raises InputError that says
        which of them, from 0 on, is none."""
        if isinstance(sources, (str, bytes, bytearray, memoryview, os.PathLike)):
            raise InputError("predict takes a list of images, and read takes one")
        images = []
        for index, source in enumerate(sources):
            try:
                images.append(self.load(source))
            except InputError as error:
                raise InputError(f"sources[{index}]: {error}") from None
        return self.predict_loaded(images, confidence)

    def predict_loaded(self, images: Sequence[Pixels], confidence: bool = True) -> list[Prediction]:
        """Readings of what `load` gave."""
        found: dict[int, Prediction] = {}
        for width, numbers in self._batches(images):
            chosen = [images[number] for number in numbers]
            height, _, *colours = chosen[0].shape
            batch = np.empty((len(chosen), height, width, *colours), np.uint8)
            preparation.paste(chosen, batch, self.hyperparameters.network.input_mean)
            steps = self.steps(chosen) if self.hyperparameters.data.keep_ratio else None
            readings = self._read(self.log_probabilities(batch, steps), steps, confidence)
            found.update(zip(numbers, readings, strict=True))
        return [found[number] for number in range(len(images))]

    def steps(self, images: Sequence[Pixels]) -> NDArray[np.intp]:
        """(N,): the time steps of images that `load` gave."""
        return np.array([self.hyperparameters.geometry.steps_of(image.shape[1], image.shape[0]) for image in images])

    def _batches(self, images: Sequence[Pixels]) -> list[tuple[int, list[int]]]:
        """The width and the images of each batch. Those that keep their ratio go with others of about their width."""
        settings = self.hyperparameters
        if not settings.data.keep_ratio:
            numbers = range(len(images))
            return [
                (settings.data.width, list(numbers[start : start + self.batch_size]))
                for start in range(0, len(images), self.batch_size)
            ]
        by_width: dict[int, list[int]] = {}
        for number, image in enumerate(images):
            by_width.setdefault(settings.geometry.batch_width(image.shape[1]), []).append(number)
        return [
            (width, numbers[start : start + self._rows(width)])
            for width, numbers in by_width.items()
            for start in range(0, len(numbers), self._rows(width))
        ]

    def _rows(self, width: int) -> int:
        """Images in a full batch of this width."""
        if not self.hyperparameters.data.keep_ratio:
            return self.batch_size
        return max(1, min(self.batch_size, BATCH_PIXELS // (width * self.hyperparameters.data.height)))

    def _bound_rows(self, count: int, width: int) -> int:
        """Images of the batch that is bound for `count`: a full one or, again and again, a quarter of it. A few images
        cost little, and as each size has memory of its own, all of them together take a third more than the full one.
        """
        rows = 1 if count == 1 else self._rows(width)
        while 1 < count <= rows // 4:
            rows //= 4
        return rows

    def log_probabilities(
        self, images: NDArray[np.uint8], steps: NDArray[np.intp] | None = None
    ) -> NDArray[np.float32]:
        """Images (N, H, W) uint8, or (N, H, W, 3), of the model's height and of a width in use, no more than are in a
        batch -> (T, N, C) float32. With keep_ratio, only the first steps[n] (N,) of each mean something."""
        count, width = len(images), images.shape[2]
        rows = self._bound_rows(count, width)
        executor = self._executor(rows, width)
        _feed(executor.arg_dict["data"], self._graph.encode(_filled_up(images, rows)))
        if steps is not None and self._graph.takes_steps:
            _feed(executor.arg_dict["steps"], _filled_up(np.asarray(steps, np.float32), rows))
        output: NDArray[np.float32] = executor.forward(is_train=False)[0].asnumpy()
        return output[:, :count]

    def _read(
        self, log_probs: NDArray[np.float32], steps: NDArray[np.intp] | None, confidence: bool
    ) -> list[Prediction]:
        hypotheses = self.decoder.read(log_probs, steps, confidence)
        return [self._prediction(each, confidence) for each in hypotheses]

    def _prediction(self, hypotheses: Sequence[Any], confidence: bool) -> Prediction:
        readings = []
        for each in hypotheses:
            text, codes = self.alphabet.decode(each.codes), list(each.codes)
            if confidence:
                sure = self._confidence(each.log_probability)
                readings.append(Prediction(text, codes, sure, each.log_probability, score=each.score))
            else:
                readings.append(Prediction(text, codes, None))
        return replace(readings[0], alternatives=tuple(readings[1:])) if len(readings) > 1 else readings[0]

    def _confidence(self, log_probability: float) -> float:
        """How probably a reading is right. One that the image cannot give is not, whatever the calibration says."""
        if not log_probability > -math.inf:
            return 0.0
        probability = math.exp(min(log_probability, 0.0))  # float32 sums of the network are a little off
        return probability if self.calibration is None else float(self.calibration.apply(probability))

    def _executor(self, rows: int, width: int) -> Any:
        """The bound network for batches of this size. Those for one image share the memory of its full width's, all
        others that of a full batch of the full width."""
        if (rows, width) not in self._executors:
            full = self.hyperparameters.geometry.full_width
            largest = (1 if rows == 1 else self._rows(full), full)
            if (rows, width) == largest:
                made = self._bind(rows, width)
            else:
                shapes = self._graph.input_shapes(rows, width)
                made = self._executor(*largest).reshape(partial_shaping=True, allow_up_sizing=True, **shapes)
            self._executors[rows, width] = made
        return self._executors[rows, width]

    def _bind(self, rows: int, width: int) -> Any:
        """The executor of a Module: fed directly, as a Module's own way of loading a batch takes a quarter of the time
        of reading one image."""
        graph, names = self._graph, list(self._graph.input_shapes(rows, width))
        types = {"data": graph.data_dtype, "steps": "float32"}
        inputs = [mx.io.DataDesc(n, s, dtype=types[n]) for n, s in graph.input_shapes(rows, width).items()]
        module = mx.mod.Module(self._symbol, data_names=names, label_names=None, context=self._context)
        module.bind(inputs, for_training=False)
        module.set_params(self._arg_params, self._aux_params)
        return module._exec_group.execs[0]


def _pixels(source: Source, name: str | None, channels: int) -> Pixels:
    """The array itself, or what a file or its bytes show (see read_image)."""
    if isinstance(source, np.ndarray):
        _check_pixels(source, name or "image")
        return source
    if not isinstance(source, str | os.PathLike | Encoded):
        accepted = "a path, encoded bytes, or pixels (H, W) or (H, W, 3) uint8"
        raise InputError(f"{name or 'image'}: expected {accepted}, got {type(source).__name__}")
    return read_image(source, name, channels)


def _check_pixels(image: Pixels, name: str) -> None:
    shape = image.shape
    fits = image.dtype == np.uint8 and (image.ndim == 2 or (image.ndim == 3 and shape[2] == 3)) and image.size > 0
    if not fits:
        raise InputError(f"expected pixels (H, W) or (H, W, 3) uint8, got {shape} {image.dtype}", name)


def _filled_up(values: NDArray[Any], rows: int) -> NDArray[Any]:
    """With zeros, to `rows` rows."""
    if len(values) == rows:
        return values
    padded = np.zeros((rows, *values.shape[1:]), values.dtype)
    padded[: len(values)] = values
    return padded


def _feed(array: Any, values: NDArray[Any]) -> None:
    """Give an input its values. Nothing else uses it now: what was computed of it last has been read."""
    if is_on_host(array):
        np.copyto(host_view(array), values)  # MXNet's own ways take as long as all of the network but the LSTMs
    else:
        array[:] = mx.nd.array(values, dtype=values.dtype)
