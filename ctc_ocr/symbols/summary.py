"""The layers of a network as a table, with the shapes of their outputs and their numbers of parameters.

MXNet's own mx.viz.print_summary counts no parameters of RNN operators, which are put together in the graph.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os.path import commonprefix
from typing import Any

from ctc_ocr import symbols
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Symbol
from ctc_ocr.symbols.contract import check_contract

Shape = tuple[int, ...]
Node = dict[str, Any]  # of a symbol's JSON: op, name, attrs, inputs as [node, output, version]
LAYERS = ("Convolution", "BatchNorm", "Pooling", "Dropout", "RNN", "FullyConnected")
HEADER = ("Layer", "Operator", "Output", "Parameters")


@dataclass(frozen=True)
class Layer:
    """An operator of LAYERS: its name, the operator with its settings, its output's shape, its parameters' shapes."""

    name: str
    operator: str
    output: Shape
    parameters: dict[str, Shape]

    @property
    def size(self) -> int:
        """Number of values in its parameters."""
        return sum(map(math.prod, self.parameters.values()))


def describe_network(hyperparameters: Hyperparameters, num_classes: int, batch_size: int = 1) -> str:
    """The table of a network, for images of the full size."""
    data = hyperparameters.data
    colours = (3,) if data.channels == 3 else ()
    inputs: dict[str, Shape] = {
        "data": (batch_size, data.height, hyperparameters.geometry.full_width, *colours),
        "steps": (batch_size,),
    }
    steps = mx.sym.Variable("steps") if data.keep_ratio else None
    logits = symbols.logits(mx.sym.Variable("data"), hyperparameters, num_classes, steps)
    check_contract(logits, hyperparameters, num_classes)
    arguments = logits.list_arguments()  # not every architecture has the input `steps`
    return describe(logits, {name: shape for name, shape in inputs.items() if name in arguments})


def describe(symbol: Symbol, inputs: Mapping[str, Shape]) -> str:
    """A table of the layers of a symbol, and the total of its parameters, given the shapes of its inputs."""
    found = layers(symbol, inputs)
    rows = [HEADER, ("data", "input", _format_shape(inputs["data"]), "")]
    rows += [(each.name, each.operator, _format_shape(each.output), f"{each.size:,}") for each in found]
    total = f"{sum(each.size for each in found):,} parameters"
    _, _, auxiliary_shapes = symbol.infer_shape(**inputs)
    if averages := sum(map(math.prod, auxiliary_shapes)):
        total += f", and {averages:,} moving averages of batch norm"
    return "\n".join([*_align(rows), total]) + "\n"


def layers(symbol: Symbol, inputs: Mapping[str, Shape]) -> list[Layer]:
    """The layers of a symbol in the order of the computation, given the shapes of its inputs.

    Operators with the same parameters, such as the time steps of an unrolled LSTM, are one layer: the first of them.
    """
    nodes: list[Node] = json.loads(symbol.tojson())["nodes"]
    shapes, _, _ = symbol.infer_shape(**inputs)
    arguments = dict(zip(symbol.list_arguments(), shapes, strict=True))
    internals = symbol.get_internals()
    _, output_shapes, _ = internals.infer_shape(**inputs)
    outputs = dict(zip(internals.list_outputs(), output_shapes, strict=True))
    found, counted = list[Layer](), set[str]()
    for node in nodes:
        if node["op"] not in LAYERS:
            continue
        names = [name for name in _parameters(nodes, node) if name in arguments and name not in inputs]
        new = {name: arguments[name] for name in names if name not in counted}
        if names and not new:
            continue
        counted.update(new)
        found.append(Layer(_name(new), _operator(node), outputs[f"{node['name']}_output"], new))
    return found


def _parameters(nodes: list[Node], node: Node) -> list[str]:
    """Variables from which a path leads to a node without another layer on it."""
    found: dict[str, None] = {}
    left = [entry[0] for entry in node["inputs"]]
    seen = set(left)
    while left:
        source = nodes[left.pop(0)]
        if source["op"] == "null":
            found[source["name"]] = None
        elif source["op"] not in LAYERS:
            new = [entry[0] for entry in source["inputs"] if entry[0] not in seen]
            seen.update(new)
            left += new
    return list(found)


def _name(parameters: Mapping[str, Shape]) -> str:
    """The common prefix of the parameters' names; the operator's own name may be only a number."""
    prefix = commonprefix(list(parameters)).rpartition("_")[0]
    return prefix or ", ".join(dict.fromkeys(name.partition("_")[0] for name in parameters))


def _operator(node: Node) -> str:
    """The operator with its main settings, such as "Convolution 3x3 stride 2x2"."""
    operator: str = node["op"]
    attributes: dict[str, str] = node.get("attrs", {})
    if operator == "Convolution":
        stride = _sizes(attributes.get("stride", ""))
        shown = f" stride {'x'.join(stride)}" if set(stride) - {"1"} else ""
        return f"Convolution {'x'.join(_sizes(attributes['kernel']))}{shown}"
    if operator == "Pooling":
        return f"Pooling {'x'.join(_sizes(attributes.get('kernel', ''))) or 'global'}"
    if operator == "Dropout":
        return f"Dropout {float(attributes['p']):g}"
    if operator == "RNN":
        number = int(attributes["num_layers"])
        return attributes["mode"].upper() + (f" {number} layers" if number > 1 else "")
    return operator


def _sizes(attribute: str) -> list[str]:
    """The numbers in an attribute such as "(3, 5)"."""
    return re.findall(r"\d+", attribute)


def _format_shape(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: columns aligned left, the last one right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    form = "  ".join([*(f"{{:<{width}}}" for width in widths[:-1]), f"{{:>{widths[-1]}}}"])
    return [form.format(*row).rstrip() for row in rows]
