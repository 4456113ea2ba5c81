"""Image processes fill batches in shared memory. The batches come in the order of their numbers.

A batch is a set of arrays in one slot of a ring. The parent tells a process, over a pipe, which batch goes into which
slot; the process fills it and answers. Only these numbers are pickled. A slot is filled again only after the parent has
asked for the next batch, so nothing is overwritten before it is read. A batch depends on its number alone, so the data
are the same whatever the number of processes and their speed.

The memory is anonymous (an unlinked file): it disappears with the last process that maps it, however that one ends.
"""

import logging
import os
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

from ctc_ocr.errors import RunError, UserError
from ctc_ocr.runtime.child import StartFailure
from ctc_ocr.runtime.parent import interrupts_withheld
from ctc_ocr.runtime.processes import SECONDS_TO_END, SPAWN, how_it_ended, pack, start_process
from ctc_ocr.runtime.supervision import PATIENCE, POLL_SECONDS, Deaths, Patience, Watch

Arrays = dict[str, np.ndarray[Any, Any]]
JOBS_PER_PROCESS = 2  # one being filled and one waiting, so that no process idles while the parent is busy
ALIGNMENT = 64

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ArraySpec:
    """Shape and dtype of one array of a batch."""

    shape: tuple[int, ...]
    dtype: DTypeLike


class BatchSource(Protocol):
    """What image processes run. It is pickled once; classes of a script or notebook are pickled by value."""

    def specs(self) -> Mapping[str, ArraySpec]:
        """Name, shape and dtype of the arrays of one batch."""

    def fill(self, number: int, arrays: Arrays) -> None:
        """Fill every element of `arrays` with batch `number`; the result depends on the number alone."""


class ImageProcessError(RunError):
    """An image process could not start, raised an exception, or died again and again."""


@dataclass(frozen=True)
class Answer:
    """Sent by an image process: batch `number` is in `slot`, or what went wrong."""

    number: int
    slot: int
    reason: str | None = None
    where: str = ""


class WaitInterrupted(Exception):
    """Nobody waits for a batch any more: `BatchPool.interrupted` was true."""


@dataclass
class _Worker:
    """An image process: its jobs (number, slot) in their order, and what watches it."""

    process: SpawnProcess
    watch: Watch
    jobs: deque[tuple[int, int]] = field(default_factory=deque)


