"""Processes end with their parent and leave signals to it."""

import contextlib
import multiprocessing
import multiprocessing.connection
import multiprocessing.resource_tracker
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from ctc_ocr.runtime.signals import is_handled_in_c

# Windows has no signal masks, without which no process is started here.
CAN_START_PROCESSES = hasattr(signal, "pthread_sigmask")


def watch_parent() -> None:
    """In a process that was started: end it as soon as its parent is gone, even killed, and ignore Ctrl-C (SIGINT) and
    SIGTERM, which are sent to all processes of a group: the parent needs this one to end in good order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), name="watch_parent", daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    # Not sys.exit: the main thread may be in a long computation, or waiting for work that will never come.
    os._exit(1)


@contextlib.contextmanager
def interrupts_withheld() -> Iterator[None]:
    """Start processes inside this: they inherit a blocked SIGINT, so that Ctrl-C does not end them before watch_parent
    is called. A Ctrl-C in the meantime reaches the parent afterwards.
    """
    # The first process would start it, and that would unblock SIGINT (the end of CPython's ensure_running). This may
    # fail, as without a file descriptor, so it comes before the handler is changed.
    multiprocessing.resource_tracker.ensure_running()
    came = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True

    # Python runs the handler in the main thread, even if another thread, which blocks nothing, got the signal.
    # A handler that was set in C could not be put back.
    is_main_thread = threading.current_thread() is threading.main_thread()
    takes = is_main_thread and not is_handled_in_c(signal.SIGINT)
    handler = signal.signal(signal.SIGINT, note) if takes else None
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        if takes:
            signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)
