"""From a checkpoint to a graph without its loss: of a model of this package, or of MXNet's own example/ctc."""

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr import symbols
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.model_files import Checkpoint
from ctc_ocr.config.architectures import LAST_LAYER
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.config.sections import Data, Network
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import MXArray, Symbol
from ctc_ocr.symbols import lstm
from ctc_ocr.symbols.contract import check_contract

DIGITS = "0123456789"

Shape = tuple[int, ...]


@dataclass(frozen=True)
class InferenceGraph:
    """A network without its loss, and what its inputs are.

    `symbol` takes `data` and gives log probabilities (T, N, C). `data` is a batch of images (N, H, W) or (N, H, W, 3)
    uint8 with its axes in the order `layout`; if there is a `scale`, as float32 and multiplied by it. Images are
    prepared by the hyperparameters. Architectures that need the time steps of images of different widths have a second
    input, steps (N,) float32.
    """

    symbol: Symbol
    alphabet: Alphabet
    hyperparameters: Hyperparameters
    layout: tuple[int, ...]
    scale: float | None = None

    @property
    def data_dtype(self) -> str:
        return "uint8" if self.scale is None else "float32"

    @cached_property
    def takes_steps(self) -> bool:
        return "steps" in self.symbol.list_arguments()

    def input_shapes(self, count: int, width: int) -> dict[str, Shape]:
        """{input: shape} of a batch of `count` images `width` wide."""
        data = self.hyperparameters.data
        pixels = (count, data.height, width, data.channels)[: len(self.layout)]
        shapes: dict[str, Shape] = {"data": tuple(pixels[axis] for axis in self.layout)}
        return {**shapes, "steps": (count,)} if self.takes_steps else shapes

    def encode(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        """Images (N, H, W) or (N, H, W, 3) uint8 in the form of the input `data`."""
        ordered = images.transpose(self.layout)
        return ordered if self.scale is None else ordered * np.float32(self.scale)


def inference_graph(checkpoint: Checkpoint) -> InferenceGraph:
    """The graph of a checkpoint, built from its hyperparameters; that of MXNet's example from its parameters.

    Raises InputError if the parameters are not those of such a network, or if an architecture of the user's own breaks
    its contract.
    """
    if checkpoint.model is None:
        return _example_graph(checkpoint)
    model = checkpoint.model
    hyperparameters = _fused(model.hyperparameters)
    data, classes = hyperparameters.data, model.alphabet.num_classes
    weight = checkpoint.arg_params.get(f"{LAST_LAYER}_weight")
    if weight is not None and weight.shape[0] != classes:
        raise InputError(
            f"an alphabet of {classes - 1} units and the blank does not fit a network of {weight.shape[0]} classes",
            checkpoint.description_file,
        )
    needs_steps = data.keep_ratio and ARCHITECTURES.get(hyperparameters.network.architecture).needs_steps
    steps = mx.sym.Variable("steps") if needs_steps else None
    logits = symbols.logits(mx.sym.Variable("data"), hyperparameters, classes, steps)
    check_contract(logits, hyperparameters, classes)
    return InferenceGraph(
        symbol=mx.sym.log_softmax(logits, axis=-1),
        alphabet=model.alphabet,
        hyperparameters=model.hyperparameters,
        layout=tuple(range(4 if data.channels == 3 else 3)),
    )


def _fused(hyperparameters: Hyperparameters) -> Hyperparameters:
    """The architecture lstm alone has two graphs for the same weights, and the fused one is several times faster."""
    return replace(hyperparameters, network=replace(hyperparameters.network, lstm_graph="fused"))


def _example_graph(checkpoint: Checkpoint) -> InferenceGraph:
    """MXNet's example/ctc: columns of grey levels from 0 to 1, digits with codes digit + 1.

    Its sizes are those of its parameters, and it has as many time steps as its symbol slices `data` into. The fused
    graph with the same weights takes the place of its own: its initial states are zero, as in the example.
    """
    steps = checkpoint.example_steps()
    height = _length(checkpoint, "l0_i2h_weight", axis=1)
    classes = _length(checkpoint, f"{LAST_LAYER}_weight", axis=0)
    if not 2 <= classes <= len(DIGITS) + 1:
        raise InputError(
            f"{classes} classes; without {checkpoint.description_file}, a model of MXNet's example/ctc is expected: a "
            "blank and up to 10 digits",
            checkpoint.params_file,
        )
    num_layers = sum(re.fullmatch(r"l\d+_h2h_weight", name) is not None for name in checkpoint.arg_params)
    num_hidden = _length(checkpoint, "l0_h2h_weight", axis=1)
    try:
        hyperparameters = Hyperparameters(
            Data(width=steps, height=height, max_length=1, min_length=1),
            Network(num_layers=num_layers, num_hidden=num_hidden),
        )
    except InputError as error:
        raise error.within(checkpoint.params_file) from None
    columns = mx.sym.transpose(mx.sym.Variable("data"), axes=(1, 0, 2))  # (T, N, height)
    layers = lstm.parameters(num_layers, num_hidden, height)
    logits = lstm.classify(lstm.fused(columns, layers, num_hidden), classes)
    return InferenceGraph(
        symbol=mx.sym.log_softmax(logits, axis=-1),
        alphabet=Alphabet(tuple(DIGITS[: classes - 1])),
        hyperparameters=hyperparameters,
        layout=(0, 2, 1),
        scale=1 / 255,
    )


def _length(checkpoint: Checkpoint, name: str, axis: int) -> int:
    array = checkpoint.arg_params.get(name)
    if array is None or array.ndim != 2:
        raise InputError(
            f"has no matrix {name}; without {checkpoint.description_file}, a model of MXNet's example/ctc is expected",
            checkpoint.params_file,
        )
    return int(array.shape[axis])


def needed_parameters(graph: InferenceGraph, checkpoint: Checkpoint) -> tuple[dict[str, MXArray], dict[str, MXArray]]:
    """The graph's arguments and auxiliary states, {name: array} each.

    Raises InputError if one is missing or of another shape.
    """
    inputs = graph.input_shapes(1, graph.hyperparameters.geometry.full_width)
    arguments, auxiliary = graph.symbol.list_arguments(), graph.symbol.list_auxiliary_states()
    stored = {**checkpoint.arg_params, **checkpoint.aux_params}
    missing = [name for name in [*arguments, *auxiliary] if name not in stored and name not in inputs]
    if missing:
        raise InputError(f"lacks {', '.join(missing)}, which the network needs", checkpoint.params_file)
    arg_shapes, _, aux_shapes = graph.symbol.infer_shape_partial(**inputs)
    expected = dict(zip([*arguments, *auxiliary], [*arg_shapes, *aux_shapes], strict=True))
    for name, shape in expected.items():
        if name not in inputs and stored[name].shape != shape:
            raise InputError(
                f"{name} has the shape {stored[name].shape}; the network needs {shape}", checkpoint.params_file
            )
    return (
        {name: stored[name] for name in arguments if name not in inputs},
        {name: stored[name] for name in auxiliary},
    )
