"""What a process that was started runs first. Few imports: an error in any later one is reported to the parent."""

import contextlib
import pickle
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection

from ctc_ocr.runtime.parent import watch_parent


@dataclass(frozen=True)
class StartFailure:
    """Sent to the parent by a process that cannot start. `reason` is the last line of the traceback."""

    reason: str


def run(connection: Connection, *shared: object) -> None:
    """Receive (function, arguments), pickled, and call function(connection, *shared, *arguments)."""
    watch_parent()
    try:
        function, arguments = pickle.loads(connection.recv_bytes())
    except EOFError:  # closed before it began
        return
    except BaseException as error:  # SystemExit too: a module of the user may end its process when it is imported
        _report(connection, error)
        return
    function(connection, *shared, *arguments)


def _report(connection: Connection, error: BaseException) -> None:
    with contextlib.suppress(EOFError, OSError):
        connection.send(StartFailure(traceback.format_exception_only(error)[-1].strip()))
        while True:  # until the parent has read it and closes
            connection.recv_bytes()
