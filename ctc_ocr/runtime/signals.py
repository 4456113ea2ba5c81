"""SIGTERM ends a command as Ctrl-C does: with what it has opened closed, and its processes ended."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


@contextlib.contextmanager
def sigterm_raises() -> Iterator[None]:
    """SIGTERM raises Terminated within this.

    Does nothing where the process was started to ignore it, as a script does that forwards signals itself, nor outside
    the main thread, where Python delivers no signals.
    """
    if threading.current_thread() is not threading.main_thread() or is_ignored(signal.SIGTERM):
        yield
        return

    def raise_it(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, raise_it)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def is_ignored(number: int) -> bool:
    """Whether the process ignores a signal."""
    return signal.getsignal(number) is signal.SIG_IGN
