"""Images -> texts and confidences, by a checkpoint of this package or of MXNet's own example/ctc."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr import foreign_symbol, symbols
from ctc_ocr._mxnet import mx
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import LAST_LAYER, Checkpoint, Model, load
from ctc_ocr.constant_folding import fold_constants
from ctc_ocr.decoding import collapse, label_log_probability
from ctc_ocr.errors import InputError
from ctc_ocr.host_memory import host_view, is_on_host
from ctc_ocr.hyperparameters import Hyperparameters
from ctc_ocr.images import Grey, resize
from ctc_ocr.symbols import lstm

BATCH_SIZE = 128  # of MXNet's example network on one core, 32 take 2 to 8 % longer, and more than 128 gain nothing
DIGITS = "0123456789"


@dataclass(frozen=True)
class Prediction:
    """A reading. `codes` are without blanks; `confidence` is p(text | image), 0 to 1, if it was asked for."""

    text: str
    codes: list[int]
    confidence: float | None


@dataclass(frozen=True)
class InferenceGraph:
    """A network without its loss, and how to feed it.

    `symbol` takes `data`, a batch (N, *data_shape) that `encode` makes of images (N, height, width) uint8, and gives
    log probabilities (T, N, C).
    """

    symbol: Any
    alphabet: Alphabet
    width: int
    height: int
    data_shape: tuple[int, ...]
    data_dtype: str
    encode: Callable[[NDArray[np.uint8]], NDArray[Any]]


class Predictor:
    """Reads images of any size with the model PREFIX at an epoch (None: the highest); they are resized to the model's.

    The network is bound once for single images and once for batches. Raises InputError if the model cannot be read.
    """

    def __init__(
        self, prefix: str | Path, epoch: int | None = None, batch_size: int = BATCH_SIZE, context: Any = None
    ) -> None:
        checkpoint = load(prefix, epoch)
        self.epoch = checkpoint.epoch
        self.batch_size = batch_size
        self._graph = inference_graph(checkpoint)
        self._context = context or mx.cpu()
        arguments, self._aux_params = _needed_parameters(self._graph, checkpoint)
        self._symbol, self._arg_params = fold_constants(self._graph.symbol, arguments)
        self._executors: dict[int, Any] = {}

    @property
    def alphabet(self) -> Alphabet:
        return self._graph.alphabet

    def prepare(self, image: Grey) -> Grey:
        """(H, W) uint8 of any size -> the size that the model reads: what it keeps of an image."""
        return resize(image, self._graph.width, self._graph.height)

    def predict(self, images: Sequence[Grey], confidence: bool = True) -> list[Prediction]:
        """Readings of N images (H, W) uint8, ink dark on light, in their order; faster without their confidence."""
        predictions: list[Prediction] = []
        for start in range(0, len(images), self.batch_size):
            batch = np.stack([self.prepare(image) for image in images[start : start + self.batch_size]])
            predictions += self._read(self.log_probabilities(batch), confidence)
        return predictions

    def log_probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """1 to batch_size images (N, height, width) uint8 of the model's size -> (T, N, C) float32."""
        size = 1 if len(images) == 1 else self.batch_size
        padded = images
        if len(images) < size:
            padded = np.zeros((size, *images.shape[1:]), dtype=np.uint8)
            padded[: len(images)] = images
        if size not in self._executors:
            self._executors[size] = self._bind(size)
        executor = self._executors[size]
        _feed(executor.arg_dict["data"], self._graph.encode(padded))
        output: NDArray[np.float32] = executor.forward(is_train=False)[0].asnumpy()
        return output[:, : len(images)]

    def _read(self, log_probs: NDArray[np.float32], confidence: bool) -> list[Prediction]:
        codes = collapse(log_probs.argmax(axis=2))
        confidences: list[float | None] = [None] * len(codes)
        if confidence:
            confidences = np.exp(label_log_probability(log_probs, codes)).tolist()
        texts = [self.alphabet.decode(each) for each in codes]
        return [Prediction(*each) for each in zip(texts, codes, confidences, strict=True)]

    def _bind(self, size: int) -> Any:
        """The executor of a Module: fed directly, as a Module's own way of loading a batch takes a quarter of the time
        of reading one image."""
        graph = self._graph
        inputs = [mx.io.DataDesc("data", (size, *graph.data_shape), dtype=graph.data_dtype)]
        module = mx.mod.Module(self._symbol, data_names=["data"], label_names=None, context=self._context)
        module.bind(inputs, for_training=False)
        module.set_params(self._arg_params, self._aux_params)
        return module._exec_group.execs[0]


