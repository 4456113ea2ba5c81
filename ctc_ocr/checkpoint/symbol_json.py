"""Symbols in MXNet's JSON, checked and cut before MXNet loads them. No MXNet here.

MXNet rejects a symbol with one operator that it does not know (WarpCTC, which no wheel has, or a Custom operator that
is not registered), although inference does not need the loss.
"""

import json
from typing import Any

from ctc_ocr.errors import InputError

Graph = dict[str, Any]


def parse(text: str | bytes) -> Graph:
    """The graph of a symbol's JSON. Raises InputError if it is not one, or if a node comes before one of its inputs."""
    try:
        graph: Graph = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}") from None
    try:
        nodes, heads = graph["nodes"], graph["heads"]
        for index, node in enumerate(nodes):
            if not (isinstance(node["op"], str) and isinstance(node["name"], str)):
                raise TypeError
            _check_entries(node["inputs"], index)
        _check_entries(heads, len(nodes))
    except (KeyError, TypeError, IndexError, AttributeError):
        raise InputError("JSON, but not an MXNet symbol") from None
    return graph


def _check_entries(entries: Any, end: int) -> None:
    """Entries are [node, output] or [node, output, version]; nodes must be below `end`."""
    for entry in entries:
        if not all(type(number) is int for number in entry) or not 0 <= entry[0] < end or entry[1] < 0:
            raise IndexError


def find(graph: Graph, name: str) -> int | None:
    """The index of the operator of this name; None if there is none."""
    operators = (i for i, node in enumerate(graph["nodes"]) if node["name"] == name and node["op"] != "null")
    return next(operators, None)


def cut(graph: Graph, head: int) -> Graph:
    """The graph of node `head` and all that it depends on; its only output is the first one of `head`."""
    nodes = graph["nodes"]
    needed = {head}
    for index in range(head, -1, -1):  # each node comes after its inputs
        if index in needed:
            needed.update(entry[0] for entry in nodes[index]["inputs"])
    renumbered = {old: new for new, old in enumerate(sorted(needed))}
    kept = [
        {**nodes[old], "inputs": [[renumbered[entry[0]], *entry[1:]] for entry in nodes[old]["inputs"]]}
        for old in renumbered
    ]
    return {
        "nodes": kept,
        "arg_nodes": [index for index, node in enumerate(kept) if node["op"] == "null"],
        "heads": [[renumbered[head], 0, 0]],
        "attrs": graph.get("attrs", {}),
    }


def attributes(node: dict[str, Any]) -> dict[str, str]:
    """A node's attributes; the key that they are under depends on the version of MXNet that wrote them."""
    return {**node.get("param", {}), **node.get("attr", {}), **node.get("attrs", {})}