class BatchPool:
    """An iterator over the batches `numbers` of a source, filled by `num_proc` image processes.

    The arrays of a batch are valid until the next one is asked for. With `niceness`, the processes have a lower
    priority (0 to 19, as in os.nice). A process that dies, or does nothing for longer than `patience`, is replaced,
    with a warning, and its batches are filled anew, with the same content. Asking for a batch raises ImageProcessError
    if its process raised, if one cannot start, or if processes die again and again; and WaitInterrupted if the function
    `interrupted` is true while it waits. close() ends the processes; leaving a `with` block calls it. Raises InputError
    for a source that cannot be pickled.
    """

    def __init__(
        self,
        source: BatchSource,
        num_proc: int,
        numbers: Iterable[int],
        niceness: int = 0,
        patience: Patience = PATIENCE,
    ) -> None:
        self.seconds_waited = 0.0
        self.interrupted: Callable[[], bool] = lambda: False
        self._numbers = iter(numbers)
        self._wanted: deque[int] = deque()  # numbers of the batches that were asked for, in order
        self._answers: dict[int, Answer] = {}  # to batches that are wanted, by their numbers
        self._held: int | None = None  # the slot that the caller reads
        self._workers: dict[Connection, _Worker] = {}
        self._deaths, self._patience, self._killed = Deaths(), patience, False
        specs = dict(source.specs())
        # Packed again for a process that replaces another: kept, it could be large.
        self._call = (_fill_batches, source, specs, niceness)
        call = pack(*self._call)
        # One slot more than there can be jobs: the one that the caller reads.
        self._memory = [SPAWN.RawArray("B", _num_bytes(specs)) for _ in range(num_proc * JOBS_PER_PROCESS + 1)]
        self._slots = [_views(each, specs) for each in self._memory]
        self._free = deque(range(len(self._memory)))
        try:
            with interrupts_withheld():
                started = [self._start() for _ in range(num_proc)]
            for connection in started:
                self._send(connection, call)
            self._hand_out()
        except BaseException:
            self.close()
            raise

    @property
    def process_ids(self) -> list[int]:
        """Process ids of the image processes."""
        return [each.process.pid for each in self._workers.values() if each.process.pid is not None]

    def __enter__(self) -> "BatchPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> "BatchPool":
        return self

    def __next__(self) -> Arrays:
        if self._held is not None:
            self._free.append(self._held)
            self._held = None
        self._hand_out()
        if not self._wanted:
            raise StopIteration
        started = time.perf_counter()
        for each in self._workers.values():
            each.watch.pause()
        while self._wanted[0] not in self._answers:
            if self.interrupted():
                raise WaitInterrupted
            self._collect()
        self.seconds_waited += time.perf_counter() - started
        answer = self._answers.pop(self._wanted.popleft())
        self._held = answer.slot
        if answer.reason is not None:
            raise ImageProcessError(answer.reason, answer.where)
        return self._slots[answer.slot]

    def close(self) -> None:
        """End the processes. Nothing is left of them or of their memory."""
        for connection in self._workers:
            connection.close()  # a process that waits for a job ends by itself
        deadline = time.monotonic() + SECONDS_TO_END
        for each in self._workers.values():
            each.process.join(max(0.0, deadline - time.monotonic()))
            if each.process.is_alive():
                each.process.kill()
                each.process.join()
        self._workers.clear()
        self._numbers = iter(())
        self._wanted.clear()

    def kill(self) -> None:
        """End the processes at once. Unlike close(), another thread may call it: the one that waits for a batch gets
        ImageProcessError."""
        self._killed = True
        for each in list(self._workers.values()):
            each.process.kill()

    def _start(self) -> Connection:
        connection, process = start_process(self._memory)
        self._workers[connection] = _Worker(process, Watch(process, self._patience))
        if self._killed:  # it replaces another one, and may have come too late for kill()
            process.kill()
        return connection

    def _send(self, connection: Connection, message: bytes) -> None:
        with suppress(OSError):  # it has died, which _collect notices
            connection.send_bytes(message)

    def _hand_out(self) -> None:
        """Give each free slot to the process that has the fewest jobs."""
        while self._free and self._workers:
            connection = min(self._workers, key=lambda each: len(self._workers[each].jobs))
            if len(self._workers[connection].jobs) >= JOBS_PER_PROCESS:
                return
            number = next(self._numbers, None)
            if number is None:
                return
            self._wanted.append(number)
            self._give(connection, (number, self._free.popleft()))

    def _give(self, connection: Connection, job: tuple[int, int]) -> None:
        self._workers[connection].jobs.append(job)
        with suppress(OSError):  # as in _send
            connection.send(job)

    def _collect(self) -> None:
        """Wait for answers for a moment, and take them; replace processes that have died or hang."""
        for connection in wait(list(self._workers), POLL_SECONDS):
            assert isinstance(connection, Connection)
            worker = self._workers[connection]
            try:
                answer = connection.recv()
            except (EOFError, OSError):
                self._replace(connection, how_it_ended(worker.process))
                continue
            if isinstance(answer, StartFailure):
                raise ImageProcessError(f"an image process could not start: {answer.reason}")
            self._answers[answer.number] = answer
            worker.jobs.popleft()  # they are answered in their order
            worker.watch.answered()
            self._deaths.progress()
        for connection, worker in list(self._workers.items()):
            if worker.jobs and worker.watch.ask(f"batch {worker.jobs[0][0]}"):
                worker.process.kill()
                self._replace(connection, f"(pid {worker.process.pid}) did nothing for {self._patience.replace:g} s")

    def _replace(self, connection: Connection, how: str) -> None:
        """Let another process do the work of one that has ended. Raises ImageProcessError if that happens too often."""
        worker = self._workers[connection]
        if self._killed or self._deaths.add():
            again = "" if self._killed else ", like those before it"
            raise ImageProcessError(f"an image process {how} before its work was done{again}")
        log.warning("An image process %s; another one does its work", how)
        del self._workers[connection]
        connection.close()
        worker.process.join()
        call = pack(*self._call)
        with interrupts_withheld():
            other = self._start()
        self._send(other, call)
        for job in worker.jobs:
            self._give(other, job)


def _fill_batches(
    connection: Connection, memory: list[Any], source: BatchSource, specs: Mapping[str, ArraySpec], niceness: int
) -> None:
    """Runs in an image process: fill the batches asked for, until the parent closes the pipe."""
    import cv2

    cv2.setNumThreads(1)  # the processes are the parallelism
    if niceness and hasattr(os, "nice"):
        os.nice(niceness)
    slots = [_views(each, specs) for each in memory]
    while True:
        try:
            number, slot = connection.recv()
            connection.send(_answer(source, number, slot, slots[slot]))
        except (EOFError, OSError):
            return


def _answer(source: BatchSource, number: int, slot: int, arrays: Arrays) -> Answer:
    batch = f"batch {number}"
    try:
        source.fill(number, arrays)
    except UserError as error:
        return Answer(number, slot, error.reason, error.where or batch)
    except Exception:
        return Answer(number, slot, f"an image process failed:\n{traceback.format_exc()}", batch)
    return Answer(number, slot)


def _sizes(specs: Mapping[str, ArraySpec]) -> dict[str, int]:
    """Bytes of each array, rounded up so that the next one is aligned."""
    sizes = {name: int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize for name, spec in specs.items()}
    return {name: -(-size // ALIGNMENT) * ALIGNMENT for name, size in sizes.items()}


def _num_bytes(specs: Mapping[str, ArraySpec]) -> int:
    return sum(_sizes(specs).values())


def _views(memory: Any, specs: Mapping[str, ArraySpec]) -> Arrays:
    """The arrays of one slot, one after the other in its memory."""
    views, offset = {}, 0
    for name, size in _sizes(specs).items():
        shape, dtype = specs[name].shape, np.dtype(specs[name].dtype)
        views[name] = np.frombuffer(memory, dtype, int(np.prod(shape)), offset).reshape(shape)
        offset += size
    return views
