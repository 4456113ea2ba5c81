"""Loss layers, one file each. All compute the same loss (N,), with different implementations."""

from collections.abc import Callable
from functools import partial

from ctc_ocr.losses import ctc, softmax, warpctc
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Symbol


def attach(
    loss: str, logits: Symbol, label: Symbol, steps: Symbol | None = None, label_smoothing: float = 0.0
) -> Symbol:
    """The training symbol: outputs loss (N,) in nats and best path (N, T), the most probable class of each step.

    `logits` is (T, N, C), `label` (N, L) codes padded with 0; `loss` names the layer. `steps` (N,): each sample's own
    time steps (default: all T); the best path is -1 beyond them. A sample that cannot be aligned has loss 0 and no
    gradient. `label_smoothing` is that of the softmax.
    """
    layers: dict[str, Callable[..., Symbol]] = {
        "ctc": ctc.loss,
        "warpctc": warpctc.loss,
        "softmax": partial(softmax.loss, smoothing=label_smoothing),
    }
    value = layers[loss](logits, label, input_length=steps)
    path = mx.sym.argmax(mx.sym.BlockGrad(logits), axis=2)
    if steps is not None:
        path = mx.sym.SequenceMask(path, sequence_length=steps, use_sequence_length=True, value=-1)
    path = mx.sym.transpose(path, name="best_path")
    return mx.sym.Group([mx.sym.make_loss(value, name="loss"), mx.sym.BlockGrad(path)])
