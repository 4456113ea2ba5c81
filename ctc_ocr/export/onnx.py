"""Write a model as an ONNX file, which is compared with MXNet before it gets its name."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.model_files import load_stored
from ctc_ocr.checkpoint.run_files import Epoch
from ctc_ocr.checkpoint.stored_model import StoredModel
from ctc_ocr.errors import InputError, RunError, check_kind, refuse_single
from ctc_ocr.export.samples import sample_images
from ctc_ocr.export.tolerance import Deviation, worst_deviation
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.onnx_models.description import MAX_SOURCE, Description
from ctc_ocr.onnx_models.opening import require_onnx
from ctc_ocr.onnx_models.weights import weights_of
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.runtime.output_files import refuse_existing


@dataclass(frozen=True)
class Export:
    """What was written: the file, its size in bytes, and how it compares with MXNet: on how many images, in how many of
    them it reads the same text, and the largest difference of a log probability."""

    path: Path
    num_bytes: int
    num_images: int
    same_texts: int
    largest_difference: float


def export_onnx(
    model: str | Path,
    path: str | Path,
    *,
    epoch: Epoch | None = None,
    greedy: bool = False,
    quantise: bool = False,
    images: Sequence[str | Path] = (),
    overwrite: bool = False,
) -> Export:
    """Write a model, see `Predictor`, as an ONNX file that reads without MXNet.

    greedy: with an output `codes`, the text of the best path. quantise: with weights in 8 bits, in about a quarter of
    the bytes. images: image files on which it is compared with MXNet; drawn ones if there are none.

    The file gets its name only if each of its log probabilities x differs by no more than 1e-4 + 1e-5 |x| from that of
    MXNet, and all texts are the same; else RunError is raised, and nothing is left. With `quantise`, that holds before
    the weights are rounded, and the result says what rounding changes. Raises InputError for a model that cannot be
    exported, and for a file that exists, without overwrite.
    """
    check_kind("a path", model=model, path=path)
    check_kind("True or False", greedy=greedy, quantise=quantise, overwrite=overwrite)
    check_kind("a list", images=images)
    refuse_single(images, "images")
    require_onnx()
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        raise InputError("expected a name that ends with .onnx", path)
    refuse_existing([path], overwrite)
    stored = find_model(model, epoch)
    predictor = Predictor(model, epoch)
    content = _content(stored, predictor, greedy, quantise=False)
    compared: Sequence[str | Path | Pixels] = list(images) or sample_images(predictor.alphabet)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
        found = _compared(predictor, temporary, greedy, compared)
        _check(found, compared)
        if quantise:
            content = _content(stored, predictor, greedy, quantise=True)
            temporary.write_bytes(content)
            found = _compared(predictor, temporary, greedy, compared)
    same_texts, largest = sum(each.same_text for each in found), max(each.difference for each in found)
    return Export(path, len(content), len(compared), same_texts, largest)


def _content(stored: StoredModel, predictor: Predictor, greedy: bool, quantise: bool) -> bytes:
    """The bytes of the file. They depend on the model alone. Raises InputError for a model that cannot be exported."""
    import onnx  # after `require_onnx`

    from ctc_ocr.onnx_models.file import OnnxModel

    checkpoint = load_stored(stored)
    params = {name: array.asnumpy() for name, array in {**checkpoint.arg_params, **checkpoint.aux_params}.items()}
    model = checkpoint.model or Model(predictor.hyperparameters, predictor.alphabet)
    model = replace(model, init_from=None)  # the path of another model, which this file does not need
    description = Description(
        model, stored.epoch, predictor.calibration, checkpoint.model is None, quantise, _source(stored)
    )
    found = OnnxModel(description, weights_of(model.hyperparameters, params, quantise)).content(greedy)
    onnx.checker.check_model(onnx.ModelProto.FromString(found), full_check=True)
    return found


def _source(stored: StoredModel) -> str:
    """The name of the model's file or prefix, without its folder, which is nobody else's business."""
    name = Path(stored.prefix).name[:MAX_SOURCE]
    return "".join(each if each.isprintable() else "_" for each in name)


@dataclass(frozen=True)
class _Compared:
    """One image: the largest difference of a log probability, the worst one, and whether the texts are the same."""

    difference: float
    worst: Deviation
    same_text: bool


def _compared(predictor: Predictor, path: Path, greedy: bool, images: Sequence[str | Path | Pixels]) -> list[_Compared]:
    """A file beside MXNet, image by image."""
    from ctc_ocr.onnx_models.file import OnnxModel

    # A Predictor builds the graph anew from the file: it is the graph in the file.
    assert OnnxModel.read(path).content(greedy) == path.read_bytes()
    with tempfile.TemporaryDirectory(prefix="ctc_ocr-export-") as folder:
        named = Path(folder) / "model.onnx"
        named.write_bytes(path.read_bytes())
        exported = Predictor(named)
    return [_beside(predictor, exported, image) for image in images]


def _beside(predictor: Predictor, exported: Predictor, image: str | Path | Pixels) -> _Compared:
    expected, found = _log_probabilities(predictor, image), _log_probabilities(exported, image)
    if expected.shape != found.shape:
        raise RunError(f"the exported model has outputs {found.shape}, and MXNet {expected.shape}")
    same_text = predictor.read(image).text == exported.read(image).text
    return _Compared(float(np.abs(expected - found).max()), worst_deviation(expected, found), same_text)


def _check(found: Sequence[_Compared], images: Sequence[str | Path | Pixels]) -> None:
    """Raises RunError if a file differs from MXNet in more than rounding."""
    for number, (each, image) in enumerate(zip(found, images, strict=True)):
        if not each.worst.is_rounding:
            difference, accepted = each.worst.difference, each.worst.accepted
            raise RunError(f"the exported model differs from MXNet by {difference:.2g}; accepted: {accepted:.2g}")
        if not each.same_text:
            raise RunError(f"the exported model reads another text than MXNet in {_name(image, number)}")


def _log_probabilities(predictor: Predictor, image: str | Path | Pixels) -> NDArray[np.float32]:
    """(T, C) of one image: its own time steps."""
    prepared = predictor.prepare(image)
    batch = prepared[np.newaxis]
    if not predictor.hyperparameters.data.keep_ratio:
        return predictor.log_probabilities(batch)[:, 0]
    geometry = predictor.hyperparameters.geometry
    columns = geometry.batch_width(prepared.shape[1])
    padded = np.zeros((1, prepared.shape[0], columns, *prepared.shape[2:]), np.uint8)
    padded[:] = round(min(max(predictor.hyperparameters.network.input_mean, 0), 255))
    padded[:, :, : prepared.shape[1]] = batch
    found = predictor.log_probabilities(padded, np.array([prepared.shape[1]]))
    return found[: int(predictor.steps([prepared])[0]), 0]


def _name(image: str | Path | Pixels, number: int) -> str:
    return f"image {number}" if isinstance(image, np.ndarray) else os.fspath(image)
