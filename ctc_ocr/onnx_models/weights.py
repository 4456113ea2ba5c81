"""The weights of an ONNX model, {name: float32 array, or one in 8 bits}: what is learned, in the form that the graph
takes it.

Of convolution 0: conv0_weight (F, C, K, K) and conv0_bias (F,), with the batch norm folded in. Batch norm after the
ReLU has conv0_norm_scale and conv0_norm_shift, (F, 1, 1) each. Of LSTM layer 0, in one direction or two (D): l0_weight
(D, 4H, I), l0_recurrence (D, 4H, H) and l0_bias (D, 8H), as the ONNX operator has them. Of dense layer 0: dense0_weight
(I, O) and dense0_bias (O,), with the batch norm of the pooling before it folded in. Of the last layer: pred_fc_weight
(H, C) and pred_fc_bias (C,).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.config.architectures import LAST_LAYER
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Network
from ctc_ocr.errors import InputError
from ctc_ocr.onnx_models.quantising import Quantised, is_quantised

Params = Mapping[str, NDArray[Any]]
Floats = dict[str, NDArray[np.float32]]
Weights = dict[str, NDArray[np.float32] | Quantised]
ARCHITECTURES = ("lstm", "crnn", "cnn")
BATCH_NORM_EPSILON = 1e-3  # MXNet's default
GATES = (0, 3, 2, 1)  # ours are in, transform, forget, out; those of ONNX are in, out, forget, transform


def weights_of(hyperparameters: Hyperparameters, params: Params, quantise: bool = False) -> Weights:
    """From the parameters and auxiliary states of an MXNet model, in 8 bits if `quantise`.

    Raises InputError for an architecture that is not built in.
    """
    network = hyperparameters.network
    if network.architecture not in ARCHITECTURES:
        raise InputError(
            f"the architecture {network.architecture} cannot be exported; those that can: {', '.join(ARCHITECTURES)}"
        )
    found: Floats = {}
    for index in range(len(network.features) if network.architecture != "lstm" else 0):
        found |= _convolution(params, f"conv{index}", network.norm_place if network.batch_norm else "none")
    if network.architecture == "cnn":
        found |= _dense(params, network)
    else:
        for index in range(network.num_layers):
            found |= _lstm(params, f"l{index}", directions(hyperparameters, index))
        found |= _rows(params, LAST_LAYER)
    return {name: Quantised.of(name, each) if quantise and is_quantised(name) else each for name, each in found.items()}


def expected_shapes(hyperparameters: Hyperparameters, num_classes: int) -> dict[str, tuple[int, ...]]:
    """{name: shape} of the weights of a network."""
    network, data = hyperparameters.network, hyperparameters.data
    found: dict[str, tuple[int, ...]] = {}
    inputs = data.channels * data.height
    if network.architecture != "lstm":
        found = _shapes_of_convolutions(network, data.channels)
        inputs = network.features[-1] * hyperparameters.geometry.num_rows
    if network.architecture == "cnn":
        width, height = hyperparameters.geometry.map_sizes()[-1]
        inputs = network.features[-1] * (width * height if network.pooling == "flatten" else 1)
        for index, units in enumerate(network.dense):
            found |= {f"dense{index}_weight": (inputs, units), f"dense{index}_bias": (units,)}
            inputs = units
    else:
        units = network.num_hidden
        for index in range(network.num_layers):
            count = len(directions(hyperparameters, index))
            found[f"l{index}_weight"] = (count, 4 * units, inputs)
            found[f"l{index}_recurrence"] = (count, 4 * units, units)
            found[f"l{index}_bias"] = (count, 8 * units)
            inputs = count * units
    return {**found, f"{LAST_LAYER}_weight": (inputs, num_classes), f"{LAST_LAYER}_bias": (num_classes,)}


def _shapes_of_convolutions(network: Network, channels: int) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    maps = channels
    for index, (features, kernel) in enumerate(zip(network.features, network.kernels, strict=True)):
        found[f"conv{index}_weight"] = (features, maps, kernel, kernel)
        found[f"conv{index}_bias"] = (features,)
        if network.batch_norm and network.norm_place == "after":
            found |= {f"conv{index}_norm_{each}": (features, 1, 1) for each in ("scale", "shift")}
        maps = features
    return found


def directions(hyperparameters: Hyperparameters, index: int) -> tuple[str, ...]:
    """The names of the MXNet layers that are LSTM layer `index`: one for each direction."""
    name = f"l{index}"
    return (f"{name}_forward", f"{name}_backward") if hyperparameters.network.architecture == "crnn" else (name,)


def _convolution(params: Params, name: str, norm: str) -> Floats:
    """norm: where its batch norm is, "before" or "after" the ReLU, or "none"."""
    weight = params[f"{name}_weight"].astype(np.float64)
    if norm == "before":
        scale, shift = _norm(params, f"{name}_norm")
        return {
            f"{name}_weight": (weight * scale[:, None, None, None]).astype(np.float32),
            f"{name}_bias": shift.astype(np.float32),
        }
    found = {f"{name}_weight": weight.astype(np.float32), f"{name}_bias": params[f"{name}_bias"].astype(np.float32)}
    if norm == "after":
        values = zip(("scale", "shift"), _norm(params, f"{name}_norm"), strict=True)
        found |= {f"{name}_norm_{each}": value[:, None, None].astype(np.float32) for each, value in values}
    return found


def _norm(params: Params, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a batch norm multiplies by, and then adds: (F,) each."""
    gamma, beta, mean, variance = (
        params[f"{name}_{each}"].astype(np.float64) for each in ("gamma", "beta", "moving_mean", "moving_var")
    )
    scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
    return scale, beta - mean * scale


def _dense(params: Params, network: Network) -> Floats:
    """The dense layers of a cnn; the first one has the batch norm of the pooling in it."""
    names = [*(f"dense{index}" for index in range(len(network.dense))), LAST_LAYER]
    found: Floats = {}
    for name in names:
        found |= _rows(params, name)
    if network.pooling == "average" and network.batch_norm:
        scale, shift = _norm(params, "pool_norm")
        weight, bias = f"{names[0]}_weight", f"{names[0]}_bias"
        found[bias] = (found[bias] + shift @ found[weight]).astype(np.float32)
        found[weight] = (scale[:, None] * found[weight]).astype(np.float32)
    return found


def _rows(params: Params, name: str) -> Floats:
    """A dense layer, whose weights (O, I) become (I, O)."""
    return {
        f"{name}_weight": np.ascontiguousarray(params[f"{name}_weight"].T, np.float32),
        f"{name}_bias": params[f"{name}_bias"].astype(np.float32),
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
