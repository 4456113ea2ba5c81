"""Connectionist temporal classification by MXNet's own operator (Graves et al., 2006)."""

from typing import Any

from ctc_ocr.losses.feasibility import sanitise
from ctc_ocr.runtime.mxnet import mx


def loss(logits: Any, label: Any, input_length: Any = None) -> Any:
    """-log p(label | logits), (N,) nats, of logits (T, N, C) and label (N, L) padded with 0.

    `input_length` (N,) is the number of steps of each sample; without it all T count.
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
