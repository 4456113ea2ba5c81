"""A network on its device, which several threads may use at once."""

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.inference.graph import InferenceGraph
from ctc_ocr.runtime.host_memory import host_view, is_on_host
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.mxnet_internals import bound_executor
from ctc_ocr.runtime.types import Context, Executor, MXArray, Symbol

# Held while a graph is built or bound: MXNet does not promise that two threads may do so at once.
GRAPH_LOCK = threading.RLock()


class Network:
    """A graph with its parameters, bound once for each batch size in use.

    All sizes share memory: that of the batch of `full_rows` images of the full width, except for single images, which
    share that of one image of the full width. A lock is held from the moment that a batch is written into this memory
    until the output is copied out of it. It costs little, since MXNet computes one batch at a time anyway.
    """

    def __init__(
        self,
        graph: InferenceGraph,
        symbol: Symbol,
        arg_params: Mapping[str, MXArray],
        aux_params: Mapping[str, MXArray],
        full_rows: int,
        context: Context,
    ) -> None:
        self._graph, self._symbol = graph, symbol
        self._arg_params, self._aux_params = arg_params, aux_params
        self._full_rows, self._context = full_rows, context
        self._executors: dict[tuple[int, int], Executor] = {}
        self._lock = threading.Lock()

    @property
    def bound_sizes(self) -> set[tuple[int, int]]:
        """(images, width) of the batches that it is bound for."""
        return set(self._executors)

    def log_probabilities(
        self, images: NDArray[np.uint8], steps: NDArray[np.intp] | None, rows: int
    ) -> NDArray[np.float32]:
        """Log probabilities (T, N, C) of images (N, H, W) or (N, H, W, 3) and their time steps (N,), computed in a
        batch of `rows` >= N images."""
        data = self._graph.encode(_pad(images, rows))
        with self._lock:
            executor = self._executor(rows, images.shape[2])
            _write(executor.arg_dict["data"], data)
            if steps is not None and self._graph.takes_steps:
                _write(executor.arg_dict["steps"], _pad(np.asarray(steps, np.float32), rows))
            output: NDArray[np.float32] = executor.forward(is_train=False)[0].asnumpy()
        return output[:, : len(images)]

    def _executor(self, rows: int, width: int) -> Executor:
        """The bound graph for batches of this size."""
        if (rows, width) not in self._executors:
            full = (1 if rows == 1 else self._full_rows, self._graph.hyperparameters.geometry.full_width)
            with GRAPH_LOCK:
                if (rows, width) == full:
                    made = self._bind(rows, width)
                else:
                    shapes = self._graph.input_shapes(rows, width)
                    made = self._executor(*full).reshape(partial_shaping=True, allow_up_sizing=True, **shapes)
            self._executors[rows, width] = made
        return self._executors[rows, width]

    def _bind(self, rows: int, width: int) -> Executor:
        """The executor of a Module. It is used directly, since loading a batch by the Module's own way takes a quarter
        of the time of a single image."""
        shapes = self._graph.input_shapes(rows, width)
        types = {"data": self._graph.data_dtype, "steps": "float32"}
        inputs = [mx.io.DataDesc(name, shape, dtype=types[name]) for name, shape in shapes.items()]
        module = mx.mod.Module(self._symbol, data_names=list(shapes), label_names=None, context=self._context)
        module.bind(inputs, for_training=False)
        module.set_params(self._arg_params, self._aux_params)
        return bound_executor(module)


def _pad(values: NDArray[Any], rows: int) -> NDArray[Any]:
    """With zeros appended, up to `rows` rows."""
    if len(values) == rows:
        return values
    padded = np.zeros((rows, *values.shape[1:]), values.dtype)
    padded[: len(values)] = values
    return padded


def _write(array: MXArray, values: NDArray[Any]) -> None:
    """Set an input, which no pending computation uses: the output of the last one has been copied."""
    if is_on_host(array):
        np.copyto(host_view(array), values)  # MXNet's own ways take as long as all of the network but its LSTMs
    else:
        array[:] = mx.nd.array(values, dtype=values.dtype)
