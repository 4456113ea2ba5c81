"""The network in training: its graph with the loss, its parameters, and its optimizer, on one or several devices."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr import losses, symbols
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.config.sections import Training
from ctc_ocr.datasets.iterator import BatchIter
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.mxnet_internals import (
    bound_executor,
    current_module,
    gradient_arrays,
    parameter_arrays,
    updater,
)
from ctc_ocr.runtime.types import Context, DataBatch, MXArray, Symbol
from ctc_ocr.symbols.contract import check_contract
from ctc_ocr.training.initialisation import initial_parameters
from ctc_ocr.training.optimizer import clip_global_norm, make_optimizer, restore_state, state_arrays, sum_over_devices
from ctc_ocr.training.schedules import Schedule

Parameters = dict[str, MXArray]


def training_symbol(model: Model) -> Symbol:
    """Inputs data (N, H, W) uint8 or (N, H, W, 3), steps (N,) with keep_ratio, and label (N, L).

    Outputs loss (N,) and best path (N, T). It is the same for images of any width. Raises InputError for an
    architecture that does not fulfil its contract.
    """
    settings = model.hyperparameters
    steps = mx.sym.Variable("steps") if settings.data.keep_ratio else None
    logits = symbols.logits(mx.sym.Variable("data"), settings, model.alphabet.num_classes, steps)
    check_contract(logits, settings, model.alphabet.num_classes)
    return losses.attach(settings.training.loss, logits, mx.sym.Variable("label"), steps)


def _is_random(symbol: Symbol) -> bool:
    """Whether a graph has operators that draw random numbers: dropout, or others in an architecture of the user."""
    operators = (node["op"] for node in json.loads(symbol.tojson())["nodes"])
    return any(op == "Dropout" or op.startswith(("_random", "_sample")) for op in operators)


class TrainingNetwork:
    """One Module for each width of batches, all with the same parameters; captchas have one width."""

    def __init__(self, model: Model, data: BatchIter, contexts: Sequence[Context]) -> None:
        self.symbol = training_symbol(model)
        self._is_random = _is_random(self.symbol)
        self._training = model.hyperparameters.training
        self._num_devices = len(contexts)
        inputs = [each.name for each in data.provide_data]
        self._modules = mx.mod.BucketingModule(
            lambda width: (self.symbol, inputs, ["label"]), data.default_bucket_key, context=list(contexts)
        )
        self._modules.bind(data.provide_data, data.provide_label)
        module = current_module(self._modules)
        shapes = {each.name: each.shape for each in [*module.data_shapes, *module.label_shapes]}
        arguments, _, _ = self.symbol.infer_shape(**shapes)
        weights = {n: s for n, s in zip(self.symbol.list_arguments(), arguments, strict=True) if n not in shapes}
        values = initial_parameters(weights, np.random.default_rng(self._training.seed))
        self._modules.init_params(arg_params={name: mx.nd.array(value) for name, value in values.items()})

    def parameters(self) -> tuple[Parameters, Parameters]:
        """Weights, and moving averages of batch norm: {name: array on the CPU} each."""
        # An executor's backward changes the moving averages without telling MXNet's engine that it writes: without
        # this, those of the update before could be read.
        mx.nd.waitall()
        arguments, auxiliary = self._modules.get_params()
        return arguments, auxiliary

    def arrays_in_use(self) -> Parameters:
        """Weights with which the first device computes, by name, and copies of its moving averages: until the next
        update, which may change those at any time (see `parameters`)."""
        executor = bound_executor(current_module(self._modules))
        if executor.aux_dict:
            mx.nd.waitall()
        auxiliary = {name: mx.nd.array(array.asnumpy(), array.context) for name, array in executor.aux_dict.items()}
        inputs = {each.name for each in [*self._modules.data_shapes, *self._modules.label_shapes]}
        return {**{name: array for name, array in executor.arg_dict.items() if name not in inputs}, **auxiliary}

    def set_parameters(self, arguments: Mapping[str, MXArray], auxiliary: Mapping[str, MXArray]) -> None:
        self._modules.set_params(dict(arguments), dict(auxiliary))

    def init_optimizer(self, training: Training, schedule: Schedule, updates_done: int) -> None:
        """A new optimizer, without state."""
        optimizer = make_optimizer(training, schedule, updates_done)
        # No key-value store: the gradients of several devices are summed in `update`, before their norm is clipped.
        self._modules.init_optimizer(kvstore=None, optimizer=optimizer, force_init=True)

    def optimizer_state(self) -> dict[str, NDArray[Any]]:
        return state_arrays(updater(current_module(self._modules)), self._num_devices)

    def restore_optimizer(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Raises InputError for the state of another optimizer or network."""
        module = current_module(self._modules)
        restore_state(updater(module), parameter_arrays(module), arrays)

    def update(self, batch: DataBatch, seed: int) -> list[MXArray]:
        """One update of the weights. Returns copies of the outputs, which are computed while the caller goes on.

        `seed` (below 2**31) decides what dropout drops, so that it does not depend on when the run was resumed.
        """
        if self._is_random:
            mx.random.seed(seed)  # 0.5 ms and more: not for graphs that need none
        self._modules.forward_backward(batch)
        module = current_module(self._modules)
        outputs = [each.copy() for each in module.get_outputs()]
        gradients = gradient_arrays(module)
        sum_over_devices(gradients)
        if self._training.clip_gradient:
            # The gradients are sums over the batch, the maximum norm is that of their mean.
            max_norm = self._training.clip_gradient * self._training.batch_size
            for device in range(self._num_devices):
                clip_global_norm([copies[device] for copies in gradients], max_norm)
        self._modules.update()
        return outputs

    def predict(self, batch: DataBatch) -> list[MXArray]:
        """The outputs for a batch, without an update; valid until the next call."""
        self._modules.forward(batch, is_train=False)
        outputs: list[MXArray] = current_module(self._modules).get_outputs()
        return outputs
