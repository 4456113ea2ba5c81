"""Small models with random parameters, and the same networks in plain NumPy."""

import json
from dataclasses import fields

import numpy as np

from ctc_ocr import losses, symbols
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import description, model_files
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Data, Network
from ctc_ocr.evaluation.calibration_choice import CalibrationChoice, ConfidenceFigures
from ctc_ocr.runtime.mxnet import mx

LAYERS = 2


def lstm_parameters(rng, inputs, hidden, classes, scale=1.0):
    """{name: float32 array} of two LSTM layers and pred_fc; the larger the scale, the less alike the readings."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(LAYERS):
        shapes[f"l{layer}_i2h_weight"] = (4 * hidden, inputs if layer == 0 else hidden)
        shapes[f"l{layer}_i2h_bias"] = (4 * hidden,)
        shapes[f"l{layer}_h2h_weight"] = (4 * hidden, hidden)
        shapes[f"l{layer}_h2h_bias"] = (4 * hidden,)
    shapes |= {"pred_fc_weight": (classes, hidden), "pred_fc_bias": (classes,)}
    return {name: rng.normal(scale=scale, size=shape).astype(np.float32) for name, shape in shapes.items()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_layer(sequence, w_x, b_x, w_h, b_h):
    """(T, N, I) -> hidden states (T, N, H) float64, by the LSTM's equations; gates: in, transform, forget, out."""
    hidden = cell = np.zeros((sequence.shape[1], w_h.shape[1]))
    outputs = []
    for x in sequence.astype(np.float64):
        gates = x @ w_x.T + b_x + hidden @ w_h.T + b_h
        enter, transform, forget, leave = np.split(gates, 4, axis=1)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(transform)
        hidden = sigmoid(leave) * np.tanh(cell)
        outputs.append(hidden)
    return np.stack(outputs)


def numpy_logits(columns, params):
    """(T, N, I) -> (T, N, C) float64: LAYERS LSTM layers and the last one."""
    sequence = columns
    for layer in range(LAYERS):
        names = ("i2h_weight", "i2h_bias", "h2h_weight", "h2h_bias")
        sequence = numpy_layer(sequence, *(params[f"l{layer}_{name}"] for name in names))
    return sequence @ params["pred_fc_weight"].T + params["pred_fc_bias"]


def chosen(calibration):
    """What a run stores of a calibration that helped."""
    return CalibrationChoice(calibration, 100, ConfidenceFigures(0.3, 0.1), ConfidenceFigures(0.2, 0.05))


def to_mx(params):
    return {name: mx.nd.array(array, dtype=array.dtype) for name, array in params.items()}


def save_own_model(
    prefix,
    alphabet="0123456789",
    width=16,
    height=10,
    hidden=6,
    lstm_graph="unrolled",
    epoch=1,
    seed=0,
    keep_ratio=False,
):
    """A checkpoint of this package, its loss attached. Returns hyperparameters and parameters."""
    hyperparameters = Hyperparameters(
        data=Data(alphabet=alphabet, min_length=1, max_length=2, width=width, height=height, keep_ratio=keep_ratio),
        network=Network(num_layers=LAYERS, num_hidden=hidden, lstm_graph=lstm_graph),
    )
    model = description.Model(hyperparameters, Alphabet(tuple(alphabet)))
    steps = mx.sym.Variable("steps") if keep_ratio else None
    logits = symbols.logits(mx.sym.Variable("data"), hyperparameters, model.alphabet.num_classes, steps)
    symbol = losses.attach("ctc", logits, mx.sym.Variable("label"), steps)
    params = lstm_parameters(np.random.default_rng(seed), height, hidden, model.alphabet.num_classes)
    model_files.save(prefix, epoch, symbol, to_mx(params), {}, model)
    return hyperparameters, params


def save_example_model(prefix, loss, width=80, height=30, hidden=100, seed=0, epoch=1, classes=11):
    """A checkpoint laid out as MXNet's example/ctc leaves them, whose loss is ctc, WarpCTC or Custom."""
    logits = _example_logits(width, hidden, classes)
    label = mx.sym.Variable("label")
    if loss == "ctc":
        steps_first = mx.sym.reshape(logits, shape=(-4, width, -1, 0))
        made = mx.sym.make_loss(mx.sym.contrib.ctc_loss(steps_first, label))
        softmax = mx.sym.BlockGrad(mx.sym.make_loss(mx.sym.SoftmaxActivation(logits)))
        text = mx.sym.Group([softmax, made]).tojson()
    else:
        # Operators that this MXNet lacks can only be written by hand.
        graph = json.loads(mx.sym.Group([logits, mx.sym.reshape(label, shape=(-1,))]).tojson())
        attributes = {
            "WarpCTC": {"input_length": str(width), "label_length": "4"},
            "Custom": {"op_type": "a_loss_of_another_program"},
        }
        node = {"op": loss, "name": "loss", "attrs": attributes[loss], "inputs": graph["heads"]}
        graph["nodes"].append(node)
        graph["heads"] = [[len(graph["nodes"]) - 1, 0, 0]]
        graph["node_row_ptr"].append(graph["node_row_ptr"][-1] + 1)
        text = json.dumps(graph)
    params = lstm_parameters(np.random.default_rng(seed), height, hidden, classes, scale=0.2)
    with open(f"{prefix}-symbol.json", "w") as file:  # noqa: PTH123
        file.write(text)
    mx.nd.save(f"{prefix}-{epoch:04d}.params", to_mx({f"arg:{name}": array for name, array in params.items()}))
    return params


