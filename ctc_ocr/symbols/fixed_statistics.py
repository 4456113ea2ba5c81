"""Batch norm that normalises by its moving averages in training, too."""

import json
from collections.abc import Collection

from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Symbol


def with_fixed_statistics(symbol: Symbol, parameters: Collection[str]) -> Symbol:
    """The same graph, in which the batch norms whose gamma is among these parameters use their moving averages, and
    leave them as they are."""
    graph = json.loads(symbol.tojson())
    for node in graph["nodes"]:
        if node["op"] == "BatchNorm" and graph["nodes"][node["inputs"][1][0]]["name"] in parameters:
            node["attrs"]["use_global_stats"] = "True"
    return mx.sym.load_json(json.dumps(graph))
