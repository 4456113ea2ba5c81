"""An ONNX file of unknown origin, checked before ONNX Runtime sees it: it is data, and cannot make the runtime open
other files, load code, or take any amount of memory for its constants."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, TensorProto, numpy_helper

from ctc_ocr.errors import InputError
from ctc_ocr.onnx_models.description import METADATA_KEY, Description
from ctc_ocr.runtime.text_files import read_bytes

MAX_BYTES = 2**30
MAX_NODES = 10_000
MAX_NUMBER = 2**24  # in constants of whole numbers: sizes, axes, pads
OPSETS = range(13, 29)
OPERATORS = {
    "Add", "And", "ArgMax", "Cast", "Clip", "Concat", "Conv", "DequantizeLinear", "Div", "Equal", "Expand", "Gather",
    "Identity", "LSTM", "Less", "LogSoftmax", "MatMul", "Max", "MaxPool", "Mod", "Mul", "Neg", "Not", "Pad",
    "QuantizeLinear", "Range", "ReduceSum", "Relu", "Reshape", "Round", "Shape", "Slice", "Sub", "Transpose",
    "Unsqueeze", "Where",
}  # fmt: skip
ATTRIBUTES = (
    AttributeProto.INT, AttributeProto.INTS, AttributeProto.FLOAT, AttributeProto.FLOATS, AttributeProto.STRING,
)  # fmt: skip


def read_checked(path: str | Path) -> tuple[bytes, Description]:
    """The content of an ONNX file and its description. Raises InputError for one that is not a model of this package,
    or has what such a model has not."""
    if Path(path).is_file() and Path(path).stat().st_size > MAX_BYTES:
        raise InputError(f"larger than {MAX_BYTES >> 30} GiB", path)
    content = read_bytes(path)
    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError:
        raise InputError("not an ONNX file", path) from None
    try:
        description = _checked(model, path)
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise InputError(f"not a valid ONNX model: {str(error).splitlines()[0]}", path) from None
    return content, description


def _checked(model: onnx.ModelProto, path: str | Path) -> Description:
    graph = model.graph
    entries = [each.value for each in model.metadata_props if each.key == METADATA_KEY]
    if len(entries) != 1:
        raise InputError("not a model of this package: its metadata does not describe it", path)
    if [each.domain for each in model.opset_import] != [""] or model.opset_import[0].version not in OPSETS:
        raise InputError("expected the operators of ONNX alone, of opset 13 to 28", path)
    if model.functions or model.training_info or graph.sparse_initializer or graph.quantization_annotation:
        raise InputError("has parts that a model of this package does not have", path)
    if len(graph.node) > MAX_NODES:
        raise InputError(f"has more than {MAX_NODES:,} nodes", path)
    for node in graph.node:
        if node.op_type not in OPERATORS or node.domain:
            raise InputError(f"has the operator {node.op_type!r}, which no model of this package has", path)
        if any(each.type not in ATTRIBUTES or each.ref_attr_name for each in node.attribute):
            raise InputError(f"has an attribute of {node.op_type} that no model of this package has", path)
    _check_constants(graph.initializer, path)
    description = Description.from_json(entries[0], path)
    _check_interface(graph, description, path)
    return description


def _check_constants(constants: Iterable[TensorProto], path: str | Path) -> None:
    for each in constants:
        if each.data_location == TensorProto.EXTERNAL or each.external_data:
            raise InputError(f"its constant {each.name!r} is in another file", path)
        if any(not 0 <= size <= MAX_NUMBER for size in each.dims) or math.prod(each.dims) > MAX_BYTES:
            raise InputError(f"its constant {each.name!r} is too large", path)
        try:
            values = numpy_helper.to_array(each)
        except (ValueError, TypeError, KeyError):
            raise InputError(f"its constant {each.name!r} is broken", path) from None
        if values.dtype.kind == "i" and values.size and np.abs(values.astype(np.float64)).max() > MAX_NUMBER:
            raise InputError(f"its constant {each.name!r} has a number that is too large", path)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise InputError(f"its constant {each.name!r} has values that are not finite numbers", path)


def _check_interface(graph: onnx.GraphProto, description: Description, path: str | Path) -> None:
    keeps_ratio = description.model.hyperparameters.data.keep_ratio
    inputs = ["images", "widths"] if keeps_ratio else ["images"]
    if [each.name for each in graph.input] != inputs:
        raise InputError(f"expected the inputs {' and '.join(inputs)}", path)
    outputs = [each.name for each in graph.output]
    if outputs not in (["log_probs", "steps"], ["log_probs", "steps", "codes"]):
        raise InputError("expected the outputs log_probs, steps and perhaps codes", path)
