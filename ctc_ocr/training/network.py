"""The network in training: its graph with the loss, its parameters, and its optimizer, on one or several devices, by
one or several workers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr import losses, symbols
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Training
from ctc_ocr.datasets.iterator import BatchIter
from ctc_ocr.runtime.allocator import give_back_large_blocks
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.mxnet_internals import (
    gradient_arrays,
    note_changed_parameters,
    parameter_arrays,
    parameter_names,
    statistic_arrays,
)
from ctc_ocr.runtime.types import Context, DataBatch, Module, MXArray, Symbol
from ctc_ocr.symbols.contract import check_contract
from ctc_ocr.symbols.fixed_statistics import with_fixed_statistics
from ctc_ocr.symbols.summary import describe_network
from ctc_ocr.training.divergence import FiniteVectors
from ctc_ocr.training.freezing import frozen_layers
from ctc_ocr.training.initialisation import initial_parameters
from ctc_ocr.training.optimizer import clip_norm, make_optimizer
from ctc_ocr.training.parameter_vector import ArrayCopies, refuse_foreign
from ctc_ocr.training.schedules import Schedule
from ctc_ocr.training.transfer import layer_of
from ctc_ocr.training.workers import ALONE, NO_WISHES, OneWorker, Wishes

Parameters = dict[str, MXArray]
INPUTS = ("data", "steps", "label")


def training_symbol(model: Model) -> Symbol:
    """Inputs data (N, H, W) uint8 or (N, H, W, 3), steps (N,) with keep_ratio, and label (N, L).

    Outputs loss (N,) and best path (N, T). It is the same for images of any width. The batch norms of frozen layers
    normalise by their moving averages. Raises InputError for an architecture that does not fulfil its contract, and for
    a name to freeze that is no layer's.
    """
    settings = model.hyperparameters
    steps = mx.sym.Variable("steps") if settings.data.keep_ratio else None
    logits = symbols.logits(mx.sym.Variable("data"), settings, model.alphabet.num_classes, steps)
    check_contract(logits, settings, model.alphabet.num_classes)
    training = settings.training
    symbol = losses.attach(training.loss, logits, mx.sym.Variable("label"), steps, training.label_smoothing)
    names = [name for name in symbol.list_arguments() if name not in INPUTS]
    layers = frozen_layers(training.freeze, names)
    # Of the whole graph: a part of it would no longer share the input `steps` with the rest.
    return with_fixed_statistics(symbol, [name for name in names if layer_of(name) in layers]) if layers else symbol


def network_table(hyperparameters: Hyperparameters, num_classes: int) -> str:
    """The layers of a training's network, their output shapes for one batch and numbers of parameters."""
    return describe_network(hyperparameters, num_classes, hyperparameters.training.batch_size)


def _of_names(wanted: Sequence[str], names: Sequence[str], arrays: list[list[MXArray]]) -> list[list[MXArray]]:
    """Of arrays with these names, those that are wanted."""
    return [each for name, each in zip(names, arrays, strict=True) if name in wanted]


def _is_random(symbol: Symbol) -> bool:
    """Whether a graph has operators that draw random numbers: dropout, or others in an architecture of the user."""
    operators = (node["op"] for node in json.loads(symbol.tojson())["nodes"])
    return any(op == "Dropout" or op.startswith(("_random", "_sample")) for op in operators)


def _bound(symbol: Symbol, model: Model, data: BatchIter, contexts: Sequence[Context]) -> Module:
    """A Module with memory for the widest batches of the data."""
    inputs = [each.name for each in data.provide_data]
    # A BucketingModule would keep what its operators hold (the LSTMs most of all) for each width at once.
    module = mx.mod.Module(symbol, inputs, ["label"], context=list(contexts))
    module.bind(data.provide_data, data.provide_label)
    if model.hyperparameters.data.keep_ratio:
        _leave_first_executor(module, data, model.hyperparameters.geometry.columns_per_step)
    return module