def _feed(array: Any, values: NDArray[Any]) -> None:
    """Give an input its values. Nothing else uses it now: what was computed of it last has been read."""
    if is_on_host(array):
        np.copyto(host_view(array), values)  # MXNet's own ways take as long as all of the network but the LSTMs
    else:
        array[:] = mx.nd.array(values, dtype=values.dtype)


def inference_graph(checkpoint: Checkpoint) -> InferenceGraph:
    """The graph that reads images with this checkpoint's parameters: the one place that knows whose model it is."""
    internals = checkpoint.symbol.get_internals()
    if f"{LAST_LAYER}_output" not in internals.list_outputs():
        raise InputError(f"{checkpoint.prefix}-symbol.json: has no layer {LAST_LAYER}, the one before the loss")
    logits = internals[f"{LAST_LAYER}_output"]
    if checkpoint.model is None:
        return _example_graph(logits, checkpoint)
    if checkpoint.model.hyperparameters.network.cell == "unrolled":
        # The fused graph reads the same weights several times faster.
        weight = checkpoint.arg_params.get(f"{LAST_LAYER}_weight")
        classes = checkpoint.model.alphabet.num_classes if weight is None else weight.shape[0]
        logits = symbols.logits(mx.sym.Variable("data"), _fused(checkpoint.model), classes)
    return _own_graph(logits, checkpoint.model)


def _log_probabilities(logits: Any, num_steps: int) -> Any:
    """Logits (T, N, C) or (T * N, C), time-major -> log probabilities (T, N, C)."""
    return mx.sym.log_softmax(mx.sym.reshape(logits, shape=(num_steps, -1, 0), reverse=True), axis=-1)


def _fused(model: Model) -> Hyperparameters:
    settings = model.hyperparameters
    return replace(settings, network=replace(settings.network, cell="fused"))


def _own_graph(logits: Any, model: Model) -> InferenceGraph:
    size = model.hyperparameters.data
    return InferenceGraph(
        symbol=_log_probabilities(logits, model.hyperparameters.num_steps),
        alphabet=model.alphabet,
        width=size.width,
        height=size.height,
        data_shape=(size.height, size.width),
        data_dtype="uint8",
        encode=lambda images: images,
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
    logits = lstm.classify(lstm.fused(columns, layers, num_hidden, num_steps), classes)
    return InferenceGraph(
        symbol=_log_probabilities(logits, num_steps),
        alphabet=Alphabet(tuple(DIGITS[: classes - 1])),
        width=num_steps,
        height=height,
        data_shape=(num_steps, height),
        data_dtype="float32",
        encode=lambda images: images.transpose(0, 2, 1).astype(np.float32) / 255,
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
    graph = foreign_symbol.parse(logits.tojson())
    for node in graph["nodes"]:
        takes_data = any(graph["nodes"][entry[0]]["name"] == "data" for entry in node["inputs"])
        if takes_data and node["op"] == "SliceChannel":
            return int(foreign_symbol.attributes(node)["num_outputs"])
    raise InputError(
        f"there is no {checkpoint.prefix}.json, and {checkpoint.prefix}-symbol.json is not MXNet's example/ctc, which "
        "needs none: its `data` is not sliced into time steps"
    )


def _needed_parameters(graph: InferenceGraph, checkpoint: Checkpoint) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments and auxiliary states that the graph takes, of the right shapes (else InputError)."""
    inputs = {"data": (1, *graph.data_shape)}
    arguments, auxiliary = graph.symbol.list_arguments(), graph.symbol.list_auxiliary_states()
    stored = {**checkpoint.arg_params, **checkpoint.aux_params}
    missing = [name for name in [*arguments, *auxiliary] if name not in stored and name not in inputs]
    if missing:
        raise InputError(f"{checkpoint.params_file}: lacks {', '.join(missing)}, which the network needs")
    try:
        arg_shapes, output_shapes, aux_shapes = graph.symbol.infer_shape(**inputs)
    except mx.base.MXNetError as error:
        raise InputError(f"{checkpoint.prefix}-symbol.json: does not fit images of its size: {error}") from None
    expected = dict(zip([*arguments, *auxiliary], [*arg_shapes, *aux_shapes], strict=True))
    for name, shape in expected.items():
        if name not in inputs and stored[name].shape != shape:
            raise InputError(
                f"{checkpoint.params_file}: {name} has the shape {stored[name].shape}; the network needs {shape}"
            )
    if output_shapes[0][2] != graph.alphabet.num_classes:
        raise InputError(
            f"{checkpoint.prefix}.json: an alphabet of {graph.alphabet.num_classes - 1} units and the blank does not "
            f"fit a network of {output_shapes[0][2]} classes"
        )
    return (
        {name: stored[name] for name in arguments if name not in inputs},
        {name: stored[name] for name in auxiliary},
    )
