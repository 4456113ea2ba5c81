"""Keeps from MXNet's CTC operator what it computes wrongly: samples that cannot be aligned, and empty labels.

For a sample that cannot be aligned, contrib.ctc_loss leaves the gradient uninitialised; for a batch of empty labels
only, it computes nothing. Both get a label that it can compute, and the result is corrected.
"""

from typing import NamedTuple

from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Symbol


class Alignable(NamedTuple):
    """Inputs for contrib.ctc_loss; the loss is weight * (its result + correction).

    label: (N, T) float32; label_length: (N,), 1 to T; input_length: (N,), at least 1; weight: (N,), 1, or 0 where the
    sample cannot be aligned; correction: (N,) nats. All float32.
    """

    label: Symbol
    label_length: Symbol
    input_length: Symbol
    weight: Symbol
    correction: Symbol


def sanitise(logits: Symbol, label: Symbol, input_length: Symbol | None = None) -> Alignable:
    """Of logits (T, N, C), label (N, L) padded with 0, L of any size, and steps of each sample (N,), 0 to T, if given.

    A sample can be aligned if its label, with an extra step for each two equal neighbours, fits into its time steps.
    Empty labels and those that cannot be aligned are replaced by a single blank in the role of a unit. Its alignments
    are the all-blank path, once for each way to split `steps` into blanks before, in and after it: steps * (steps + 1)
    / 2 ways. So its gradient is that of the empty label, and its loss is smaller by the logarithm of that number.
    """
    by_step = mx.sym.transpose(
        mx.sym.reshape(mx.sym.slice_axis(mx.sym.BlockGrad(logits), axis=2, begin=0, end=1), (0, 0))
    )
    steps = (
        mx.sym.sum(mx.sym.ones_like(by_step), axis=1) if input_length is None else mx.sym.cast(input_length, "float32")
    )
    label = mx.sym.cast(label, "float32")
    length = mx.sym.sum(label != 0, axis=1)
    padded = mx.sym.concat(label, mx.sym.zeros_like(by_step), dim=1)
    following = mx.sym.slice_like(mx.sym.slice_axis(padded, axis=1, begin=1, end=None), label)
    repeats = mx.sym.sum((label == following) * (label != 0), axis=1)
    alignable = (length + repeats <= steps) * (steps > 0)
    kept = alignable * (length > 0)
    # The operator accepts no label wider than the time steps; what is cut off belongs to labels that are not kept.
    within_steps = mx.sym.slice_like(padded, by_step)
    steps = mx.sym.maximum(steps, 1)
    return Alignable(
        label=mx.sym.broadcast_mul(within_steps, mx.sym.expand_dims(kept, axis=1)),
        label_length=mx.sym.maximum(kept * length, 1),
        input_length=steps,
        weight=mx.sym.BlockGrad(alignable),
        correction=mx.sym.BlockGrad((1 - kept) * mx.sym.log(steps * (steps + 1) / 2)),
    )
