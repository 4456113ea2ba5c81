"""Computing once what a graph would compute of its parameters alone at every call."""

import json
from collections.abc import Mapping
from typing import Any

from ctc_ocr.runtime.mxnet import mx

Entry = tuple[int, int]  # a node and one of its outputs


def fold_constants(symbol: Any, arguments: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The same function with fewer nodes: (symbol, arguments), both new.

    Every value that follows from `arguments` (name -> NDArray) alone, and that other nodes take, is computed now and
    becomes an argument itself. For one image this counts: to put together the RNN operator's flat vector costs more
    than to run it.
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


def _variable(name: str, value: Any) -> dict[str, Any]:
    return {"op": "null", "name": name, "attrs": {"__shape__": str(value.shape)}, "inputs": []}


def _constant(nodes: list[dict[str, Any]], arguments: Mapping[str, Any]) -> list[bool]:
    """Of each node, whether it follows from the arguments alone. Sources of other numbers (zeros, dice) do not."""
    constant: list[bool] = []
    for node in nodes:
        inputs = [constant[entry[0]] for entry in node["inputs"]]
        constant.append(node["name"] in arguments if node["op"] == "null" else bool(inputs) and all(inputs))
    return constant


def _compute(graph: dict[str, Any], entries: list[Entry], arguments: Mapping[str, Any]) -> list[Any]:
    if not entries:
        return []
    part = mx.sym.load_json(json.dumps({**graph, "heads": [[n, k, 0] for n, k in entries]}))
    values: list[Any] = part.eval(**{name: arguments[name] for name in part.list_arguments()})
    return values


def _without(graph: dict[str, Any], constant: list[bool], variables: dict[Entry, Any]) -> dict[str, Any]:
    """The graph with these variables in the place of its constant entries."""
    nodes = list(variables.values())
    places = {entry: [index, 0, 0] for index, entry in enumerate(variables)}

    def moved(entries: list[list[int]]) -> list[list[int]]:
        return [places[n, k] if constant[n] else [moved_to[n], k, 0] for n, k, *_ in entries]

    moved_to: dict[int, int] = {}  # old number -> new number
    for number, node in enumerate(graph["nodes"]):
        if not constant[number]:
            moved_to[number] = len(nodes)
            nodes.append({**node, "inputs": moved(node["inputs"])})
    arg_nodes = [index for index, node in enumerate(nodes) if node["op"] == "null"]
    return {"nodes": nodes, "arg_nodes": arg_nodes, "heads": moved(graph["heads"]), "attrs": graph.get("attrs", {})}
