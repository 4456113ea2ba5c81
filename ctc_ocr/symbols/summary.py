"""The layers of a network with their shapes and numbers of parameters, as a table.

MXNet's own mx.viz.print_summary counts no parameters of RNN operators, which are put together in the graph.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from os.path import commonprefix
from typing import Any

from ctc_ocr import symbols
from ctc_ocr.checkpoint import symbol_json
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.runtime.mxnet import mx

Shape = tuple[int, ...]
LAYERS = ("Convolution", "BatchNorm", "Pooling", "Dropout", "RNN", "FullyConnected")
HEAD = ("Layer", "Operator", "Output", "Parameters")


@dataclass(frozen=True)
class Layer:
    """An operator that is known as a layer: its name, what it does, the shape of its output, its own parameters."""

    name: str
    operator: str
    output: Shape
    parameters: dict[str, Shape]

    @property
    def size(self) -> int:
        """Number of values in its parameters."""
        return sum(map(math.prod, self.parameters.values()))


def describe_model(model: Model, batch_size: int = 1) -> str:
    """The table of a model's network, for images of its full size."""
    data = model.hyperparameters.data
    images = (batch_size, data.height, model.hyperparameters.geometry.full_width, *((3,) if data.channels == 3 else ()))
    steps = mx.sym.Variable("steps") if data.keep_ratio else None
    logits = symbols.logits(mx.sym.Variable("data"), model.hyperparameters, model.alphabet.num_classes, steps)
    inputs: dict[str, Shape] = {"data": images, "steps": (batch_size,)}
    taken = logits.list_arguments()  # an LSTM that reads forwards needs no steps
    return describe(logits, {name: shape for name, shape in inputs.items() if name in taken})


def describe(symbol: Any, inputs: Mapping[str, Shape]) -> str:
    """A table of the layers of a symbol, given the shapes of its inputs, with the total of the parameters below."""
    rows = [("data", "input", _text(inputs["data"]), "")]
    found = layers(symbol, inputs)
    rows += [(each.name, each.operator, _text(each.output), f"{each.size:,}") for each in found]
    moving = sum(math.prod(shape) for shape in _auxiliary(symbol, inputs).values())
    total = f"{sum(each.size for each in found):,} parameters"
    if moving:
        total += f", and {moving:,} moving averages of batch norm"
    return "\n".join([*_columns([HEAD, *rows]), total]) + "\n"


def layers(symbol: Any, inputs: Mapping[str, Shape]) -> list[Layer]:
    """The layers of a symbol in the order of the computation, given the shapes of its inputs.

    Operators that share all their parameters, as the steps of an unrolled LSTM do, are one layer: the first of them.
    """
    nodes = symbol_json.parse(symbol.tojson())["nodes"]
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
        own = {name: arguments[name] for name in names if name not in counted}
        if names and not own:
            continue
        counted.update(own)
        found.append(Layer(_name(own), _operator(node), outputs[f"{node['name']}_output"], own))
    return found


def _parameters(nodes: list[dict[str, Any]], node: dict[str, Any]) -> list[str]:
    """Variables that reach a node without passing through another layer."""
    found: dict[str, None] = {}
    left = [entry[0] for entry in node["inputs"]]
    seen = set(left)
    while left:
        source = nodes[left.pop(0)]
        if source["op"] == "null":
            found[source["name"]] = None
        elif source["op"] not in LAYERS:
            fresh = [entry[0] for entry in source["inputs"] if entry[0] not in seen]
            seen.update(fresh)
            left += fresh
    return list(found)


def _name(parameters: Mapping[str, Shape]) -> str:
    """What the names of the parameters have in common; MXNet's own name of an operator is only a number."""
    shared = commonprefix(list(parameters)).rpartition("_")[0]
    return shared or ", ".join(dict.fromkeys(name.partition("_")[0] for name in parameters))


def _operator(node: dict[str, Any]) -> str:
    attributes = symbol_json.attributes(node)
    said = [node["op"]]
    if node["op"] in ("Convolution", "Pooling"):
        said.append("x".join(map(str, json.loads(attributes["kernel"].replace("(", "[").replace(")", "]")))))
        if node["op"] == "Convolution" and attributes.get("stride", "(1, 1)") != "(1, 1)":
            said.append("step " + attributes["stride"].strip("()").replace(", ", "x"))
    elif node["op"] == "RNN":
        said = [attributes["mode"].upper()]
        if int(attributes["num_layers"]) > 1:
            said.append(f"{attributes['num_layers']} layers")
    elif node["op"] == "Dropout":
        said.append(f"{float(attributes['p']):g}")
    return " ".join(said)


def _auxiliary(symbol: Any, inputs: Mapping[str, Shape]) -> dict[str, Shape]:
    _, _, shapes = symbol.infer_shape(**inputs)
    return dict(zip(symbol.list_auxiliary_states(), shapes, strict=True))


def _text(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Lines of a table, the last column to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number == len(widths) - 1 else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
