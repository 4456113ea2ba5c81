"""Worker processes that fill batches in shared memory, handed out in the order of their numbers.

A batch is a set of arrays in one slot of a ring. The parent tells a worker, over a pipe, which batch goes into which
slot; the worker fills it and says so. Nothing but these two numbers is pickled. A slot is handed out again only after
the parent has gone on to the next batch, so that nothing is overwritten before it was read. What a batch holds depends
on its number alone, so neither the number of workers nor their speed changes the data.

The memory is anonymous (an unlinked file): it disappears with the last process that maps it, however that one ends.
"""

import multiprocessing
import time
import traceback
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

from ctc_ocr.errors import RunError, UserError
from ctc_ocr.generation.parent import interrupts_withheld, watch_parent

Arrays = dict[str, np.ndarray[Any, Any]]
JOBS_PER_PROCESS = 2  # one being filled and one waiting, so that no worker idles while the parent is busy
SECONDS_TO_END = 2.0
ALIGNMENT = 64


@dataclass(frozen=True)
class ArraySpec:
    """Shape and dtype of one array of a batch."""

    shape: tuple[int, ...]
    dtype: DTypeLike


class BatchSource(Protocol):
    """What the workers run. It is pickled once for each worker."""

    def specs(self) -> Mapping[str, ArraySpec]:
        """Name, shape and dtype of the arrays of one batch."""

    def fill(self, number: int, arrays: Arrays) -> None:
        """Fill every element of `arrays` with batch `number`; the result depends on the number alone."""


class ImageProcessError(RunError):
    """A worker process raised an exception or died."""


class BatchPool:
    """An iterator over the batches `numbers` of a source, filled by `num_proc` spawned processes.

    The arrays of a batch are valid until the next one is asked for. Raises ImageProcessError as soon as it notices,
    while    waiting, that a worker raised or died. close() ends the workers; it is called on leaving a `with` block.
    """

    def __init__(self, source: BatchSource, num_proc: int, numbers: Iterable[int]) -> None:
        self.seconds_waited = 0.0
        self._numbers = iter(numbers)
        self._wanted: deque[int] = deque()  # numbers handed out, in order
        self._ready: dict[int, int] = {}  # number -> slot, filled
        self._held: int | None = None  # the slot that the caller reads
        self._workers: dict[Connection, SpawnProcess] = {}
        self._jobs: dict[Connection, int] = {}
        context = multiprocessing.get_context("spawn")
        specs = dict(source.specs())
        # One slot more than there can be jobs: the one that the caller reads.
        memory = [context.RawArray("B", _num_bytes(specs)) for _ in range(num_proc * JOBS_PER_PROCESS + 1)]
        self._slots = [_views(each, specs) for each in memory]
        self._free = deque(range(len(memory)))
        try:
            with interrupts_withheld():
                for _ in range(num_proc):
                    here, there = context.Pipe()
                    process = context.Process(target=_work, args=(there, source, memory, specs), daemon=True)
                    process.start()
                    there.close()
                    self._workers[here], self._jobs[here] = process, 0
            self._hand_out()
        except BaseException:
            self.close()
            raise

    @property
    def process_ids(self) -> list[int]:
        """Process ids of the workers."""
        return [process.pid for process in self._workers.values() if process.pid is not None]

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
        while self._wanted[0] not in self._ready:
            self._collect()
        self.seconds_waited += time.perf_counter() - started
        self._held = self._ready.pop(self._wanted.popleft())
        return self._slots[self._held]

    def close(self) -> None:
        """End the workers. Nothing is left of them or of their memory."""
        for connection in self._workers:
            connection.close()  # a worker that waits for a job ends by itself
        deadline = time.monotonic() + SECONDS_TO_END
        for process in self._workers.values():
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        self._workers.clear()
        self._numbers = iter(())
        self._wanted.clear()

    def _hand_out(self) -> None:
        """Give each free slot to the worker that has least to do."""
        while self._free:
            connection = min(self._jobs, key=lambda each: self._jobs[each])
            if self._jobs[connection] >= JOBS_PER_PROCESS:
                return
            number = next(self._numbers, None)
            if number is None:
                return
            try:
                connection.send((number, self._free.popleft()))
            except OSError:
                raise self._death(connection) from None
            self._jobs[connection] += 1
            self._wanted.append(number)

    def _collect(self) -> None:
        """Wait until at least one worker has something to say, and take it."""
        for connection in wait(list(self._workers)):
            assert isinstance(connection, Connection)
            try:
                number, slot, error = connection.recv()
            except (EOFError, OSError):
                raise self._death(connection) from None
            if error is not None:
                raise ImageProcessError(f"a generator process failed at batch {number}: {error}")
            self._ready[number] = slot
            self._jobs[connection] -= 1

    def _death(self, connection: Connection) -> ImageProcessError:
        process = self._workers[connection]
        process.join(SECONDS_TO_END)
        code = process.exitcode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with status {code}"
        return ImageProcessError(f"a generator process (pid {process.pid}) {how} before its work was done")


def _work(connection: Connection, source: BatchSource, memory: list[Any], specs: Mapping[str, ArraySpec]) -> None:
    """A worker's whole life: fill the batches asked for, until the parent closes the pipe."""
    import cv2

    watch_parent()
    cv2.setNumThreads(1)  # the workers are the parallelism
    slots = [_views(each, specs) for each in memory]
    while True:
        try:
            number, slot = connection.recv()
        except (EOFError, OSError):
            return
        error = None
        try:
            source.fill(number, slots[slot])
        except UserError as problem:
            error = str(problem)
        except Exception:
            error = traceback.format_exc()
        try:
            connection.send((number, slot, error))
        except OSError:
            return


def _sizes(specs: Mapping[str, ArraySpec]) -> dict[str, int]:
    """Bytes of each array, rounded up so that the next one is aligned."""
    sizes = {name: int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize for name, spec in specs.items()}
    return {name: -(-size // ALIGNMENT) * ALIGNMENT for name, size in sizes.items()}


def _num_bytes(specs: Mapping[str, ArraySpec]) -> int:
    return sum(_sizes(specs).values())


def _views(memory: Any, specs: Mapping[str, ArraySpec]) -> Arrays:
    """The arrays of one slot, laid one after the other in its memory."""
    views, offset = {}, 0
    for name, size in _sizes(specs).items():
        shape, dtype = specs[name].shape, np.dtype(specs[name].dtype)
        views[name] = np.frombuffer(memory, dtype, int(np.prod(shape)), offset).reshape(shape)
        offset += size
    return views
