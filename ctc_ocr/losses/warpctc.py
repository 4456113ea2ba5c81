"""Connectionist temporal classification by Baidu's warp-ctc, as operators for symbols.

Importing this module registers two custom operators; the compiled library is looked for when a symbol is made of one.
Both let backward depend on all that it can: MXNet 1.9.1 keeps one list of dependencies for all the custom operators of
a process, and an operator with fewer of them than the last one bound fails in its backward.
"""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.errors import InputError
from ctc_ocr.losses import warpctc_library
from ctc_ocr.runtime.host_memory import host_view, is_on_host
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Context, MXArray, Symbol

logger = logging.getLogger(__name__)

LOSS_OPERATOR = "ctc_ocr_warpctc_loss"
SOFTMAX_OPERATOR = "ctc_ocr_warpctc_softmax"

_CustomOp: Any = mx.operator.CustomOp
_CustomOpProp: Any = mx.operator.CustomOpProp
_copies_announced: set[str] = set()


def loss(logits: Symbol, label: Symbol, input_length: Symbol | None = None) -> Symbol:
    """-log p(label | logits), (N,) nats, of logits (T, N, C) and label (N, L) padded with 0.

    `input_length` (N,) is the number of steps of each sample; without it all T count. What cannot be aligned has loss 0
    and gradient 0. Raises InputError when no compiled warp-ctc is found.
    """
    label_length = mx.sym.sum(label != 0, axis=1)
    if input_length is None:
        one_class = mx.sym.slice_axis(mx.sym.BlockGrad(logits), axis=2, begin=0, end=1)
        input_length = mx.sym.sum(mx.sym.ones_like(one_class), axis=(0, 2))
    return warpctc_loss(logits, label, label_length, input_length, name="ctc_loss")


def warpctc_loss(
    logits: Symbol, label: Symbol, label_length: Symbol, input_length: Symbol, name: str | None = None
) -> Symbol:
    """Losses (N,) of logits (T, N, C) float32; backward is the CTC gradient times the loss's own gradient.

    label: (N, L), of which the first `label_length` (N,) count, codes 1 to C - 1. input_length: (N,), 0 to T.
    Raises InputError when no compiled warp-ctc is found.
    """
    warpctc_library.load()
    return mx.sym.Custom(logits, label, label_length, input_length, op_type=LOSS_OPERATOR, name=name)


def warp_ctc(data: Symbol, label: Symbol, label_length: int, input_length: int, name: str | None = None) -> Symbol:
    """The operator mx.sym.WarpCTC: MXNet's own where its build has it, else one that keeps its contract.

    data: (T * N, C) or (T, N, C) float32 before the softmax, T being `input_length`. label: (N * L,) or (N, L) padded
    with the blank 0, L being `label_length`. Forward is the softmax, of the shape of data. Backward is the CTC
    gradient, whatever gradient comes from above. Raises InputError when no compiled warp-ctc is found.
    """
    built_in = built_in_operator(mx.sym)
    if built_in is None:
        warpctc_library.load()
        lengths = {"label_length": label_length, "input_length": input_length}
        softmax = mx.sym.Custom(data, label, op_type=SOFTMAX_OPERATOR, **lengths)
        return mx.sym.make_loss(softmax, name=name)  # the operator needs no gradient from above, and none is asked for
    rows = mx.sym.reshape(data, shape=(-1, 0), reverse=True)
    codes = mx.sym.reshape(label, shape=(-1,))
    softmax = built_in(data=rows, label=codes, label_length=label_length, input_length=input_length, name=name)
    return mx.sym.reshape_like(softmax, data)


def built_in_operator(symbols: Any) -> Callable[..., Any] | None:
    """WarpCTC of a namespace of symbols; only those MXNet builds have it that were compiled with its plugin."""
    operator: Callable[..., Any] | None = getattr(symbols, "WarpCTC", None)
    return operator


def _read(array: MXArray) -> NDArray[Any]:
    """An operator's input: its own memory on the host, a copy of another device's."""
    if is_on_host(array):
        return host_view(array)
    device = str(array.context)
    if device not in _copies_announced:
        _copies_announced.add(device)
        logger.warning("warp-ctc computes on the host: logits and gradients are copied from %s and back", device)
    copy: NDArray[Any] = array.asnumpy()
    return copy


def _codes(label: NDArray[Any], taken: NDArray[np.bool_]) -> NDArray[np.int32]:
    return np.ascontiguousarray(label[taken], np.int32)


class _HostOperator(_CustomOp):  # type: ignore[misc]
    """What both operators do with what they compute on the host."""

    def write(self, target: MXArray, request: str, values: NDArray[np.float32]) -> None:
        """Give an output or gradient its values, in the way that MXNet requests (write, inplace, add or null)."""
        if is_on_host(target) and request in ("write", "inplace"):
            np.copyto(host_view(target), values)
        elif request != "null":
            self.assign(target, request, mx.nd.array(values, ctx=target.context))


