"""ONNX files of this package: their content, and what is taken from one of unknown origin.

Such a file is data. Its graph is not run: only the description and the weights are read, each checked, and the graph is
built again from them. So it cannot name an operator, a file or a size that the package would not.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto

from ctc_ocr.errors import InputError
from ctc_ocr.onnx_models.building import build
from ctc_ocr.onnx_models.description import METADATA_KEY, Description
from ctc_ocr.onnx_models.quantising import LEVELS, SCALE, Quantised, is_quantised, scale_shape
from ctc_ocr.onnx_models.weights import ARCHITECTURES, Weights, expected_shapes
from ctc_ocr.runtime.input_files import read_bytes

MAX_BYTES = 2**30
DTYPES: dict[int, np.dtype[Any]] = {TensorProto.FLOAT: np.dtype("<f4"), TensorProto.INT8: np.dtype("i1")}


@dataclass(frozen=True)
class OnnxModel:
    """What an ONNX file of this package consists of."""

    description: Description
    weights: Weights

    def content(self, greedy: bool = False) -> bytes:
        """The bytes of the file, which depend on the model alone. greedy: with an output `codes`, see building."""
        settings, of_example = self.description.model.hyperparameters, self.description.of_example
        graph = build(settings, self.weights, self.description.model.alphabet.num_classes, greedy, of_example)
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
        return cls(description, _weights(model.graph.initializer, shapes, description.quantised, path))


def _description(model: onnx.ModelProto, path: str | Path) -> Description:
    entries = [each.value for each in model.metadata_props if each.key == METADATA_KEY]
    if len(entries) != 1 or not isinstance(entries[0], str):  # bytes: not UTF-8
        raise InputError("not a model of this package: its metadata does not describe it", path)
    return Description.from_json(entries[0], path)


def _weights(
    tensors: Iterable[TensorProto], shapes: dict[str, tuple[int, ...]], quantised: bool, path: str | Path
) -> Weights:
    """The weights of these shapes, float32, or in 8 bits those that then are."""
    in_parts = [name for name in shapes if quantised and is_quantised(name)]
    expected = {name: (TensorProto.FLOAT, shape) for name, shape in shapes.items() if name not in in_parts}
    for name in in_parts:
        expected[name + LEVELS] = (TensorProto.INT8, shapes[name])
        expected[name + SCALE] = (TensorProto.FLOAT, scale_shape(name, shapes[name]))
    found = {each.name: _array(each, *expected[each.name], path) for each in tensors if each.name in expected}
    if missing := [name for name in expected if name not in found]:
        raise InputError(f"lacks {', '.join(missing)}: not an ONNX file that this package has written", path)
    return {
        name: Quantised(found[name + LEVELS], found[name + SCALE]) if name in in_parts else found[name]
        for name in shapes
    }


def _array(tensor: TensorProto, dtype: int, wanted: tuple[int, ...], path: str | Path) -> NDArray[Any]:
    """A tensor's values, of a type in DTYPES and a shape that are given."""
    if tensor.data_location == TensorProto.EXTERNAL:
        raise InputError(f"{tensor.name} is in another file", path)
    of_file, shape, content = DTYPES[dtype], tuple(tensor.dims), tensor.raw_data
    if shape != wanted or tensor.data_type != dtype or len(content) != of_file.itemsize * math.prod(shape):
        raise InputError(f"{tensor.name} must be {of_file.name} of the shape {wanted}", path)
    found: NDArray[Any] = np.frombuffer(content, of_file).astype(of_file.newbyteorder("=")).reshape(shape)
    if not np.isfinite(found).all():
        raise InputError(f"{tensor.name} has values that are not finite numbers", path)
    return found
