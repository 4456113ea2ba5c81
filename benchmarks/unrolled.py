"""Baseline: the network and the decoding of MXNet's CTC example, as they were.

Two LSTM layers, unrolled: at each of 80 time steps and in each layer one FullyConnected for the input, one for the
state and a node for each gate. The initial states are inputs of the graph; the outputs of all time steps are
concatenated before the last layer. Predictions are made by loops over samples and time steps.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import CLASSES, HEIGHT, HIDDEN, LAYERS, WIDTH
from ctc_ocr.runtime.mxnet import mx

STATES = tuple(f"l{layer}_init_{kind}" for layer in range(LAYERS) for kind in "ch")


def logits() -> Any:
    """(80 * N, 11), time-major, of data (N, 80, 30) float32 and the states (N, 100)."""
    below = list(mx.sym.SliceChannel(mx.sym.Variable("data"), num_outputs=WIDTH, axis=1, squeeze_axis=True))
    for layer in range(LAYERS):
        i2h, h2h = (
            [mx.sym.Variable(f"l{layer}_{part}_{kind}") for kind in ("weight", "bias")] for part in ("i2h", "h2h")
        )
        cell, hidden = mx.sym.Variable(f"l{layer}_init_c"), mx.sym.Variable(f"l{layer}_init_h")
        for step in range(WIDTH):
            name = f"t{step}_l{layer}"
            gates = mx.sym.FullyConnected(below[step], *i2h, num_hidden=4 * HIDDEN, name=f"{name}_i2h")
            gates = gates + mx.sym.FullyConnected(hidden, *h2h, num_hidden=4 * HIDDEN, name=f"{name}_h2h")
            enter, transform, forget, leave = mx.sym.SliceChannel(gates, num_outputs=4)
            added = mx.sym.Activation(enter, act_type="sigmoid") * mx.sym.Activation(transform, act_type="tanh")
            cell = mx.sym.Activation(forget, act_type="sigmoid") * cell + added
            hidden = mx.sym.Activation(leave, act_type="sigmoid") * mx.sym.Activation(cell, act_type="tanh")
            below[step] = hidden
    return mx.sym.FullyConnected(mx.sym.Concat(*below, dim=0), num_hidden=CLASSES, name="pred_fc")


def training_symbol() -> Any:
    """Outputs the probabilities (80 * N, 11) and the loss (N,); takes label (N, 4) besides the inputs of `logits`."""
    network = logits()
    steps_first = mx.sym.reshape(network, shape=(-4, WIDTH, -1, 0))
    loss = mx.sym.make_loss(mx.sym.contrib.ctc_loss(steps_first, mx.sym.Variable("label")))
    return mx.sym.Group([mx.sym.BlockGrad(mx.sym.softmax(network)), loss])


def input_shapes(batch_size: int) -> dict[str, tuple[int, ...]]:
    """Data and states, all with the batch first."""
    return {"data": (batch_size, WIDTH, HEIGHT)} | dict.fromkeys(STATES, (batch_size, HIDDEN))


class Reader:
    """The unrolled network bound once, for one image at a time."""

    def __init__(self, arguments: dict[str, Any], mean: float, scale: float) -> None:
        """Grey levels g are fed as (mean - g) / scale, as the weights were trained."""
        self._mean, self._scale = mean, scale
        shapes = input_shapes(1)
        self._module = mx.mod.Module(mx.sym.softmax(logits()), list(shapes), None, context=mx.cpu())
        self._module.bind(list(shapes.items()), for_training=False)
        self._module.set_params(arguments, {})
        self._states = [mx.nd.zeros(shapes[name]) for name in STATES]

    def read(self, image: NDArray[np.uint8]) -> list[int]:
        """Codes of an image (30, 80)."""
        data = mx.nd.array((self._mean - image.T[None].astype(np.float32)) / self._scale)
        self._module.forward(mx.io.DataBatch([data, *self._states]), is_train=False)
        return read_sample(self._module.get_outputs()[0].asnumpy(), 0, 1)


def read_sample(probabilities: NDArray[np.float32], sample: int, batch_size: int) -> list[int]:
    """Codes of one sample of a batch: probabilities (80 * N, 11), time-major, step by step."""
    codes, previous = [], 0
    for step in range(WIDTH):
        best = int(np.argmax(probabilities[step * batch_size + sample]))
        if best not in (0, previous):
            codes.append(best)
        previous = best
    return codes


def accuracy(labels: NDArray[np.float32], probabilities: NDArray[np.float32]) -> float:
    """Fraction of a batch that is correct: labels (N, 4) padded with 0, probabilities (80 * N, 11)."""
    hits = 0
    for sample in range(len(labels)):
        truth = [int(code) for code in labels[sample] if code]
        hits += truth == read_sample(probabilities, sample, len(labels))
    return hits / len(labels)