class _Loss(_HostOperator):
    """Computes loss and gradient in forward and keeps the gradient for backward."""

    def __init__(self) -> None:
        super().__init__()
        self._library = warpctc_library.load()
        self._gradient = np.empty((0, 0, 0), np.float32)

    def forward(
        self, is_train: bool, req: list[str], in_data: list[MXArray], out_data: list[MXArray], aux: list[MXArray]
    ) -> None:
        logits, label, label_length, input_length = map(_read, in_data)
        codes = _codes(label, np.arange(label.shape[1]) < label_length[:, None])
        arguments = (logits, codes, label_length.astype(np.int32), input_length.astype(np.int32))
        if is_train:
            if self._gradient.shape != logits.shape:
                self._gradient = np.empty(logits.shape, np.float32)
            loss, _ = self._library.loss_and_gradient(*arguments, out=self._gradient)
        else:
            loss = self._library.loss(*arguments)
        self.write(out_data[0], req[0], loss)

    def backward(
        self,
        req: list[str],
        out_grad: list[MXArray],
        in_data: list[MXArray],
        out_data: list[MXArray],
        in_grad: list[MXArray],
        aux: list[MXArray],
    ) -> None:
        head = _read(out_grad[0])[None, :, None]
        if req[0] == "write" and is_on_host(in_grad[0]):
            np.multiply(self._gradient, head, out=host_view(in_grad[0]))
        else:
            self.write(in_grad[0], req[0], self._gradient * head)
        for number in range(1, len(in_grad)):
            self.assign(in_grad[number], req[number], 0)


@mx.operator.register(LOSS_OPERATOR)
class _LossProperties(_CustomOpProp):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(need_top_grad=True)

    def list_arguments(self) -> list[str]:
        return ["data", "label", "label_length", "input_length"]

    def infer_shape(self, in_shape: list[list[int]]) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
        data, label = in_shape[:2]
        if len(data) != 3 or len(label) != 2 or label[0] != data[1]:
            raise InputError(f"warpctc: expected logits (T, N, C) and label (N, L), got shapes {data} and {label}")
        return [data, label, [data[1]], [data[1]]], [[data[1]]], []

    def infer_type(self, in_type: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        return [np.float32, *(each or np.float32 for each in in_type[1:])], [np.float32], []

    def create_operator(self, ctx: Context, shapes: list[tuple[int, ...]], dtypes: Any) -> _Loss:
        return _Loss()


class _Softmax(_HostOperator):
    """The old operator: forward the softmax, backward the gradient of the loss of its input."""

    def __init__(self, label_length: int, input_length: int) -> None:
        super().__init__()
        self._library = warpctc_library.load()
        self._label_length = label_length
        self._input_length = input_length

    def forward(
        self, is_train: bool, req: list[str], in_data: list[MXArray], out_data: list[MXArray], aux: list[MXArray]
    ) -> None:
        self.assign(out_data[0], req[0], mx.nd.softmax(in_data[0], axis=-1))

    def backward(
        self,
        req: list[str],
        out_grad: list[MXArray],
        in_data: list[MXArray],
        out_data: list[MXArray],
        in_grad: list[MXArray],
        aux: list[MXArray],
    ) -> None:
        data, label = map(_read, in_data)
        label = label.reshape(-1, self._label_length)
        logits = data.reshape(self._input_length, len(label), data.shape[-1])
        taken = label != 0
        written_in_place = req[0] == "write" and is_on_host(in_grad[0])
        gradient = host_view(in_grad[0]).reshape(logits.shape) if written_in_place else np.empty_like(logits)
        steps = np.full(len(label), self._input_length, np.int32)
        lengths = taken.sum(axis=1, dtype=np.int32)
        self._library.loss_and_gradient(logits, _codes(label, taken), lengths, steps, out=gradient)
        if not written_in_place:
            self.write(in_grad[0], req[0], gradient.reshape(data.shape))
        self.assign(in_grad[1], req[1], 0)


@mx.operator.register(SOFTMAX_OPERATOR)
class _SoftmaxProperties(_CustomOpProp):  # type: ignore[misc]
    def __init__(self, label_length: str, input_length: str) -> None:
        super().__init__(need_top_grad=True)
        self._label_length = int(label_length)
        self._input_length = int(input_length)

    def list_arguments(self) -> list[str]:
        return ["data", "label"]

    def infer_shape(self, in_shape: list[list[int]]) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
        data, label = in_shape
        rows = int(np.prod(data[:-1]))
        samples = rows // self._input_length
        fits = rows % self._input_length == 0 and (len(data) == 2 or data[0] == self._input_length)
        if len(data) not in (2, 3) or not fits:
            raise InputError(f"WarpCTC: expected data (T * N, C) or (T, N, C) with T={self._input_length}, got {data}")
        if tuple(label) not in ((samples * self._label_length,), (samples, self._label_length)):
            raise InputError(
                f"WarpCTC: expected label (N * L,) or (N, L) with N={samples}, L={self._label_length}, got {label}"
            )
        return [data, label], [data], []

    def infer_type(self, in_type: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        return [np.float32, in_type[1] or np.float32], [np.float32], []

    def create_operator(self, ctx: Context, shapes: list[tuple[int, ...]], dtypes: Any) -> _Softmax:
        return _Softmax(self._label_length, self._input_length)
