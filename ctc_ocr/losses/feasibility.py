"""What MXNet's own CTC operator must not be given: samples that cannot be aligned, and empty labels.

Of a sample that cannot be aligned, contrib.ctc_loss leaves the gradient uninitialised; of a batch of nothing but empty
labels it computes nothing at all. Both are given a label that it computes, and the result is put right after it.
"""

from typing import Any, NamedTuple

from ctc_ocr.runtime.mxnet import mx


class Alignable(NamedTuple):
    """Symbols to give to contrib.ctc_loss, and what makes its result the loss: weight * (loss + correction).

    label: (N, T) float32; label_length: (N,), 1 to T; input_length: (N,), at least 1; weight: (N,), 1, or 0 where the
    sample cannot be aligned; correction: (N,) nats. All float32.
    """

    label: Any
    label_length: Any
    input_length: Any
    weight: Any
    correction: Any


def sanitise(logits: Any, label: Any, input_length: Any = None) -> Alignable:
    """Of logits (T, N, C), label (N, L) padded with 0, L of any size, and steps of each sample (N,), 0 to T, if given.

    A sample can be aligned if its label, with one step more for each two equal neighbours, fits into its steps.
    Empty labels and those that cannot be aligned are replaced by one blank, taken for a code. Its alignments are the
    path of blanks, once for each way to divide `steps` into blanks before, of and after it: steps * (steps + 1) / 2
    ways. So its gradient is that of the empty label, and its loss is less by the logarithm of that number.
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
    # The operator takes no label that is wider than the steps; what is cut off belongs to labels that are not kept.
    within_steps = mx.sym.slice_like(padded, by_step)
    steps = mx.sym.maximum(steps, 1)
    return Alignable(
        label=mx.sym.broadcast_mul(within_steps, mx.sym.expand_dims(kept, axis=1)),
        label_length=mx.sym.maximum(kept * length, 1),
        input_length=steps,
        weight=mx.sym.BlockGrad(alignable),
        correction=mx.sym.BlockGrad((1 - kept) * mx.sym.log(steps * (steps + 1) / 2)),
    )
