"""The layers of the built-in networks as ONNX nodes, from their parameters by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.config.architectures import LAST_LAYER
from ctc_ocr.config.sections import Network
from ctc_ocr.onnx_models.graph import Graph, Value

Params = Mapping[str, NDArray[Any]]
BATCH_NORM_EPSILON = 1e-3  # MXNet's default
GATES = (0, 3, 2, 1)  # ours are in, transform, forget, out; those of ONNX are in, out, forget, transform


def block(graph: Graph, maps: Value, params: Params, network: Network, index: int) -> Value:
    """Convolution number `index`, its batch norm folded in, max pooling and ReLU: see ctc_ocr.symbols.crnn.block."""
    weight, bias = _folded(params, network, index)
    pad, stride = network.kernels[index] // 2, network.strides[index]
    maps = graph.add(
        "Conv", maps, graph.constant(weight), graph.constant(bias),
        kernel_shape=weight.shape[2:], strides=[stride, stride], pads=[pad] * 4,
    )  # fmt: skip
    pool = [network.pool_heights[index], network.pool_widths[index]]
    if pool != [1, 1]:
        maps = graph.add("MaxPool", maps, kernel_shape=pool, strides=pool)
    return graph.add("Relu", maps)


def _folded(params: Params, network: Network, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight (F, C, K, K) and bias (F,) of a convolution and its batch norm."""
    name = f"conv{index}"
    weight = params[f"{name}_weight"].astype(np.float64)
    if not network.batch_norm:
        return weight.astype(np.float32), params[f"{name}_bias"].astype(np.float32)
    gamma, beta, mean, variance = (
        params[f"{name}_norm_{each}"].astype(np.float64) for each in ("gamma", "beta", "moving_mean", "moving_var")
    )
    scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
    return (weight * scale[:, None, None, None]).astype(np.float32), (beta - mean * scale).astype(np.float32)


def lstm(graph: Graph, columns: Value, params: Params, names: list[str], steps: Value | None) -> Value:
    """Hidden states (T, N, D * H) of columns (T, N, I): one direction, forward, or two, by the names of their layers.

    `steps` (N,) int32: the backward direction starts at an image's own last one.
    """
    weights = [np.stack([_gates(params[f"{name}_{kind}_weight"]) for name in names]) for kind in ("i2h", "h2h")]
    biases = np.stack(
        [np.concatenate([_gates(params[f"{name}_{kind}_bias"]) for kind in ("i2h", "h2h")]) for name in names]
    )
    hidden = graph.add(
        "LSTM", columns, *map(graph.constant, weights), graph.constant(biases), steps or "",
        direction="bidirectional" if len(names) == 2 else "forward", hidden_size=weights[1].shape[2],
    )  # fmt: skip
    # (T, D, N, H)
    return graph.add(
        "Reshape", graph.add("Transpose", hidden, perm=[0, 2, 1, 3]),
        graph.constant([0, 0, len(names) * weights[1].shape[2]]),
    )  # fmt: skip


def _gates(parameter: NDArray[Any]) -> NDArray[np.float32]:
    """Rows (4H, ...) with their four gates in ONNX's order."""
    gates = np.split(parameter.astype(np.float32), 4)
    return np.concatenate([gates[number] for number in GATES])


def classify(graph: Graph, hidden: Value, params: Params) -> Value:
    """Log probabilities (T, N, C) of hidden states (T, N, H)."""
    weight = np.ascontiguousarray(params[f"{LAST_LAYER}_weight"].T)
    logits = graph.add("MatMul", hidden, graph.constant(weight))
    return graph.add("LogSoftmax", graph.add("Add", logits, graph.constant(params[f"{LAST_LAYER}_bias"])), axis=-1)
