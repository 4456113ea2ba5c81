"""Loss layers, one file each. All give the loss of each sample of the batch, (N,), and differ in who computes it."""

from typing import Any

from ctc_ocr.losses import ctc, warpctc
from ctc_ocr.runtime.mxnet import mx


def attach(loss: str, logits: Any, label: Any, steps: Any = None) -> Any:
    """The training symbol: outputs loss (N,) in nats and best path (N, T), the most probable class of each step.

    `logits` is (T, N, C), `label` (N, L) codes padded with 0; `loss` names the layer. `steps` (N,) is how many steps of
    each sample are its own (default: all T); the best path is -1 behind them. What cannot be aligned (a label that
    with one step more for each two equal neighbours is longer than that) gives loss 0 and no gradient.
    """
    value = {"ctc": ctc.loss, "warpctc": warpctc.loss}[loss](logits, label, input_length=steps)
    path = mx.sym.argmax(mx.sym.BlockGrad(logits), axis=2)
    if steps is not None:
        path = mx.sym.SequenceMask(path, sequence_length=steps, use_sequence_length=True, value=-1)
    path = mx.sym.transpose(path, name="best_path")
    return mx.sym.Group([mx.sym.make_loss(value, name="loss"), mx.sym.BlockGrad(path)])
