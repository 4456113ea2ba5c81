"""A run with several training workers on this machine: their processes are started, watched and ended here.

The parent trains nothing. It calls the callbacks, and when a process is lost it ends the others: a worker that waits
for the sum of all would wait for ever.
"""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.distributed.cluster import free_port, on_this_machine
from ctc_ocr.distributed.serving_process import serve_quietly
from ctc_ocr.errors import RunError
from ctc_ocr.runtime.child import StartFailure
from ctc_ocr.runtime.parent import interrupts_withheld
from ctc_ocr.runtime.processes import how_it_ended, pack, pickled, start_process
from ctc_ocr.runtime.signals import interruption
from ctc_ocr.training.events import OF_FILES, Callback, Saved, StateSaved
from ctc_ocr.training.interrupts import HANDLED, STOP, Interrupts
from ctc_ocr.training.job import Begun, Ended, Job
from ctc_ocr.training.worker_process import Result, work

FIRST = "worker 0"  # it has the results, and sends the events
POLL_SECONDS = 0.2  # until Ctrl-C is noticed
SECONDS_TO_LEAVE = 2.0

log = logging.getLogger(__name__)


class WorkerProcesses:
    """`count` training workers with `threads` threads each, a server and a scheduler. Use it in a `with` block, which
    ends them. Raises NotSendableError, an InputError, for what cannot be pickled."""

    def __init__(self, job: Job, count: int, threads: int) -> None:
        cluster = on_this_machine(free_port(), count)
        given = pickled((job, ARCHITECTURES.own_parts()))
        level = logging.getLogger("ctc_ocr").getEffectiveLevel()
        calls = {role: pack(serve_quietly, cluster, role) for role in ("scheduler", "server")}
        calls |= {f"worker {n}": pack(work, n, threads, cluster, level, given) for n in range(count)}
        self._has_saved = job.options.resume  # whether there is something to resume from
        self._workers = [name for name in calls if name.startswith("worker")]
        self._names: dict[Connection, str] = {}
        self._processes: dict[Connection, SpawnProcess] = {}
        try:
            with interrupts_withheld():
                for name in calls:
                    connection, process = start_process(starts_others=name in self._workers)
                    self._names[connection], self._processes[connection] = name, process
            for connection, name in self._names.items():
                connection.send_bytes(calls[name])
        except BaseException:
            self.close()
            raise
        self._awaited = list(self._processes)

    @property
    def process_ids(self) -> dict[str, int]:
        """{name: process id}; the names are scheduler, server, worker 0, worker 1, and so on."""
        processes = ((self._names[connection], process.pid) for connection, process in self._processes.items())
        return {name: pid for name, pid in processes if pid is not None}

    def __enter__(self) -> "WorkerProcesses":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, begin: Callable[[Begun], Callback]) -> Ended:
        """Until all workers have ended. `begin` returns what gets the events.

        The first Ctrl-C or SIGTERM after the run has begun ends it after the update under way; another Ctrl-C raises
        KeyboardInterrupt, and so does a signal before (SIGTERM: Terminated). Raises the error of a worker that failed,
        and RunError for a process that was lost.
        """
        results: dict[str, Ended] = {}
        call: Callback | None = None
        told = False
        with Interrupts() as interrupts:
            while not all(name in results for name in self._workers):
                if interrupts.requested and not told:
                    told = True
                    if call is None:
                        raise interruption(interrupts.number)
                    self._tell_workers()
                for connection, message in self._messages():
                    if isinstance(message, logging.LogRecord):
                        logging.getLogger(message.name).handle(message)
                    elif isinstance(message, Begun):
                        call = begin(message)
                    elif isinstance(message, Result):
                        results[self._names[connection]] = _ended(message)
                        self._awaited.remove(connection)
                    elif call is not None:
                        self._has_saved |= isinstance(message, Saved | StateSaved)
                        call(message)
                        if isinstance(message, OF_FILES):
                            _send(connection, HANDLED)
        ended = results[FIRST]
        return ended if ended.finished else replace(ended, signal=interrupts.number)

    def close(self) -> None:
        """End the processes."""
        for process in self._processes.values():
            process.kill()
        for connection, process in self._processes.items():
            process.join()
            connection.close()
        self._processes.clear()

    def _messages(self) -> list[tuple[Connection, Any]]:
        """What was sent, by processes that have not ended their work; raises RunError for one that is lost."""
        messages = []
        for connection in wait(self._awaited, POLL_SECONDS):
            assert isinstance(connection, Connection)
            try:
                message = connection.recv()
            except (EOFError, OSError):
                if self._has_left(connection):
                    self._awaited.remove(connection)
                    continue
                raise self._lost(connection) from None
            if isinstance(message, StartFailure):
                raise RunError(f"{self._names[connection]} could not start: {message.reason}")
            messages.append((connection, message))
        return messages

    def _has_left(self, connection: Connection) -> bool:
        """Whether it is the scheduler or the server, which leave without an error when all workers have."""
        process = self._processes[connection]
        process.join(SECONDS_TO_LEAVE)
        return self._names[connection] not in self._workers and process.exitcode == 0

    def _tell_workers(self) -> None:
        for connection in self._awaited:
            if self._names[connection] in self._workers:
                _send(connection, STOP)

    def _lost(self, connection: Connection) -> RunError:
        name = self._names[connection]
        ended = how_it_ended(self._processes[connection])
        left = "--resume goes on from the newest checkpoint" if self._has_saved else "the run had saved nothing yet"
        return RunError(f"{name} {ended}: the other processes were ended too; {left}")


def _send(connection: Connection, message: bytes) -> None:
    with contextlib.suppress(OSError):  # it is lost, or has just ended: its next message tells
        connection.send_bytes(message)


def _ended(result: Result) -> Ended:
    if result.error is not None:
        raise result.error
    assert result.ended is not None
    return result.ended
