"""ONNX files of this package: their content, and what is taken from one of unknown origin.

Such a file is data. Its graph is not run: only the description and the weights are read, each checked, and the graph is
built again from them. So it cannot name an operator, a file or a size that the package would not.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto

from ctc_ocr.errors import InputError
from ctc_ocr.onnx_models.building import build
from ctc_ocr.onnx_models.description import METADATA_KEY, Description
from ctc_ocr.onnx_models.weights import ARCHITECTURES, Weights, expected_shapes
from ctc_ocr.runtime.text_files import read_bytes

MAX_BYTES = 2**30


@dataclass(frozen=True)
class OnnxModel:
    """What an ONNX file of this package consists of."""

    description: Description
    weights: Weights

    def content(self, greedy: bool = False) -> bytes:
        """The bytes of the file, which depend on the model alone. greedy: with an output `codes`, see building."""
        settings, of_example = self.description.model.hyperparameters, self.description.of_example
        graph = build(settings, self.weights, greedy, of_example)
        made = graph.model("ctc_ocr", {METADATA_KEY: self.description.to_json()})
        found: bytes = made.SerializeToString(deterministic=True)
        return found

    @classmethod
    def read(cls, path: str | Path) -> "OnnxModel":
        """Raises InputError for a file that this package has not written."""
        if Path(path).is_file() and Path(path).stat().st_size > MAX_BYTES:
            raise InputError(f"larger than {MAX_BYTES >> 30} GiB", path)
        try:
            model = onnx.ModelProto.FromString(read_bytes(path))
        except DecodeError:
            raise InputError("not an ONNX file", path) from None
        description = _description(model, path)
        settings = description.model.hyperparameters
        if settings.network.architecture not in ARCHITECTURES:
            raise InputError(f"has the architecture {settings.network.architecture}, which no ONNX model has", path)
        shapes = expected_shapes(settings, description.model.alphabet.num_classes)
        return cls(description, _weights(model.graph.initializer, shapes, path))


def _description(model: onnx.ModelProto, path: str | Path) -> Description:
    entries = [each.value for each in model.metadata_props if each.key == METADATA_KEY]
    if len(entries) != 1 or not isinstance(entries[0], str):  # bytes: not UTF-8
        raise InputError("not a model of this package: its metadata does not describe it", path)
    return Description.from_json(entries[0], path)


def _weights(tensors: Iterable[TensorProto], shapes: dict[str, tuple[int, ...]], path: str | Path) -> Weights:
    found: Weights = {}
    for tensor in tensors:
        name = tensor.name
        if name not in shapes:
            continue
        if tensor.data_location == TensorProto.EXTERNAL:
            raise InputError(f"{name} is in another file", path)
        shape, content = tuple(tensor.dims), tensor.raw_data
        if shape != shapes[name] or tensor.data_type != TensorProto.FLOAT or len(content) != 4 * math.prod(shape):
            raise InputError(f"{name} must be float32 of the shape {shapes[name]}", path)
        found[name] = np.frombuffer(content, "<f4").astype(np.float32).reshape(shape)
        if not np.isfinite(found[name]).all():
            raise InputError(f"{name} has values that are not finite numbers", path)
    if missing := [name for name in shapes if name not in found]:
        raise InputError(f"lacks {', '.join(missing)}: not an ONNX file that this package has written", path)
    return {name: found[name] for name in shapes}