def _leave_first_executor(module: Module, data: BatchIter, width: int) -> None:
    """Keep the executor of the widest batches, from which a Module makes all others, from ever being run. `width`: of
    the narrowest images.

    It lends them the memory of its feature maps, and lives as long as the Module. What its operators would hold once
    they had run could not be freed.
    """
    give_back_large_blocks()  # which the operators of one width hold, and not those of the next
    inputs = {each.name: each for each in data.provide_data}
    rows, height, _, *channels = inputs["data"].shape
    narrow = mx.io.DataDesc("data", (rows, height, width, *channels), dtype="uint8")
    module.reshape([{**inputs, "data": narrow}[name] for name in inputs], data.provide_label)


def _initial_values(symbol: Symbol, model: Model, module: Module) -> Parameters:
    """The weights that a training begins with; they depend on its seed alone."""
    shapes = {each.name: each.shape for each in [*module.data_shapes, *module.label_shapes]}
    arguments, _, _ = symbol.infer_shape(**shapes)
    weights = {n: s for n, s in zip(symbol.list_arguments(), arguments, strict=True) if n not in shapes}
    generator = np.random.default_rng(model.hyperparameters.training.seed)
    values = initial_parameters(weights, generator, is_one_step=model.hyperparameters.geometry.is_one_step)
    return {name: mx.nd.array(value) for name, value in values.items()}


