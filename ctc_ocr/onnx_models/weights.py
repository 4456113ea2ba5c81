"""The weights of an ONNX model, {name: float32 array, or one in 8 bits}: what is learned, in the form that the graph
takes it.

Of convolution 0: conv0_weight (F, C, K, K) and conv0_bias (F,), with the batch norm folded in. Of LSTM layer 0, in one
direction or two (D): l0_weight (D, 4H, I), l0_recurrence (D, 4H, H) and l0_bias (D, 8H), as the ONNX operator has them.
Of the last layer: pred_fc_weight (H, C) and pred_fc_bias (C,).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.config.architectures import LAST_LAYER
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.errors import InputError
from ctc_ocr.onnx_models.quantising import Quantised, is_quantised

Params = Mapping[str, NDArray[Any]]
Floats = dict[str, NDArray[np.float32]]
Weights = dict[str, NDArray[np.float32] | Quantised]
ARCHITECTURES = ("lstm", "crnn")
BATCH_NORM_EPSILON = 1e-3  # MXNet's default
GATES = (0, 3, 2, 1)  # ours are in, transform, forget, out; those of ONNX are in, out, forget, transform


def weights_of(hyperparameters: Hyperparameters, params: Params, quantise: bool = False) -> Weights:
    """From the parameters and auxiliary states of an MXNet model, in 8 bits if `quantise`.

    Raises InputError for an architecture that is not built in.
    """
    network = hyperparameters.network
    if network.architecture not in ARCHITECTURES:
        raise InputError(
            f"the architecture {network.architecture} cannot be exported; {' and '.join(ARCHITECTURES)} can"
        )
    found: Floats = {}
    if network.architecture == "crnn":
        for index in range(len(network.features)):
            found |= _convolution(params, f"conv{index}", network.batch_norm)
    for index in range(network.num_layers):
        found |= _lstm(params, f"l{index}", directions(hyperparameters, index))
    found[f"{LAST_LAYER}_weight"] = np.ascontiguousarray(params[f"{LAST_LAYER}_weight"].T, np.float32)
    found[f"{LAST_LAYER}_bias"] = params[f"{LAST_LAYER}_bias"].astype(np.float32)
    return {name: Quantised.of(name, each) if quantise and is_quantised(name) else each for name, each in found.items()}


def expected_shapes(hyperparameters: Hyperparameters, num_classes: int) -> dict[str, tuple[int, ...]]:
    """{name: shape} of the weights of a network."""
    network, data = hyperparameters.network, hyperparameters.data
    found: dict[str, tuple[int, ...]] = {}
    inputs = data.channels * data.height
    if network.architecture == "crnn":
        maps = data.channels
        for index, (features, kernel) in enumerate(zip(network.features, network.kernels, strict=True)):
            found[f"conv{index}_weight"] = (features, maps, kernel, kernel)
            found[f"conv{index}_bias"] = (features,)
            maps = features
        inputs = maps * hyperparameters.geometry.num_rows
    units = network.num_hidden
    for index in range(network.num_layers):
        count = len(directions(hyperparameters, index))
        found[f"l{index}_weight"] = (count, 4 * units, inputs)
        found[f"l{index}_recurrence"] = (count, 4 * units, units)
        found[f"l{index}_bias"] = (count, 8 * units)
        inputs = count * units
    return {**found, f"{LAST_LAYER}_weight": (inputs, num_classes), f"{LAST_LAYER}_bias": (num_classes,)}


def directions(hyperparameters: Hyperparameters, index: int) -> tuple[str, ...]:
    """The names of the MXNet layers that are LSTM layer `index`: one for each direction."""
    name = f"l{index}"
    return (f"{name}_forward", f"{name}_backward") if hyperparameters.network.architecture == "crnn" else (name,)


def _convolution(params: Params, name: str, batch_norm: bool) -> Floats:
    weight = params[f"{name}_weight"].astype(np.float64)
    if not batch_norm:
        return {f"{name}_weight": weight.astype(np.float32), f"{name}_bias": params[f"{name}_bias"].astype(np.float32)}
    gamma, beta, mean, variance = (
        params[f"{name}_norm_{each}"].astype(np.float64) for each in ("gamma", "beta", "moving_mean", "moving_var")
    )
    scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
    return {
        f"{name}_weight": (weight * scale[:, None, None, None]).astype(np.float32),
        f"{name}_bias": (beta - mean * scale).astype(np.float32),
    }


def _lstm(params: Params, name: str, layers: tuple[str, ...]) -> Floats:
    biases = [np.concatenate([_gates(params[f"{each}_{kind}_bias"]) for kind in ("i2h", "h2h")]) for each in layers]
    return {
        f"{name}_weight": np.stack([_gates(params[f"{each}_i2h_weight"]) for each in layers]),
        f"{name}_recurrence": np.stack([_gates(params[f"{each}_h2h_weight"]) for each in layers]),
        f"{name}_bias": np.stack(biases),
    }


def _gates(parameter: NDArray[Any]) -> NDArray[np.float32]:
    """Rows (4H, ...) with their four gates in ONNX's order."""
    gates = np.split(parameter.astype(np.float32), 4)
    return np.concatenate([gates[number] for number in GATES])
