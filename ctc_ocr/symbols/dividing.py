"""A graph of this package in two parts, with a layer's output between them."""

import json
from typing import Any

from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Symbol


def divided(symbol: Symbol, layer: str, name: str) -> tuple[Symbol, Symbol]:
    """The graph up to the output of a layer, and the one from there to the first output of `symbol`, whose input is
    called `name`. Batch norm above the layer uses its moving averages in training too: as in reading.

    Raises KeyError if there is no such layer.
    """
    graph = json.loads(symbol.tojson())
    nodes = graph["nodes"]
    places = {node["name"]: index for index, node in enumerate(nodes)}
    below = _cut(graph, places[layer])
    for node in nodes:
        if node["op"] == "BatchNorm":
            node["attrs"]["use_global_stats"] = "True"
    nodes[places[layer]] = {"op": "null", "name": name, "inputs": []}
    return below, _cut(graph, graph["heads"][0][0])


def _cut(graph: dict[str, Any], head: int) -> Symbol:
    """The graph of node `head` and all that it depends on: each node comes after its inputs."""
    nodes, needed = graph["nodes"], {head}
    for index in range(head, -1, -1):
        if index in needed:
            needed.update(entry[0] for entry in nodes[index]["inputs"])
    renumbered = {old: new for new, old in enumerate(sorted(needed))}
    kept = [
        {**nodes[old], "inputs": [[renumbered[entry[0]], *entry[1:]] for entry in nodes[old]["inputs"]]}
        for old in renumbered
    ]
    arguments = [index for index, node in enumerate(kept) if node["op"] == "null"]
    made = {"nodes": kept, "arg_nodes": arguments, "heads": [[renumbered[head], 0, 0]], "attrs": graph["attrs"]}
    return mx.sym.load_json(json.dumps(made))
