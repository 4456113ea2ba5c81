"""Images -> texts and confidences, by a model of this package, of MXNet's example/ctc, or an ONNX model."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.known_images import KnownImages
from ctc_ocr.checkpoint.run_files import Epoch, check_epoch, is_onnx
from ctc_ocr.checkpoint.starter import STARTER, model_to_read
from ctc_ocr.checkpoint.stored_model import StoredModel, stored_known_images
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.schema import MAX_SIZE
from ctc_ocr.config.sections import Data
from ctc_ocr.decoding.decoder import BoundDecoder, Decoder, WithDecoder, checked_decoder
from ctc_ocr.decoding.likelihood import ANYTHING, label_log_probability, likeliest_alignment
from ctc_ocr.decoding.mask import restrict
from ctc_ocr.errors import KINDS, InputError, check_kind
from ctc_ocr.evaluation.calibration import Calibration
from ctc_ocr.images import preparation
from ctc_ocr.images.files import Encoded, read_image
from ctc_ocr.images.letterbox import letterbox_of
from ctc_ocr.images.pixels import Pixels, stretch_contrast
from ctc_ocr.images.region import Region
from ctc_ocr.images.views import view_of
from ctc_ocr.inference.batch_rows import BATCH_SIZE, rows_of_width
from ctc_ocr.inference.ink import InkCheck
from ctc_ocr.inference.places import Origin, placed
from ctc_ocr.inference.prediction import Prediction, prediction_of
from ctc_ocr.inference.straightening import Straightener
from ctc_ocr.lengths import MAX_LENGTH, Lengths
from ctc_ocr.runtime.types import Context

if TYPE_CHECKING:
    from ctc_ocr.inference.mxnet_reader import MXNetReader
    from ctc_ocr.onnx_models.reader import OnnxReader

Source = str | os.PathLike[str] | Encoded | Pixels


class Predictor(WithDecoder):
    """Reads images of any size with a model. Several threads may use one Predictor at once.

    model: a prefix, a PREFIX-0007.params, a bundle, a folder with one model, or an ONNX model (MODEL.onnx), which is
        read by ONNX Runtime, without MXNet.
    epoch: a number, "best" (by validation), "newest", or None: that of the .params or bundle, or else the best; the
        newest of a model without a history. An ONNX model has only one.
    batch_size: maximum number of images in a batch, 1 to 10,000.
    context: the MXNet device; None for the CPU, the only one of an ONNX model.
    decoder: how texts are found; None for the best path. Another one later: `predictor.decoder =
        Decoder(...).bind(predictor.alphabet, predictor.lengths)`, which reads one view of each image unless it says
        otherwise.
    ink: "dark", "light" or "auto" in place of the model's own.

    Images are prepared in the calling thread, and confidences are calibrated if the model's run calibrated this epoch.
    `prefix` and `epoch` say what was loaded; the prefix of a bundle is its path. `lengths`: of the labels that the
    model was trained on, if it says so. `light_ink`: the fraction of its training images that seem to have light ink, 0
    to 1, if it says so and `ink` is no other than its own. `stored`: the model's parts as they are stored; None of an
    ONNX model.
    Raises InputError if the model cannot be loaded, or for a bad batch_size.
    """

    def __init__(
        self,
        model: str | Path,
        epoch: Epoch | None = None,
        batch_size: int = BATCH_SIZE,
        context: Context = None,
        decoder: Decoder | None = None,
        ink: str | None = None,
    ) -> None:
        if not isinstance(batch_size, KINDS["an integer"]) or not 1 <= batch_size <= MAX_SIZE:
            raise InputError(f"expected 1 to {MAX_SIZE} images, got {batch_size!r}", "batch_size")
        check_kind("a path", model=model)
        how = checked_decoder(decoder)
        self._reader, self.stored = _reader(model, epoch, batch_size, context)
        self.prefix, self.epoch = self._reader.prefix, self._reader.epoch
        self.batch_size = batch_size
        self.calibration: Calibration | None = self._reader.calibration
        self.alphabet: Alphabet = self._reader.alphabet
        self.lengths: Lengths | None = self._reader.lengths
        self.decoder = how.bind(self.alphabet, self.lengths, self._reader.hyperparameters.data.views)
        has_own_ink = ink in (None, self._reader.hyperparameters.data.ink)
        self.light_ink: float | None = self._reader.light_ink if has_own_ink else None
        self.hyperparameters = _with_ink(self._reader.hyperparameters, ink)
        self._preparation = _with_ink(self._reader.preparation, ink)
        self._straightener = straightener(self.hyperparameters.data, self.lengths)

    def known_images(self) -> KnownImages | None:
        """The images that the model was trained on and validated with; None if its run does not tell, and of an ONNX
        model. Raises InputError if they cannot be read."""
        return None if self.stored is None else stored_known_images(self.stored)

    def __repr__(self) -> str:
        architecture = self.hyperparameters.network.architecture
        return (
            f"<Predictor {self.prefix!r}, epoch {self.epoch}: {architecture}, {len(self.alphabet.units)} units, "
            f"batch_size {self.batch_size}>"
        )

    def read(self, image: Source) -> Prediction:
        """The prediction for one image: a path, encoded bytes, or pixels (H, W) or (H, W, 3) RGB uint8. Raises
        InputError for anything else."""
        prepared, origin = self.prepare_placed(image)
        return self.predict_prepared([prepared], origins=[origin])[0]

    def predict(self, images: Sequence[Source], confidence: bool = True) -> list[Prediction]:
        """Predictions for N images, in their order; without their confidences it is faster.

        Raises InputError that names the first that is not an image by its index, from 0.
        """
        refuse_one_image(images)
        prepared, origins = [], []
        for index, image in enumerate(images):
            try:
                pixels, origin = self.prepare_placed(image)
            except InputError as error:
                raise error.within(f"images[{index}]") from None
            prepared.append(pixels)
            origins.append(origin)
        return self.predict_prepared(prepared, confidence, origins)

    def take_stretched_images(self) -> None:
        """From now on, prepared images are as training has them: with their contrast stretched already, if the model
        wants that. Not for an ONNX model."""
        self._reader.stretches = False

    def prepare(self, image: Source, name: str | None = None, ink: InkCheck | None = None) -> Pixels:
        """An image in the network's size, (H, W) or (H, W, 3) uint8; its contrast is stretched when it is read. `ink`,
        if given, counts it if it looks inverted. Raises InputError with `name` as its place."""
        return self.prepare_placed(image, name, ink)[0]

    def prepare_placed(
        self, image: Source, name: str | None = None, ink: InkCheck | None = None
    ) -> tuple[Pixels, Origin | None]:
        """What `prepare` gives, and where it lies in the image, for the places of characters; None of an image that was
        straightened."""
        data = self._preparation.data
        pixels = _pixels(image, name, preparation.channels_to_read(data))
        if self._straightener is not None:
            pixels = self._straightener.refined_placement(pixels, self._read_straight).straightened(pixels)
        cropped, left = preparation.crop_placed(pixels, data)
        if ink is not None:
            ink.add(cropped)
        prepared = preparation.prepare_cropped(cropped, self._preparation)
        return prepared, None if self._straightener else _origin(cropped, prepared, left, data)

    def _read_straight(self, images: list[Pixels]) -> list[Prediction]:
        """What the network reads in a single view of images that are straightened."""
        cropped = [preparation.crop_placed(each, self._preparation.data)[0] for each in images]
        prepared = [preparation.prepare_cropped(each, self._preparation) for each in cropped]
        return self.predict_prepared(prepared, decoder=replace(self.decoder, views=1))

    def predict_prepared(
        self,
        images: Sequence[Pixels],
        confidence: bool = True,
        origins: Sequence[Origin | None] | None = None,
        decoder: BoundDecoder | None = None,
    ) -> list[Prediction]:
        """Predictions for N images that `prepare` returned. With the `origins` that `prepare_placed` returned, and with
        confidences, their characters have places. `decoder` (default: the predictor's own) is used for this call
        alone: other threads may use others at the same time."""
        decoder = decoder or self.decoder
        found: dict[int, Prediction] = {}
        columns = self.hyperparameters.geometry.columns_per_step
        for indices, views, steps in self._outputs(images, decoder.views):
            for index, hypotheses in zip(indices, decoder.decode_views(views, steps, confidence), strict=True):
                prediction = prediction_of(hypotheses, self.alphabet, self.calibration, confidence)
                units, origin = hypotheses[0].units, origins[index] if origins is not None else None
                if origin is not None and prediction.characters and units is not None:
                    characters = placed(prediction.characters, units, self._seen(images[index]), origin, columns)
                    prediction = replace(prediction, characters=characters)
                found[index] = prediction
        return [found[index] for index in range(len(images))]

    def _seen(self, image: Pixels) -> Pixels:
        """A prepared image as it is after what the network itself prepares."""
        is_left = self.hyperparameters.data.normalise != self._preparation.data.normalise
        return stretch_contrast(image) if is_left else image

    def label_log_probabilities(self, images: Sequence[Pixels], labels: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """log p(label | image) (N,) float64, in nats, of N images that `prepare` returned and their labels as codes:
        the mean of those in all views that the decoder reads, among the units that it allows; -inf for a label that
        does not fit its time steps, or has other units. If any label has ANYTHING, it is that of the likeliest
        alignment, for all."""
        found, mask = np.empty(len(images)), self.decoder.mask
        of_labels = likeliest_alignment if any(ANYTHING in codes for codes in labels) else label_log_probability
        for indices, views, steps in self._outputs(images, self.decoder.views):
            chosen = [labels[index] for index in indices]
            allowed = views if mask is None else [restrict(each, mask) for each in views]
            found[indices] = np.mean([of_labels(each, chosen, steps) for each in allowed], axis=0)
        if mask is not None:
            found[[not all(mask[code] for code in codes if code != ANYTHING) for codes in labels]] = -np.inf
        return found

    def _outputs(
        self, images: Sequence[Pixels], num_views: int
    ) -> Iterator[tuple[list[int], list[NDArray[np.float32]], NDArray[np.intp] | None]]:
        """Image indices, log probabilities (T, N, C) of each view, and time steps (N,) of each batch."""
        for width, indices in self._batches(images):
            chosen = [images[index] for index in indices]
            views = [[view_of(each, number) for each in chosen] for number in range(num_views)]
            yield indices, [self._output(width, each) for each in views], self._own_steps(chosen)

    def _output(self, width: int, images: Sequence[Pixels]) -> NDArray[np.float32]:
        """Log probabilities (T, N, C) of one batch, `width` columns wide."""
        height, _, *colours = images[0].shape
        batch = np.empty((len(images), height, width, *colours), np.uint8)
        preparation.paste(list(images), batch, self.hyperparameters.network.input_mean)
        keeps_ratio = self.hyperparameters.data.keep_ratio
        return self.log_probabilities(batch, np.array([each.shape[1] for each in images]) if keeps_ratio else None)

    def _own_steps(self, images: Sequence[Pixels]) -> NDArray[np.intp] | None:
        """The images' time steps (N,); None if all have the same."""
        return self.steps(images) if self.hyperparameters.data.keep_ratio else None

    def steps(self, images: Sequence[Pixels]) -> NDArray[np.intp]:
        """Time steps (N,) of N images that `prepare` returned."""
        return np.array([self.hyperparameters.geometry.steps_of(image.shape[1], image.shape[0]) for image in images])

    def log_probabilities(
        self, images: NDArray[np.uint8], widths: NDArray[np.intp] | None = None
    ) -> NDArray[np.float32]:
        """Log probabilities (T, N, C) float32 of one batch, at most as many images as fit into one.

        `images`: (N, H, W) or (N, H, W, 3) uint8 of the network's height and a width of `geometry.batch_width`. With
        keep_ratio, `widths` (N,) are the columns that are each image's own, and what follows its time steps in the
        output is to be ignored.
        """
        return self._reader.log_probabilities(images, widths)

    def best_count(self, count: int, width: int) -> int:
        """Of so many prepared images of a width of `geometry.batch_width`, how many are best read together, at least 1:
        MXNet's batches have few sizes, and rows that are left empty take as long as others."""
        return self._reader.best_count(count, width)

    def _batches(self, images: Sequence[Pixels]) -> Iterator[tuple[int, list[int]]]:
        """Width and image indices of each batch. Images that keep their aspect ratio are grouped by width."""
        geometry = self.hyperparameters.geometry
        by_width: dict[int, list[int]] = {}
        for index, image in enumerate(images):
            # Without keep_ratio, all images have the full width.
            width = geometry.batch_width(image.shape[1]) if self.hyperparameters.data.keep_ratio else image.shape[1]
            by_width.setdefault(width, []).append(index)
        for width, indices in by_width.items():
            rows = rows_of_width(self.hyperparameters, self.batch_size, width)
            for start in range(0, len(indices), rows):
                yield width, indices[start : start + rows]


def refuse_one_image(images: object) -> None:
    """Raises InputError for an image, or an array of any shape, where several images are expected: an image's rows
    would be taken for images."""
    is_one = isinstance(images, (str, bytes, bytearray, memoryview, os.PathLike))
    if is_one or not isinstance(images, Iterable):  # an image of PIL has no parts
        raise InputError("expected a list of images; `read` takes one image", "images")
    if isinstance(images, np.ndarray):
        raise InputError("expected a list of images, got one array; `read` takes one image", "images")


def _reader(
    model: str | Path, epoch: Epoch | None, batch_size: int, context: Context
) -> "tuple[MXNetReader | OnnxReader, StoredModel | None]":
    check_epoch(epoch)
    model = model_to_read(model)
    if not is_onnx(model):
        stored = find_model(model, epoch)
        from ctc_ocr.inference.mxnet_reader import MXNetReader

        return MXNetReader(stored, batch_size, context), stored
    if context is not None:
        raise InputError("an ONNX model is read on the CPU", model)
    from ctc_ocr.onnx_models.opening import open_onnx

    reader = open_onnx(model)
    if epoch not in (None, "best", "newest", reader.epoch):
        raise InputError(f"this is epoch {reader.epoch}, and epoch {epoch} was asked for", model)
    return reader, None


def straightener(data: Data, lengths: Lengths | None) -> Straightener | None:
    """What straightens the images for a network; None if nothing does. `lengths`: of their texts."""
    if not data.is_straightened:
        return None
    lengths = lengths or Lengths(1, MAX_LENGTH, 1.0)
    return Straightener(predictor_of_lines(STARTER, lengths, data.ink), Region.of(data), lengths)


def predictor_of_lines(model: str | Path, lengths: Lengths, ink: str) -> Predictor:
    """What reads images for a Straightener. A wider beam search takes half as long again, and finds few more lines."""
    return Predictor(model, decoder=Decoder(beam_width=10, lengths=lengths, views=1), ink=ink)


def _with_ink(hyperparameters: Hyperparameters, ink: str | None) -> Hyperparameters:
    return replace(hyperparameters, data=replace(hyperparameters.data, ink=ink or hyperparameters.data.ink))


def _origin(cropped: Pixels, prepared: Pixels, left: int, data: Data) -> Origin:
    """Of an image whose part `cropped` begins at column `left`."""
    rows, columns = cropped.shape[:2]
    inner, first = prepared.shape[1], 0
    if data.letterbox:
        place = letterbox_of(columns, rows, data.width, data.height)
        inner, first = place.width, place.left
    scale = columns / inner
    return Origin(left - scale * first, scale, data.writing == "vertical", (first, first + inner))


def _pixels(image: Source, name: str | None, channels: int) -> Pixels:
    """The array itself, or the decoded image of a file or of encoded bytes."""
    if isinstance(image, np.ndarray):
        _check_pixels(image, name or "image")
        return image
    if not isinstance(image, str | os.PathLike | Encoded):
        accepted = "a path, encoded bytes, or pixels (H, W) or (H, W, 3) uint8"
        is_pil = isinstance(image, PIL.Image.Image)
        hint = '; numpy.asarray(image.convert("RGB")) has the pixels of an image of PIL' if is_pil else ""
        raise InputError(f"expected {accepted}, got {type(image).__name__}{hint}", name or "image")
    return read_image(image, name, channels)


def _check_pixels(image: Pixels, name: str) -> None:
    shape = image.shape
    fits = image.dtype == np.uint8 and (image.ndim == 2 or (image.ndim == 3 and shape[2] == 3)) and image.size > 0
    if not fits:
        raise InputError(f"expected pixels (H, W) or (H, W, 3) uint8, got {shape} {image.dtype}", name)
