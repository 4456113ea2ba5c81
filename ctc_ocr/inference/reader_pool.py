"""Processes that read images with one model. What they read comes back in the order in which it was given.

Each has a Predictor of its own: one MXNet uses a second core badly, two of them use two cores well. The parent gives
them chunks of images, as paths or bytes, and gets predictions; it loads neither MXNet nor the model.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, TypeVar

from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.known_images import KnownImages
from ctc_ocr.checkpoint.run_files import Epoch, is_onnx
from ctc_ocr.checkpoint.stored_model import stored_known_images
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.inference.batch_rows import BATCH_SIZE, in_chunks
from ctc_ocr.inference.locating import Located, Sent, received, sendable
from ctc_ocr.inference.prediction import Prediction
from ctc_ocr.inference.predictor import Source
from ctc_ocr.inference.reading_process import Call, Chunk, Loaded, Outcome, serve
from ctc_ocr.runtime.child import StartFailure
from ctc_ocr.runtime.parent import interrupts_withheld
from ctc_ocr.runtime.processes import how_it_ended, pack, pickled, start_process
from ctc_ocr.runtime.threads import available_cores

Item = TypeVar("Item")
CHUNKS_PER_PROCESS = 2  # one being read and one waiting, so that no process idles while the parent is busy
CHUNKS_AHEAD = 3  # for each process, with those that are read and wait for an earlier one


class ReaderPool:
    """Reads many images with a model in several processes. Use it in a `with` block, which ends them.

    model, epoch, batch_size, decoder, ink: as of a Predictor, whose attributes it has too: `prefix`, `epoch`,
        `batch_size`, `alphabet`, `lengths`, `hyperparameters`, and `decoder`, which may be replaced.
    num_proc: reading processes; None for as many as there are cores.
    threads: of each process.

    `evaluate` takes it in place of a Predictor. It reads one series of images at a time. The processes end with their
    parent, however that ends. Each needs the memory of a Predictor.
    Raises InputError as Predictor does, and NotSendableError, an InputError, for an architecture of your own that
    cannot be pickled. Reading raises RunError if a process has died.
    """

    def __init__(
        self,
        model: str | Path,
        num_proc: int | None = None,
        *,
        epoch: Epoch | None = None,
        batch_size: int = BATCH_SIZE,
        decoder: Decoder | None = None,
        ink: str | None = None,
        threads: int = 1,
    ) -> None:
        for name, value in (("num_proc", num_proc), ("threads", threads)):
            if value is not None and value < 1:
                raise InputError(f"{value} is less than 1", name)
        self._processes: dict[Connection, SpawnProcess] = {}
        self._chunks: dict[Connection, int] = {}  # of processes that have loaded the model: chunks that they have
        self._outcomes: dict[int, Outcome] = {}
        self._dropped: set[int] = set()  # chunks that nobody waits for any more
        self._number = 0
        self._reading = False
        arguments = pickled((str(model), epoch, batch_size, ink, ARCHITECTURES.own_parts()))
        try:
            self._start(num_proc or available_cores(), pack(serve, threads, arguments))
            loaded = self._wait_until_loaded()
            self.prefix, self.epoch, self.batch_size = loaded.prefix, loaded.epoch, batch_size
            self.alphabet, self.lengths, self.hyperparameters = loaded.alphabet, loaded.lengths, loaded.hyperparameters
            # Bound here, so that its files are read once, and may be pipes.
            self.decoder = (decoder or Decoder()).bind(self.alphabet, self.lengths)
        except BaseException:
            self.close()
            raise

    @property
    def process_ids(self) -> list[int]:
        """Process ids of the reading processes."""
        return [process.pid for process in self._processes.values() if process.pid is not None]

    def known_images(self) -> KnownImages | None:
        """As `Predictor.known_images`."""
        return None if is_onnx(self.prefix) else stored_known_images(find_model(self.prefix, self.epoch))

    def __enter__(self) -> "ReaderPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def predict(self, images: Iterable[Source], confidence: bool = True) -> Generator[Prediction | InputError]:
        """Each image's prediction, or the InputError if it cannot be read, in their order.

        images: any number of them, as `Predictor.read` takes one. Only some batches for each process are taken at a
        time. Without their confidences it is faster.
        """

        def send(numbered: tuple[int, Source]) -> Sent:
            number, image = numbered
            return sendable(image, str(image) if isinstance(image, str | os.PathLike) else f"images[{number}]")

        chunks = in_chunks(enumerate(images), self.batch_size)
        for _, outcome in self.read_chunks(chunks, received, send=send, confidence=confidence, places=confidence):
            yield from outcome.results

    def read_chunks(
        self,
        chunks: Iterable[list[Item]],
        locate: Callable[[Any], Located],
        *,
        send: Callable[[Item], Any] | None = None,
        confidence: bool = True,
        places: bool = False,
    ) -> Iterator[tuple[list[Item], Outcome]]:
        """Each chunk with its outcome, in their order; the rest is as in `ctc_ocr.inference.batch.predict_each`."""
        if self._reading:
            raise InputError("reads other images already: finish or close their iterator first", "ReaderPool")
        self._reading = True
        waiting: deque[tuple[int, list[Item]]] = deque()
        try:
            self._send_to_all(pickled(Call(self.decoder, locate, confidence, places, _folder())))
            remaining = iter(chunks)
            more = self._hand_out(remaining, waiting, send)
            while more or waiting:
                if waiting and waiting[0][0] in self._outcomes:
                    number, items = waiting.popleft()
                    outcome = self._outcomes.pop(number)
                    # Before the caller gets it, since that may work long on it.
                    more = more and self._hand_out(remaining, waiting, send)
                    yield items, outcome
                else:
                    self._collect()
                    more = more and self._hand_out(remaining, waiting, send)
        finally:
            self._dropped.update(number for number, _ in waiting if self._outcomes.pop(number, None) is None)
            self._reading = False

    def close(self) -> None:
        """End the processes, at once: they have nothing to lose."""
        for process in self._processes.values():
            process.kill()
        for connection, process in self._processes.items():
            process.join()
            connection.close()
        self._processes.clear()
        self._chunks.clear()

    def _start(self, num_proc: int, call: bytes) -> None:
        with interrupts_withheld():
            for _ in range(num_proc):
                connection, process = start_process()
                self._processes[connection] = process
        self._send_to_all(call)

    def _wait_until_loaded(self) -> Loaded:
        """Until the first process has loaded the model; the others are given chunks when they have."""
        while True:
            for answer in self._answers():
                if isinstance(answer, Loaded):
                    return answer

    def _send_to_all(self, message: bytes) -> None:
        if not self._processes:
            raise InputError("closed", "ReaderPool")
        for connection in self._processes:
            self._send(connection, message)

    def _send(self, connection: Connection, message: bytes) -> None:
        try:
            connection.send_bytes(message)
        except OSError:
            raise self._death(connection) from None

    def _hand_out(
        self,
        remaining: Iterator[list[Item]],
        waiting: deque[tuple[int, list[Item]]],
        send: Callable[[Item], Any] | None,
    ) -> bool:
        """Give chunks to the processes that have the fewest. Returns whether there may be more of them."""
        while len(waiting) < CHUNKS_AHEAD * len(self._processes):
            connection = min(self._chunks, key=lambda each: self._chunks[each])
            if self._chunks[connection] >= CHUNKS_PER_PROCESS:
                return True
            items = next(remaining, None)
            if items is None:
                return False
            self._number += 1
            given = [send(item) for item in items] if send else items
            self._send(connection, pickled(Chunk(self._number, given)))
            self._chunks[connection] += 1
            waiting.append((self._number, items))
        return True

    def _collect(self) -> None:
        """Wait for at least one answer, and keep it."""
        for answer in self._answers():
            if isinstance(answer, Loaded) or answer.number is None:
                continue
            if answer.number in self._dropped:
                self._dropped.remove(answer.number)
                continue
            if answer.error is not None:
                raise answer.error
            self._outcomes[answer.number] = answer

    def _answers(self) -> Iterator[Loaded | Outcome]:
        """At least one."""
        for connection in wait(list(self._processes)):
            assert isinstance(connection, Connection)
            try:
                answer = connection.recv()
            except (EOFError, OSError):
                raise self._death(connection) from None
            if isinstance(answer, StartFailure):
                raise RunError(f"a reading process could not start: {answer.reason}")
            if isinstance(answer, Loaded):
                self._chunks[connection] = 0
            elif answer.number is not None:
                self._chunks[connection] -= 1
            elif answer.error is not None:
                raise answer.error
            yield answer

    def _death(self, connection: Connection) -> RunError:
        return RunError(f"a reading process {how_it_ended(self._processes[connection])} before its work was done")


def _folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return None
