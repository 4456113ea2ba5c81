"""The network of MXNet's CTC example: stacked LSTMs, one time step per image column.

Two graphs over the same named parameters: unrolled over the time steps, and fused into one operator. The rows of
l{i}_i2h_weight and l{i}_h2h_weight are four blocks of H: the in gate, the transform, the forget gate and the out gate,
as in the example. Long short-term memory: Hochreiter and Schmidhuber, 1997; its forget gate: Gers et al., 2000.
"""

from typing import NamedTuple

from ctc_ocr.config.architectures import LAST_LAYER
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Symbol
from ctc_ocr.symbols.images import normalise


class Layer(NamedTuple):
    """The parameters of one LSTM layer with H units over I inputs."""

    i2h_weight: Symbol  # (4H, I)
    i2h_bias: Symbol  # (4H,)
    h2h_weight: Symbol  # (4H, H)
    h2h_bias: Symbol  # (4H,)


def logits(images: Symbol, hyperparameters: Hyperparameters, num_classes: int, steps: Symbol | None = None) -> Symbol:
    """Logits (W, N, num_classes) of images (N, H, W) uint8; one image column is one time step.

    It reads from left to right only, so padding to the right of an image cannot change its logits.
    """
    network, data = hyperparameters.network, hyperparameters.data
    maps = normalise(images, hyperparameters)  # (N, channels, H, W)
    columns = mx.sym.reshape(mx.sym.transpose(maps, axes=(3, 0, 1, 2)), shape=(0, 0, -1))  # (W, N, channels * H)
    layers = parameters(network.num_layers, network.num_hidden, data.channels * data.height)
    if network.lstm_graph == "fused":
        return classify(fused(columns, layers, network.num_hidden), num_classes)
    return classify(unrolled(columns, layers, network.num_hidden, data.width), num_classes)


def parameters(num_layers: int, num_hidden: int, input_size: int) -> list[Layer]:
    """The named parameters of a stack: l0_i2h_weight, ..., l1_h2h_bias, ..."""
    sizes = [input_size] + [num_hidden] * (num_layers - 1)
    return [layer(f"l{index}", num_hidden, size) for index, size in enumerate(sizes)]


def layer(name: str, num_hidden: int, input_size: int) -> Layer:
    """The parameters of one layer as variables, with their shapes."""
    shapes = [(4 * num_hidden, input_size), (4 * num_hidden,), (4 * num_hidden, num_hidden), (4 * num_hidden,)]
    return Layer(*(mx.sym.Variable(f"{name}_{n}", shape=s) for n, s in zip(Layer._fields, shapes, strict=True)))


def classify(hidden: Symbol, num_classes: int) -> Symbol:
    """Logits (T, N, num_classes) of hidden states (T, N, H)."""
    return mx.sym.FullyConnected(hidden, num_hidden=num_classes, flatten=False, name=LAST_LAYER)


def unrolled(columns: Symbol, layers: list[Layer], num_hidden: int, num_steps: int) -> Symbol:
    """Hidden states (num_steps, N, num_hidden) of columns (num_steps, N, I): nodes per gate, time step and layer."""
    for index, weights in enumerate(layers):
        # The inputs' part of the gates needs no recurrence: one product for all time steps.
        gates = mx.sym.FullyConnected(
            columns,
            weights.i2h_weight,
            weights.i2h_bias,
            num_hidden=4 * num_hidden,
            flatten=False,
            name=f"l{index}_i2h",
        )  # (T, N, 4H)
        steps = mx.sym.SliceChannel(gates, num_outputs=num_steps, axis=0, squeeze_axis=True)
        hidden = cell = mx.sym.zeros_like(mx.sym.slice_axis(steps[0], axis=1, begin=0, end=num_hidden))  # (N, H)
        outputs = []
        for step in range(num_steps):
            recurrent = mx.sym.FullyConnected(
                hidden, weights.h2h_weight, weights.h2h_bias, num_hidden=4 * num_hidden, name=f"l{index}_t{step}_h2h"
            )
            hidden, cell = _step(steps[step] + recurrent, cell)
            outputs.append(hidden)
        columns = mx.sym.stack(*outputs, axis=0)
    return columns


def _step(gates: Symbol, cell: Symbol) -> tuple[Symbol, Symbol]:
    """One time step: gates (N, 4H) before their nonlinearities and cell (N, H) -> hidden, cell (N, H)."""
    in_gate, transform, forget_gate, out_gate = mx.sym.SliceChannel(gates, num_outputs=4)
    cell = mx.sym.sigmoid(forget_gate) * cell + mx.sym.sigmoid(in_gate) * mx.sym.tanh(transform)
    return mx.sym.sigmoid(out_gate) * mx.sym.tanh(cell), cell


def fused(columns: Symbol, layers: list[Layer], num_hidden: int) -> Symbol:
    """The same hidden states as `unrolled`, by the RNN operator; the graph concatenates its flat parameter vector."""
    weights = [_gates_in_rnn_order(weight) for each in layers for weight in (each.i2h_weight, each.h2h_weight)]
    biases = [_gates_in_rnn_order(bias) for each in layers for bias in (each.i2h_bias, each.h2h_bias)]
    # Zero states (layers, N, H) whose N follows the data, so that they are no inputs.
    first = mx.sym.slice_axis(columns, axis=0, begin=0, end=1)
    zeros = mx.sym.broadcast_axis(
        mx.sym.zeros_like(mx.sym.sum(first, axis=2, keepdims=True)), axis=(0, 2), size=(len(layers), num_hidden)
    )
    flat = mx.sym.concat(*weights, *biases, dim=0)
    return mx.sym.RNN(columns, flat, zeros, zeros, state_size=num_hidden, num_layers=len(layers), mode="lstm")


def _gates_in_rnn_order(parameter: Symbol) -> Symbol:
    """Flat, with the four gates reordered to in, forget, transform, out, as the RNN operator has them."""
    in_gate, transform, forget_gate, out_gate = mx.sym.SliceChannel(parameter, num_outputs=4, axis=0)
    return mx.sym.reshape(mx.sym.concat(in_gate, forget_gate, transform, out_gate, dim=0), shape=(-1,))