def _example_logits(num_steps, hidden, classes):
    """(T * N, classes), time-major: every step has its own nodes, the weights are shared, the states are inputs."""
    weights = {
        f"l{layer}_{name}": mx.sym.Variable(f"l{layer}_{name}")
        for layer in range(LAYERS)
        for name in ("i2h_weight", "i2h_bias", "h2h_weight", "h2h_bias")
    }
    states = [tuple(mx.sym.Variable(f"l{layer}_init_{kind}") for kind in "ch") for layer in range(LAYERS)]
    columns = mx.sym.SliceChannel(mx.sym.Variable("data"), num_outputs=num_steps, squeeze_axis=1)
    outputs = []
    for step in range(num_steps):
        below = columns[step]
        for layer in range(LAYERS):
            cell, output = states[layer]
            gates = 0
            for source, name in ((below, "i2h"), (output, "h2h")):
                weight, bias = weights[f"l{layer}_{name}_weight"], weights[f"l{layer}_{name}_bias"]
                gates = gates + mx.sym.FullyConnected(
                    source, weight, bias, num_hidden=4 * hidden, name=f"t{step}_l{layer}_{name}"
                )
            enter, transform, forget, leave = mx.sym.SliceChannel(gates, num_outputs=4)
            cell = mx.sym.Activation(forget, act_type="sigmoid") * cell + mx.sym.Activation(
                enter, act_type="sigmoid"
            ) * mx.sym.Activation(transform, act_type="tanh")
            below = mx.sym.Activation(leave, act_type="sigmoid") * mx.sym.Activation(cell, act_type="tanh")
            states[layer] = (cell, below)
        outputs.append(below)
    return mx.sym.FullyConnected(mx.sym.Concat(*outputs, dim=0), num_hidden=classes, name="pred_fc")


def save_line_model(prefix, seed=0, **given):
    """A checkpoint of a small CRNN for images 12 high and up to 60 wide that keep their ratio; its parameters are
    random, the moving averages of its batch norm too. `given`: more of its data and network. Returns its
    hyperparameters."""
    data = {name: given.pop(name) for name in [field.name for field in fields(Data)] if name in given}
    hyperparameters = Hyperparameters(
        data=Data(
            **{
                "alphabet": "abcd", "min_length": 1, "max_length": 2, "width": 60, "height": 12, "keep_ratio": True,
                **data,
            }
        ),
        network=Network(
            **{
                "architecture": "crnn", "features": (4, 6), "kernels": (3, 3), "strides": (1, 1),
                "pool_heights": (2, 2), "pool_widths": (2, 2), "num_layers": 1, "num_hidden": 5, "input_mean": 225.0,
                "input_scale": 40.0, **given,
            }
        ),
    )  # fmt: skip
    _save_random(prefix, hyperparameters, hyperparameters.data.alphabet, seed)
    return hyperparameters


def save_character_model(prefix, alphabet="abcd", seed=0, data=None, **network):
    """As save_line_model, of a small CNN for images of one character, 16x12; more of its network and of its data."""
    hyperparameters = Hyperparameters(
        data=Data(
            **{"alphabet": alphabet, "min_length": 1, "max_length": 1, "width": 16, "height": 12, **(data or {})}
        ),
        network=Network(
            **{
                "architecture": "cnn", "features": (4, 6, 6), "kernels": (3, 3, 3), "strides": (1, 2, 1),
                "pool_heights": (2, 1, 1), "pool_widths": (2, 1, 1), "dense": (7,), "input_scale": 40.0, **network,
            }
        ),
    )  # fmt: skip
    _save_random(prefix, hyperparameters, alphabet, seed, scale=0.4)
    return hyperparameters


def _save_random(prefix, hyperparameters, alphabet, seed, scale=1.5):
    """A checkpoint with random parameters: those of more layers must be smaller, or rounding is exaggerated."""
    data = hyperparameters.data
    steps = mx.sym.Variable("steps") if data.keep_ratio else None
    logits = symbols.logits(mx.sym.Variable("data"), hyperparameters, len(alphabet) + 1, steps)
    symbol = losses.attach("ctc", logits, mx.sym.Variable("label"), steps)
    pixels = (1, data.height, hyperparameters.geometry.full_width, data.channels)[: 4 if data.channels == 3 else 3]
    given = {"data": pixels, "label": (1, 2), **({"steps": (1,)} if data.keep_ratio else {})}
    arguments, _, auxiliary = symbol.infer_shape(**given)
    rng = np.random.default_rng(seed)
    params = {
        name: rng.normal(scale=0.0 if name == "pred_fc_bias" else scale, size=shape).astype(np.float32)
        for name, shape in zip(symbol.list_arguments(), arguments, strict=True)
        if name not in ("data", "steps", "label")
    }
    averages = {
        name: rng.uniform(0.5, 1.5, shape).astype(np.float32)
        for name, shape in zip(symbol.list_auxiliary_states(), auxiliary, strict=True)
    }
    model = description.Model(hyperparameters, Alphabet(tuple(alphabet)))
    model_files.save(prefix, 1, symbol, to_mx(params), to_mx(averages), model)
