"""What is read of the symbol of MXNet's own example/ctc: into how many time steps it slices its input. No MXNet.

A symbol from outside is data, and is never given to MXNet: some of its operators take an address from an attribute,
or memory without bound. The network is built again from the parameters, so a symbol need not even be loadable here: the
loss of the example (WarpCTC) is in no wheel.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from ctc_ocr.config.architectures import LAST_LAYER
from ctc_ocr.config.schema import MAX_SIZE
from ctc_ocr.errors import InputError

MAX_BYTES = 2**24  # the example's own, of 80 time steps, has half a million
# Of the network below the loss, by all names that versions of MXNet have for them.
OPERATORS = {
    "null", "SliceChannel", "FullyConnected", "Activation", "Concat", "Reshape", "SwapAxis", "transpose", "Dropout",
    "elemwise_add", "_plus", "_Plus", "_add", "_plus_scalar", "_PlusScalar", "elemwise_mul", "_mul", "_Mul",
}  # fmt: skip
SLICES, INPUT = "SliceChannel", "data"
NUMBER = re.compile(r"[1-9]\d{0,5}", re.ASCII)

Node = dict[str, Any]


def example_steps(content: bytes) -> int:
    """The number of time steps of the symbol with this content. Raises InputError if it is not that of the example."""
    nodes = _nodes(content)
    head = next((n for n, node in enumerate(nodes) if node["name"] == LAST_LAYER and node["op"] != "null"), None)
    if head is None:
        raise InputError(f"has no layer {LAST_LAYER}, the one before the loss")
    needed = _needed(nodes, head)
    unknown = sorted({nodes[index]["op"] for index in needed} - OPERATORS)
    if unknown:
        raise InputError(f"has the operator {unknown[0][:40]!r}, which the network of MXNet's example/ctc has not")
    for index in sorted(needed):
        if nodes[index]["op"] == SLICES and any(nodes[n]["name"] == INPUT for n, *_ in nodes[index]["inputs"]):
            return _num_outputs(nodes[index])
    raise InputError(f"does not slice `{INPUT}` into time steps")


def _nodes(content: bytes) -> Sequence[Node]:
    """The nodes of a graph, each with its operator, its name and its inputs [node, output, ...], which come before it
    and have that output."""
    if len(content) > MAX_BYTES:
        raise InputError(f"too large: {len(content):,} bytes; the maximum is {MAX_BYTES:,}")
    try:
        graph = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}") from None
    try:
        outputs: list[int] = []  # of each node
        for node in graph["nodes"]:
            if not (isinstance(node["op"], str) and isinstance(node["name"], str)):
                raise TypeError
            _check_entries(node["inputs"], outputs)
            outputs.append(_num_outputs(node) if node["op"] == SLICES else MAX_SIZE)
        _check_entries(graph["heads"], outputs)
        nodes: Sequence[Node] = graph["nodes"]
    except (KeyError, TypeError, IndexError, AttributeError):
        raise InputError("JSON, but not an MXNet symbol") from None
    return nodes


def _check_entries(entries: Any, outputs: Sequence[int]) -> None:
    """Entries are [node, output] or [node, output, version]. Raises IndexError for a node or output that is not."""
    for entry in entries:
        if not all(type(number) is int for number in entry) or not 2 <= len(entry) <= 3:
            raise IndexError
        if not (0 <= entry[0] < len(outputs) and 0 <= entry[1] < outputs[entry[0]]):
            raise IndexError


def _needed(nodes: Sequence[Node], head: int) -> set[int]:
    """The node `head` and all that it depends on."""
    needed = {head}
    for index in range(head, -1, -1):  # each node comes after its inputs
        if index in needed:
            needed.update(entry[0] for entry in nodes[index]["inputs"])
    return needed


def _num_outputs(node: Node) -> int:
    """The key that a node's attributes are under depends on the version of MXNet that wrote them."""
    attributes = {**node.get("param", {}), **node.get("attr", {}), **node.get("attrs", {})}
    written = attributes.get("num_outputs")
    if not isinstance(written, str) or not NUMBER.fullmatch(written) or int(written) > MAX_SIZE:
        raise InputError(f"{SLICES} has {str(written)[:40]!r} outputs; accepted: 1 to {MAX_SIZE}")
    return int(written)
