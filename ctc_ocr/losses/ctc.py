"""Connectionist temporal classification by MXNet's own operator (Graves et al., 2006)."""

from ctc_ocr.losses.feasibility import sanitise
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import Symbol


def loss(logits: Symbol, label: Symbol, input_length: Symbol | None = None) -> Symbol:
    """-log p(label | logits), (N,) nats, of logits (T, N, C) and label (N, L) padded with 0.

    `input_length` (N,) is each sample's number of time steps; None: all T.
    """
    safe = sanitise(logits, label, input_length)
    value = mx.sym.contrib.ctc_loss(
        logits,
        safe.label,
        safe.input_length,
        safe.label_length,
        use_data_lengths=True,
        use_label_lengths=True,
        name="ctc_loss",
    )
    return safe.weight * (value + safe.correction)
