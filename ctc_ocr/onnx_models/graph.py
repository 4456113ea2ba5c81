"""A graph in the making: nodes and constants are added one by one, and values are known by their names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ctc_ocr.onnx_models.quantising import LEVELS, SCALE, Quantised
from ctc_ocr.version import __version__

OPSET = 17
IR_VERSION = 8  # the one that came with this opset: older runtimes refuse newer ones

Value = str
Dimension = int | str  # a number, or the name of one that is free


class Graph:
    """Values are named after their operators: `Conv_3`."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._names: dict[tuple[Any, ...], Value] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: int, shape: Sequence[Dimension]) -> Value:
        """An input of the graph; dtype is one of TensorProto."""
        self._inputs.append(helper.make_tensor_value_info(name, dtype, list(shape)))
        return name

    def output(self, value: Value, name: str, dtype: int, shape: Sequence[Dimension]) -> None:
        """A value becomes an output of the graph."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, dtype, list(shape)))

    def constant(self, value: NDArray[Any] | Sequence[int] | float | np.float32, dtype: Any = None) -> Value:
        """A constant tensor; without dtype, integers are int64 and other numbers float32. Equal ones are one."""
        array = np.asarray(value, dtype)
        if dtype is None and array.dtype.kind == "f":
            array = array.astype(np.float32)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._names:
            name = f"constant_{len(self._names)}"
            self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
            self._names[key] = name
        return self._names[key]

    def weight(self, name: str, value: NDArray[np.float32]) -> None:
        """A constant of this name."""
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))

    def quantised_weight(self, name: str, value: Quantised) -> None:
        """A value of this name, of two constants. Runtimes compute it once, when they load the model."""
        levels, scale = f"{name}{LEVELS}", f"{name}{SCALE}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value.levels), levels))
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value.scale), scale))
        self._nodes.append(helper.make_node("Mul", [self.cast(levels, FLOAT), scale], [name]))

    def add(self, operator: str, *inputs: Value, outputs: int = 1, **attributes: Any) -> Value:
        """A node; returns its first output. An empty name is an input that is left out."""
        names = [f"{operator}_{len(self._nodes)}" + (f"_{number}" if number else "") for number in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0]

    def cast(self, value: Value, dtype: int) -> Value:
        return self.add("Cast", value, to=dtype)

    def model(self, name: str, metadata: dict[str, str]) -> onnx.ModelProto:
        """The whole of it."""
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, self._constants)
        made = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="ctc_ocr",
            producer_version=__version__,
        )
        helper.set_model_props(made, metadata)
        return made


FLOAT, UINT8, INT64, INT32, BOOL = (
    TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL,
)  # fmt: skip