class TrainingNetwork:
    """One Module, which is reshaped to the width of each batch; captchas have one width.

    An update has two halves, between which the network works while the caller does something else.
    """

    def __init__(self, model: Model, data: BatchIter, contexts: Sequence[Context], workers: OneWorker = ALONE) -> None:
        self._training = model.hyperparameters.training
        self._workers = workers
        self.symbol = training_symbol(model)
        self._is_random = _is_random(self.symbol)
        self._module = module = _bound(self.symbol, model, data, contexts)
        module.init_params(arg_params=_initial_values(self.symbol, model, module))
        names, averages = parameter_names(module), self.symbol.list_auxiliary_states()
        # What is frozen is neither updated nor averaged: all vectors are without it.
        layers = frozen_layers(self._training.freeze, names)
        self._names = [name for name in names if layer_of(name) not in layers]
        self._average_names = [name for name in averages if layer_of(name) not in layers]
        # Their memory is the same for all widths.
        self._gradients = ArrayCopies(_of_names(self._names, names, gradient_arrays(module)))
        self._parameters = ArrayCopies(_of_names(self._names, names, parameter_arrays(module)))
        moving = _of_names(self._average_names, averages, statistic_arrays(module))
        self._averages = ArrayCopies(moving) if moving else None
        self._make_vectors(contexts[0])
        self.finite = FiniteVectors()

    def _make_vectors(self, device: Context) -> None:
        size = self._parameters.size
        # What workers send: the gradient, and what they wish.
        self._message = mx.nd.zeros(size + len(NO_WISHES.values()), ctx=device)
        self._gradient, self._wishes = self._message[:size], self._message[size:]
        self._weights = mx.nd.zeros(size, ctx=device)
        self._parameters.gather(self._weights)
        self._average_values = mx.nd.zeros(self._averages.size if self._averages else 1, ctx=device)

    def parameters(self) -> tuple[Parameters, Parameters]:
        """Weights, and moving averages of batch norm: {name: array on the CPU} each."""
        # An executor's backward changes the moving averages without telling MXNet's engine that it writes: without
        # this, those of the update before could be read.
        mx.nd.waitall()
        arguments, auxiliary = self._module.get_params()
        return arguments, auxiliary

    def set_parameters(self, arguments: Mapping[str, MXArray], auxiliary: Mapping[str, MXArray]) -> None:
        self._module.set_params(dict(arguments), dict(auxiliary))
        # Not from the memory of the Module: reading images leaves weights there in a layout of oneDNN.
        mx.nd.concat(*(arguments[name].reshape((-1,)) for name in self._names), dim=0).copyto(self._weights)

    def values(self) -> dict[str, NDArray[np.float32]]:
        """{name: array} of all weights and moving averages."""
        arguments, auxiliary = self.parameters()
        return {name: array.asnumpy() for name, array in {**arguments, **auxiliary}.items()}

    def set_values(self, values: Mapping[str, NDArray[np.float32]]) -> None:
        """Replace all weights and moving averages; {} leaves them."""
        if not values:
            return
        arguments, auxiliary = self.parameters()
        arrays = {name: mx.nd.array(value) for name, value in values.items()}
        self.set_parameters({n: arrays[n] for n in arguments}, {n: arrays[n] for n in auxiliary})

    def frozen_values(self) -> dict[str, NDArray[np.float32]]:
        """{name: array} of what no vector has: the weights and moving averages of frozen layers."""
        changing = {*self._names, *self._average_names}
        return {name: value for name, value in self.values().items() if name not in changing}

    def restore_frozen_values(self, values: Mapping[str, NDArray[np.float32]]) -> None:
        """Raises InputError for those of another network."""
        refuse_foreign(values, self.frozen_values())
        if values:
            self.set_values({**self.values(), **values})

    def vectors(self) -> dict[str, MXArray]:
        """What updates change, as vectors of the first device: the weights, and the moving averages of batch norm if
        there are any. Their contents change with the next update."""
        if self._averages is None:
            return {"weights": self._weights}
        mx.nd.waitall()  # see parameters()
        self._averages.gather(self._average_values)
        return {"weights": self._weights, "moving averages": self._average_values}

    def set_vectors(self, vectors: Mapping[str, MXArray]) -> None:
        """Replace what `vectors` gives, on all devices."""
        arguments, auxiliary = self.parameters() if self._training.freeze else ({}, {})
        if self._averages is not None:
            parts = self._averages.parts(vectors["moving averages"])
            auxiliary = {**auxiliary, **dict(zip(self._average_names, parts, strict=True))}
        parts = self._parameters.parts(vectors["weights"])
        self.set_parameters({**arguments, **dict(zip(self._names, parts, strict=True))}, auxiliary)

    def restore_vectors(self, vectors: Mapping[str, MXArray]) -> None:
        """As set_vectors, of vectors that were saved. Raises InputError for those of another network."""
        refuse_foreign(vectors, self.vectors())
        self.set_vectors(vectors)

    def share_moving_averages(self, values: MXArray | None = None) -> None:
        """Give all workers the mean of the moving averages of batch norm, of which each has those of its rows: of
        `values`, in place, or of those in use."""
        if self._averages is None or self._workers.count == 1:
            return
        vector = self.vectors()["moving averages"] if values is None else values
        self._workers.sum("moving averages", vector)
        vector /= self._workers.count
        if values is None:
            self._averages.scatter(vector)
            note_changed_parameters(self._module)

    def init_optimizer(self, training: Training, schedule: Schedule, updates_done: int) -> None:
        """A new optimizer, without state."""
        self._optimizer = make_optimizer(training, schedule, updates_done, self._names, self._parameters.shapes)

    def optimizer_state(self) -> dict[str, NDArray[Any]]:
        return self._optimizer.state_arrays()

    def restore_optimizer(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Raises InputError for the state of another optimizer or network."""
        self._optimizer.restore_state(self._weights, arrays)

    def begin_update(self, batch: DataBatch, seed: int) -> list[MXArray]:
        """Begin to compute the gradient. Returns copies of the outputs, which are computed while the caller goes on.

        `seed` (below 2**31) decides what dropout drops, so that it does not depend on when the run was resumed.
        """
        if self._is_random:
            mx.random.seed(seed)  # 0.5 ms and more: not for graphs that need none
        self._module.forward_backward(batch)
        return [each.copy() for each in self._module.get_outputs()]

    def finish_update(self, wishes: Wishes = NO_WISHES) -> Wishes:
        """Change the weights by the gradient of all workers. Returns what any of them wished."""
        self._gradients.gather_sum(self._gradient)
        if self._workers.count > 1:
            self._wishes[:] = mx.nd.array(wishes.values())
            self._workers.sum("gradient", self._message)
            wishes = Wishes.of_values(self._wishes.asnumpy().tolist())
        self.finite.note("gradient", self._gradient)
        if self._training.clip_gradient:
            # The gradient is the sum over the batch, the maximum norm is that of the mean.
            clip_norm(self._gradient, self._training.clip_gradient * self._training.batch_size)
        self._optimizer.update(self._weights, self._gradient)
        self.finite.note("weights", self._weights)
        self._parameters.scatter(self._weights)
        note_changed_parameters(self._module)
        return wishes

    def predict(self, batch: DataBatch) -> list[MXArray]:
        """The outputs for a batch, without an update; valid until the next call."""
        self._module.forward(batch, is_train=False)
        outputs: list[MXArray] = self._module.get_outputs()
        return outputs
