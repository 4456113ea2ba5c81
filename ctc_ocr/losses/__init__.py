"""Loss layers, one file each. All give the loss of each sample of the batch, (N,), and differ in who computes it."""

from typing import Any

from ctc_ocr._mxnet import mx
from ctc_ocr.losses import ctc, warpctc


def attach(loss: str, logits: Any, label: Any) -> Any:
    """The training symbol: outputs loss (N,) in nats and best path (N, T), the most probable class of each step.

    `logits` is (T, N, C), `label` (N, L) codes padded with 0; `loss` names the layer. What cannot be aligned (a label
    that with one step more for each two equal neighbours is longer than T) gives loss 0 and no gradient.
    """
    value = {"ctc": ctc.loss, "warpctc": warpctc.loss}[loss](logits, label)
    best_path = mx.sym.transpose(mx.sym.argmax(mx.sym.BlockGrad(logits), axis=2), name="best_path")
    return mx.sym.Group([mx.sym.make_loss(value, name="loss"), mx.sym.BlockGrad(best_path)])
