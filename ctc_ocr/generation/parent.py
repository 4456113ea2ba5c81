"""Worker processes that end with their parent, and leave Ctrl-C to it."""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterator


def watch_parent() -> None:
    """Called in a worker process: end it as soon as its parent is gone, even killed, and ignore Ctrl-C (SIGINT)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), name="watch_parent", daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    # Not sys.exit: the main thread may be inside a long computation, or waiting for work that will never come.
    os._exit(1)


@contextlib.contextmanager
def interrupts_withheld() -> Iterator[None]:
    """Start worker processes inside this: they inherit a blocked SIGINT and so do not die of Ctrl-C in the moment
    before watch_parent is called in them. The parent itself gets a Ctrl-C of that time afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
