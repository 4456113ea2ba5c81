"""Ctrl-C (SIGINT) and SIGTERM, delayed until the end of an update, so that what is saved is complete."""

import signal
import threading
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from ctc_ocr.runtime.signals import is_handled_in_c, is_left_alone

STOP, HANDLED = b"stop", b"handled"  # what a parent sends: end the run, and an event has been handled


class Interrupts:
    """While active, the first of these signals asks the run to end; another Ctrl-C raises KeyboardInterrupt as usual.

    `number` is that of the signal that came, 0 before. A SIGTERM that the process was started to ignore stays ignored,
    and a signal that is handled in C is left alone. Does nothing outside the main thread, where Python delivers no
    signals.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether the run is to end after the update under way."""
        return self.number != 0

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            taken = [] if is_handled_in_c(signal.SIGINT) else [signal.SIGINT]
            taken += [] if is_left_alone(signal.SIGTERM) else [signal.SIGTERM]
            self._before = {number: signal.signal(number, self._handle) for number in taken}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.number and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = self.number or number


class InterruptsOfParent(Interrupts):
    """In a process that leaves signals to its parent: its message STOP is one."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    @property
    def requested(self) -> bool:
        if not self.number and self._connection.poll():
            self._receive()
        return self.number != 0

    def await_handled(self) -> None:
        """Until the parent has handled the event that it was sent."""
        while self._receive() != HANDLED:
            pass

    def _receive(self) -> bytes:
        message = self._connection.recv_bytes()
        if message == STOP:
            self.number = signal.SIGINT
        return message

    def __enter__(self) -> "InterruptsOfParent":
        return self
