"""Start a process: a new interpreter that never runs the script or notebook of its parent.

multiprocessing lets a spawned process import the parent's __main__ again, because what is defined there could not be
unpickled otherwise. A script without `if __name__ == "__main__"` would start over in it, and a notebook cannot be
imported. Here cloudpickle sends what __main__ defines by value, and multiprocessing sees an empty __main__ while it
starts the process.
"""

import multiprocessing
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import ModuleType
from typing import Any

from ctc_ocr.errors import InputError
from ctc_ocr.runtime import child

# Not forked: the parent may have started threads, MXNet's among them.
SPAWN = multiprocessing.get_context("spawn")
SECONDS_TO_END = 2.0
_main_lock = threading.Lock()


class NotSendableError(InputError):
    """Something cannot be pickled, so no other process can have it."""


def start_process(*shared: object, starts_others: bool = False) -> tuple[Connection, SpawnProcess]:
    """A process that waits at the other end of the connection for what `pack` makes, sent with `send_bytes`.

    `shared`: memory to share (`SPAWN.RawArray`). Only with `starts_others` may it start processes itself. Call this
    within `interrupts_withheld`.
    """
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=child.run, args=(there, *shared), daemon=not starts_others)
    with _empty_main():
        process.start()
    there.close()
    return here, process


def pack(function: Callable[..., None], *arguments: Any) -> bytes:
    """The pickled call function(connection, *shared, *arguments).

    Raises NotSendableError as `pickled` does.
    """
    return pickled((function, arguments))


def pickled(value: object) -> bytes:
    """A value for `pickle.loads` in another process. What is defined in __main__ or a notebook is pickled by value.

    Raises NotSendableError for what cannot be pickled.
    """
    import cloudpickle  # here, since many commands start no process

    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as error:  # a user's object may raise anything
        raise NotSendableError(f"cannot be sent to other processes: {type(error).__name__}: {error}") from error


def how_it_ended(process: SpawnProcess) -> str:
    """Of a process whose connection was closed unexpectedly, such as "(pid 7) was killed by signal 9"."""
    process.join(SECONDS_TO_END)
    code = process.exitcode
    how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with status {code}"
    return f"(pid {process.pid}) {how}"


@contextmanager
def _empty_main() -> Iterator[None]:
    with _main_lock:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main
