"""Ctrl-C, delayed until the end of an update, so that what is saved is complete."""

import signal
import threading
from multiprocessing.connection import Connection
from types import FrameType


class Interrupts:
    """While active, the first Ctrl-C sets `requested`; a second one raises KeyboardInterrupt as usual.

    Does nothing outside the main thread, where Python delivers no signals.
    """

    def __init__(self) -> None:
        self.came = False
        self._before: object = None

    @property
    def requested(self) -> bool:
        """Whether the run is to end after the update under way."""
        return self.came

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True


class InterruptsOfParent(Interrupts):
    """In a process that leaves Ctrl-C to its parent: a message through the pipe is one."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    @property
    def requested(self) -> bool:
        if not self.came and self._connection.poll():
            self._connection.recv_bytes()
            self.came = True
        return self.came

    def __enter__(self) -> "InterruptsOfParent":
        return self
