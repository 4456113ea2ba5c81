"""Cross entropy of the softmax, for networks that make one time step of an image: each label is one unit.

It is the loss of CTC with one step: all classes are in the softmax, the blank too, which is no label's and so soon
improbable.
"""

from ctc_ocr.losses.feasibility import sanitise
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Symbol


def loss(logits: Symbol, label: Symbol, input_length: Symbol | None = None, smoothing: float = 0.0) -> Symbol:
    """-log p(label | logits), (N,) nats, of logits (1, N, C) and label (N, L), of which the first code counts.

    With `smoothing`, this share of a label's probability is aimed at evenly over all units (Szegedy et al., "Rethinking
    the Inception architecture for computer vision", 2016). A label of several units has loss 0 and no gradient, as with
    CTC. `input_length` says nothing new: each sample has one step.
    """
    log_probs = mx.sym.log_softmax(mx.sym.reshape(logits, (-3, 0)), axis=-1)  # (N, C)
    code = mx.sym.reshape(mx.sym.slice_axis(label, axis=1, begin=0, end=1), (-1,))
    value = mx.sym.pick(log_probs, code, axis=1)
    if smoothing:
        units = mx.sym.mean(mx.sym.slice_axis(log_probs, axis=1, begin=1, end=None), axis=1)
        value = (1 - smoothing) * value + smoothing * units
    return -sanitise(logits, label).weight * value
