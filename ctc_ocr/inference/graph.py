"""The graph that reads images with a checkpoint's parameters: one of this package, or of MXNet's own example/ctc."""

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr import symbols
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import symbol_json
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.model_files import LAST_LAYER, Checkpoint, first_line
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Data
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.symbols import lstm

DIGITS = "0123456789"


@dataclass(frozen=True)
class InferenceGraph:
    """A network without its loss, and how to feed it.

    `symbol` takes `data` and gives log probabilities (T, N, C). `data` is a batch of images (N, H, W[, 3]) uint8 with
    its axes in the order `layout`, and as float32 times `scale` if there is one. Images are prepared as the
    hyperparameters say. Networks that read images of their own widths from both ends have a second input, steps (N,)
    float32.
    """

    symbol: Any
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

    def input_shapes(self, count: int, width: int) -> dict[str, tuple[int, ...]]:
        """{input: shape} of a batch of `count` images `width` wide."""
        data = self.hyperparameters.data
        pixels = (count, data.height, width, data.channels)[: len(self.layout)]
        shapes: dict[str, tuple[int, ...]] = {"data": tuple(pixels[axis] for axis in self.layout)}
        return {**shapes, "steps": (count,)} if self.takes_steps else shapes

    def encode(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        """A batch as the input `data` takes it."""
        turned = images.transpose(self.layout)
        return turned if self.scale is None else turned * np.float32(self.scale)


def inference_graph(checkpoint: Checkpoint) -> InferenceGraph:
    """The graph that reads images with this checkpoint's parameters: the one place that knows whose model it is."""
    internals = checkpoint.symbol.get_internals()
    if f"{LAST_LAYER}_output" not in internals.list_outputs():
        raise InputError(f"{checkpoint.prefix}-symbol.json: has no layer {LAST_LAYER}, the one before the loss")
    logits = internals[f"{LAST_LAYER}_output"]
    if checkpoint.model is None:
        return _example_graph(logits, checkpoint)
    network = checkpoint.model.hyperparameters.network
    if (network.architecture, network.lstm_graph) == ("lstm", "unrolled"):
        # The fused graph reads the same weights several times faster.
        weight = checkpoint.arg_params.get(f"{LAST_LAYER}_weight")
        classes = checkpoint.model.alphabet.num_classes if weight is None else weight.shape[0]
        logits = symbols.logits(mx.sym.Variable("data"), _fused(checkpoint.model), classes)
    return _own_graph(logits, checkpoint.model)


def _fused(model: Model) -> Hyperparameters:
    settings = model.hyperparameters
    return replace(settings, network=replace(settings.network, lstm_graph="fused"))


def _own_graph(logits: Any, model: Model) -> InferenceGraph:
    settings = model.hyperparameters
    colours = (3,) if settings.data.channels == 3 else ()
    return InferenceGraph(
        symbol=mx.sym.log_softmax(logits, axis=-1),
        alphabet=model.alphabet,
        hyperparameters=settings,
        layout=(0, 1, 2, 3)[: 3 + len(colours)],
    )


def _example_graph(logits: Any, checkpoint: Checkpoint) -> InferenceGraph:
    """MXNet's example/ctc: columns of grey levels 0 to 1, digits with codes digit + 1.

    Its sizes are those of its parameters; its steps are the pieces into which the symbol slices `data`. Its graph is
    replaced by the fused one over the same weights, whose initial states are zero as the example feeds them.
    """
    height = _length(checkpoint, "l0_i2h_weight", axis=1)
    classes = _length(checkpoint, f"{LAST_LAYER}_weight", axis=0)
    if not 2 <= classes <= len(DIGITS) + 1:
        raise InputError(
            f"{checkpoint.params_file}: {classes} classes, and no {checkpoint.prefix}.json says what they are; "
            "without one, MXNet's example is expected: a blank and up to 10 digits"
        )
    num_layers = sum(re.fullmatch(r"l\d+_h2h_weight", name) is not None for name in checkpoint.arg_params)
    num_hidden = _length(checkpoint, "l0_h2h_weight", axis=1)
    num_steps = _pieces_of_data(checkpoint, logits)
    columns = mx.sym.transpose(mx.sym.Variable("data"), axes=(1, 0, 2))  # (T, N, height)
    layers = lstm.parameters(num_layers, num_hidden, height)
    logits = lstm.classify(lstm.fused(columns, layers, num_hidden), classes)
    return InferenceGraph(
        symbol=mx.sym.log_softmax(logits, axis=-1),
        alphabet=Alphabet(tuple(DIGITS[: classes - 1])),
        hyperparameters=Hyperparameters(Data(width=num_steps, height=height, max_length=1, min_length=1)),
        layout=(0, 2, 1),
        scale=1 / 255,
    )


def _length(checkpoint: Checkpoint, name: str, axis: int) -> int:
    array = checkpoint.arg_params.get(name)
    if array is None or array.ndim != 2:
        raise InputError(
            f"{checkpoint.params_file}: no matrix {name}; without a {checkpoint.prefix}.json, "
            "a model of MXNet's example/ctc is expected"
        )
    return int(array.shape[axis])


def _pieces_of_data(checkpoint: Checkpoint, logits: Any) -> int:
    graph = symbol_json.parse(logits.tojson())
    for node in graph["nodes"]:
        takes_data = any(graph["nodes"][entry[0]]["name"] == "data" for entry in node["inputs"])
        if takes_data and node["op"] == "SliceChannel":
            return int(symbol_json.attributes(node)["num_outputs"])
    raise InputError(
        f"there is no {checkpoint.prefix}.json, and {checkpoint.prefix}-symbol.json is not MXNet's example/ctc, which "
        "needs none: its `data` is not sliced into time steps"
    )


def needed_parameters(graph: InferenceGraph, checkpoint: Checkpoint) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments and auxiliary states that the graph takes, of the right shapes (else InputError).

    A description that does not fit the graph is refused too: what reads its output trusts in the steps it tells of.
    """
    _check_steps_input(graph, checkpoint)
    inputs = graph.input_shapes(1, graph.hyperparameters.geometry.full_width)
    arguments, auxiliary = graph.symbol.list_arguments(), graph.symbol.list_auxiliary_states()
    stored = {**checkpoint.arg_params, **checkpoint.aux_params}
    missing = [name for name in [*arguments, *auxiliary] if name not in stored and name not in inputs]
    if missing:
        raise InputError(f"lacks {', '.join(missing)}, which the network needs", checkpoint.params_file)
    arg_shapes, output_shape, aux_shapes = _shapes(graph, checkpoint, inputs)
    expected = dict(zip([*arguments, *auxiliary], [*arg_shapes, *aux_shapes], strict=True))
    for name, shape in expected.items():
        if name not in inputs and stored[name].shape != shape:
            raise InputError(
                f"{checkpoint.params_file}: {name} has the shape {stored[name].shape}; the network needs {shape}"
            )
    _check_output(output_shape, graph, checkpoint)
    return (
        {name: stored[name] for name in arguments if name not in inputs},
        {name: stored[name] for name in auxiliary},
    )


def _check_steps_input(graph: InferenceGraph, checkpoint: Checkpoint) -> None:
    settings = graph.hyperparameters
    # What reads from left to right alone needs no steps: nothing to the right of an image's own changes them.
    expected = settings.data.keep_ratio and settings.network.architecture != "lstm"
    if graph.takes_steps != expected:
        raise InputError(
            f"{checkpoint.prefix}.json: with architecture {settings.network.architecture} and keep_ratio "
            f"{str(settings.data.keep_ratio).lower()}, a network {'has' if expected else 'has no'} input steps, but "
            f"that of {checkpoint.prefix}-symbol.json {'has none' if expected else 'has one'}"
        )


def _shapes(graph: InferenceGraph, checkpoint: Checkpoint, inputs: dict[str, tuple[int, ...]]) -> tuple[Any, Any, Any]:
    """Those of the arguments, of the output, and of the auxiliary states."""
    try:
        # infer_shape does the same, and prints what it was given where it fails.
        arguments, outputs, auxiliary = graph.symbol.infer_shape_partial(**inputs)
    except mx.base.MXNetError as error:
        told = f"does not fit images of its size: {first_line(error)}"
        raise InputError(f"{checkpoint.prefix}-symbol.json: {told}") from None
    return arguments, outputs[0], auxiliary


def _check_output(shape: tuple[int, ...], graph: InferenceGraph, checkpoint: Checkpoint) -> None:
    """Of one image of the full width, it must be (T, 1, C)."""
    described = f"{checkpoint.prefix}.json"
    if shape[-1] != graph.alphabet.num_classes:
        raise InputError(
            f"{described}: an alphabet of {graph.alphabet.num_classes - 1} units and the blank does not "
            f"fit a network of {shape[-1]} classes"
        )
    expected = (graph.hyperparameters.geometry.num_steps, 1, graph.alphabet.num_classes)
    if shape != expected:
        raise InputError(f"tells of an output {expected} for one image, but the network's is {shape}", described)
