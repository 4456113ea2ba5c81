"""The layers of the built-in networks as ONNX nodes. Their weights are constants of the graph, by their names."""

from ctc_ocr.config.architectures import LAST_LAYER
from ctc_ocr.config.sections import Network
from ctc_ocr.onnx_models.graph import Graph, Value


def block(graph: Graph, maps: Value, network: Network, index: int) -> Value:
    """Convolution number `index` with its batch norm, max pooling and ReLU: see ctc_ocr.symbols.crnn.block."""
    kernel, stride, given = network.kernels[index], network.strides[index], maps
    maps = graph.add(
        "Conv", maps, f"conv{index}_weight", f"conv{index}_bias",
        kernel_shape=[kernel, kernel], strides=[stride, stride], pads=[kernel // 2] * 4,
    )  # fmt: skip
    pool = [network.pool_heights[index], network.pool_widths[index]]
    if pool != [1, 1]:
        maps = graph.add("MaxPool", maps, kernel_shape=pool, strides=pool)
    if network.adds_input(index):
        maps = graph.add("Add", maps, given)
    maps = graph.add("Relu", maps)
    if network.batch_norm and network.norm_place == "after":
        maps = graph.add("Add", graph.add("Mul", maps, f"conv{index}_norm_scale"), f"conv{index}_norm_shift")
    return maps


def dense(graph: Graph, hidden: Value, name: str) -> Value:
    """(..., O) of (..., I), without an activation."""
    return graph.add("Add", graph.add("MatMul", hidden, f"{name}_weight"), f"{name}_bias")


def lstm(graph: Graph, columns: Value, name: str, units: int, directions: int, steps: Value | None) -> Value:
    """Hidden states (T, N, directions * units) of columns (T, N, I): forward alone, or forward and backward.

    `steps` (N,) int32: the backward direction starts at an image's own last one.
    """
    hidden = graph.add(
        "LSTM", columns, f"{name}_weight", f"{name}_recurrence", f"{name}_bias", steps or "",
        direction="bidirectional" if directions == 2 else "forward", hidden_size=units,
    )  # (T, directions, N, units)  # fmt: skip
    in_order = graph.add("Transpose", hidden, perm=[0, 2, 1, 3])
    return graph.add("Reshape", in_order, graph.constant([0, 0, directions * units]))


def classify(graph: Graph, hidden: Value) -> Value:
    """Log probabilities (T, N, C) of hidden states (T, N, H)."""
    return graph.add("LogSoftmax", dense(graph, hidden, LAST_LAYER), axis=-1)
