"""SIGTERM ends a command as Ctrl-C does: with what it has opened closed, and its processes ended."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


def interruption(number: int) -> KeyboardInterrupt:
    """What to raise for a signal that ended something."""
    return Terminated() if number == signal.SIGTERM else KeyboardInterrupt()


@contextlib.contextmanager
def sigterm_raises() -> Iterator[None]:
    """SIGTERM raises Terminated within this.

    Does nothing where the process was started to ignore it, as a script does that forwards signals itself, or handles
    it in C; nor outside the main thread, where Python delivers no signals.
    """
    if threading.current_thread() is not threading.main_thread() or is_left_alone(signal.SIGTERM):
        yield
        return

    def raise_it(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, raise_it)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and Ctrl-C end the process at once within this, where it waits in a library's code: Python's handlers
    would not run before that returns. A signal that the process ignores or handles in C is left alone. Does nothing
    outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [number for number in (signal.SIGINT, signal.SIGTERM) if not is_left_alone(number)]
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def is_left_alone(number: int) -> bool:
    """Whether the process ignores a signal, or handles it in C."""
    return signal.getsignal(number) is signal.SIG_IGN or is_handled_in_c(number)


def is_handled_in_c(number: int) -> bool:
    """Whether the program that runs Python has a handler of its own for a signal. Python could not put it back."""
    return signal.getsignal(number) is None
