"""Log lines that say how to use a model, or how to go on with its run. They have a logger of their own, since nobody
needs them where the model will be removed."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

advice = logging.getLogger("ctc_ocr.advice")


@contextmanager
def without_advice() -> Iterator[None]:
    """No such line is logged within this."""
    before, advice.disabled = advice.disabled, True
    try:
        yield
    finally:
        advice.disabled = before
