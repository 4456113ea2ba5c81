"""Constant folding: what depends on the parameters alone is computed once, and not at every call."""

import json
from collections.abc import Mapping
from typing import Any

from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import MXArray, Symbol

Entry = tuple[int, int]  # a node and one of its outputs


def fold_constants(symbol: Symbol, arguments: Mapping[str, MXArray]) -> tuple[Symbol, dict[str, MXArray]]:
    """An equivalent symbol with fewer nodes, and its arguments {name: array}.

    Every value that depends on `arguments` alone, and is the input of a node that does not, becomes an argument. This
    matters for single images: assembling the flat parameter vector of the RNN operator takes longer than the operator.
    """
    graph = json.loads(symbol.tojson())
    nodes = graph["nodes"]
    constant = _constant(nodes, arguments)
    needed = [entry[:2] for node, known in zip(nodes, constant, strict=True) if not known for entry in node["inputs"]]
    entries = sorted({(n, k) for n, k in needed if constant[n]})
    computed = [entry for entry in entries if nodes[entry[0]]["op"] != "null"]
    names = {(n, k): nodes[n]["name"] for n, k in entries} | {(n, k): f"folded{n}_{k}" for n, k in computed}
    values = {names[entry]: arguments.get(names[entry]) for entry in entries}
    values |= zip((names[entry] for entry in computed), _compute(graph, computed, arguments), strict=True)
    variables = {entry: _variable(name, values[name]) for entry, name in names.items()}
    return mx.sym.load_json(json.dumps(_without(graph, constant, variables))), values


def _variable(name: str, value: MXArray) -> dict[str, Any]:
    return {"op": "null", "name": name, "attrs": {"__shape__": str(value.shape)}, "inputs": []}


def _constant(nodes: list[dict[str, Any]], arguments: Mapping[str, MXArray]) -> list[bool]:
    """For each node, whether it depends on the arguments alone. Operators without inputs (zeros, random numbers) do
    not."""
    constant: list[bool] = []
    for node in nodes:
        inputs = [constant[entry[0]] for entry in node["inputs"]]
        constant.append(node["name"] in arguments if node["op"] == "null" else bool(inputs) and all(inputs))
    return constant


def _compute(graph: dict[str, Any], entries: list[Entry], arguments: Mapping[str, MXArray]) -> list[MXArray]:
    if not entries:
        return []
    part = mx.sym.load_json(json.dumps({**graph, "heads": [[n, k, 0] for n, k in entries]}))
    values: list[MXArray] = part.eval(**{name: arguments[name] for name in part.list_arguments()})
    return values


def _without(graph: dict[str, Any], constant: list[bool], variables: dict[Entry, dict[str, Any]]) -> dict[str, Any]:
    """The graph with these variables in place of its constant nodes."""
    nodes = list(variables.values())
    variable_entries = {entry: [index, 0, 0] for index, entry in enumerate(variables)}

    def renumbered(entries: list[list[int]]) -> list[list[int]]:
        return [variable_entries[n, k] if constant[n] else [new_numbers[n], k, 0] for n, k, *_ in entries]

    new_numbers: dict[int, int] = {}  # {old number: new number}
    for number, node in enumerate(graph["nodes"]):
        if not constant[number]:
            new_numbers[number] = len(nodes)
            nodes.append({**node, "inputs": renumbered(node["inputs"])})
    arg_nodes = [index for index, node in enumerate(nodes) if node["op"] == "null"]
    return {
        "nodes": nodes,
        "arg_nodes": arg_nodes,
        "heads": renumbered(graph["heads"]),
        "attrs": graph.get("attrs", {}),
    }
