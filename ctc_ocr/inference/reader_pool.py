"""Processes that read images with one model. What they read comes back in the order in which it was given.

Each has a Predictor of its own: one MXNet uses a second core badly, two of them use two cores well. The parent gives
them chunks of images, as paths or bytes, and gets predictions; it loads neither MXNet nor the model.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, TypeVar

from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.known_images import KnownImages
from ctc_ocr.checkpoint.run_files import Epoch, is_onnx
from ctc_ocr.checkpoint.stored_model import stored_known_images
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.decoding.decoder import Decoder, WithDecoder, checked_decoder
from ctc_ocr.errors import InputError, RunError, check_kind
from ctc_ocr.inference.batch_rows import BATCH_SIZE, in_chunks
from ctc_ocr.inference.locating import Located, Sent, received, sendable
from ctc_ocr.inference.prediction import Prediction
from ctc_ocr.inference.predictor import Source, refuse_one_image
from ctc_ocr.inference.reading_process import Call, Chunk, Loaded, Outcome, serve
from ctc_ocr.runtime.child import StartFailure
from ctc_ocr.runtime.parent import interrupts_withheld
from ctc_ocr.runtime.processes import how_it_ended, pack, pickled, start_process
from ctc_ocr.runtime.supervision import PATIENCE, POLL_SECONDS, Deaths, Patience, Watch
from ctc_ocr.runtime.threads import available_cores

Item = TypeVar("Item")
CHUNKS_PER_PROCESS = 2  # one being read and one waiting, so that no process idles while the parent is busy
CHUNKS_AHEAD = 3  # for each process, with those that are read and wait for an earlier one

log = logging.getLogger(__name__)


@dataclass
class _Reader:
    """A reading process: the chunks that it has, with their messages, and what watches it."""

    process: SpawnProcess
    watch: Watch
    loaded: bool = False
    jobs: deque[tuple[int, bytes]] = field(default_factory=deque)


class ReaderPool(WithDecoder):
    """Reads many images with a model in several processes. Use it in a `with` block, which ends them.

    model, epoch, batch_size, decoder, ink: as of a Predictor, whose attributes it has too: `prefix`, `epoch`,
        `batch_size`, `alphabet`, `lengths`, `light_ink`, `hyperparameters`, and `decoder`, which may be replaced.
    num_proc: reading processes; None for as many as there are cores.
    threads: of each process.

    `evaluate` takes it in place of a Predictor. It reads one series of images at a time. The processes end with their
    parent, however that ends. Each needs the memory of a Predictor. One that dies, or does nothing for longer than
    `patience`, is replaced, with a warning, and its images are read anew.
    Raises InputError as Predictor does, and NotSendableError, an InputError, for an architecture of your own that
    cannot be pickled. Reading raises RunError if processes die again and again.
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
        patience: Patience = PATIENCE,
    ) -> None:
        check_kind("a path", model=model)
        check_kind("an integer", or_none=True, num_proc=num_proc)
        check_kind("an integer", threads=threads)
        check_kind(Patience, patience=patience)
        for name, value in (("num_proc", num_proc), ("threads", threads)):
            if value is not None and value < 1:
                raise InputError(f"{value} is less than 1", name)
        how = checked_decoder(decoder)
        self._readers: dict[Connection, _Reader] = {}
        self._orphans: deque[tuple[int, bytes]] = deque()  # chunks of processes that have died
        self._deaths, self._patience = Deaths(), patience
        self._told = b""  # how chunks are read
        self._outcomes: dict[int, Outcome] = {}
        self._dropped: set[int] = set()  # chunks that nobody waits for any more
        self._number = 0
        self._reading = False
        # Without `with` too: at the end of the program, multiprocessing would wait for them without end, since they
        # ignore the SIGTERM that it sends.
        Finalize(self, _end, (self._readers,), exitpriority=0)
        arguments = pickled((str(model), epoch, batch_size, ink, ARCHITECTURES.own_parts()))
        try:
            self._call = pack(serve, threads, arguments)
            with interrupts_withheld():
                started = [self._start() for _ in range(num_proc or available_cores())]
            for connection in started:
                self._send(connection, self._call)
            loaded = self._wait_until_loaded()
            self.prefix, self.epoch, self.batch_size = loaded.prefix, loaded.epoch, batch_size
            self.alphabet, self.lengths, self.hyperparameters = loaded.alphabet, loaded.lengths, loaded.hyperparameters
            self.light_ink = loaded.light_ink
            # Bound here, so that its files are read once, and may be pipes.
            self.decoder = how.bind(self.alphabet, self.lengths, self.hyperparameters.data.views)
        except BaseException:
            self.close()
            raise

    @property
    def process_ids(self) -> list[int]:
        """Process ids of the reading processes."""
        return [each.process.pid for each in self._readers.values() if each.process.pid is not None]

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
        time. Without their confidences it is faster. Raises InputError for a path, or one array, in place of several.
        """
        refuse_one_image(images)

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
            self._told = pickled(Call(self.decoder, locate, confidence, places, _folder()))
            self._send_to_all(self._told)
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
        _end(self._readers)
        self._orphans.clear()

    def _start(self) -> Connection:
        connection, process = start_process()
        self._readers[connection] = _Reader(process, Watch(process, self._patience))
        return connection

    def _wait_until_loaded(self) -> Loaded:
        """Until the first process has loaded the model; the others are given chunks when they have."""
        while True:
            for answer in self._answers():
                if isinstance(answer, Loaded):
                    return answer

    def _send_to_all(self, message: bytes) -> None:
        if not self._readers:
            raise InputError("is closed: make a new one", "ReaderPool")
        for connection, reader in self._readers.items():
            reader.watch.pause()
            self._send(connection, message)

    def _send(self, connection: Connection, message: bytes) -> None:
        with suppress(OSError):  # it has died, which _answers notices
            connection.send_bytes(message)

    def _give(self, connection: Connection, job: tuple[int, bytes]) -> None:
        self._readers[connection].jobs.append(job)
        self._send(connection, job[1])

    def _least_busy(self) -> Connection | None:
        """The process that can be given a chunk, and has the fewest."""
        able = [
            each for each, reader in self._readers.items() if reader.loaded and len(reader.jobs) < CHUNKS_PER_PROCESS
        ]
        return min(able, key=lambda each: len(self._readers[each].jobs), default=None)

    def _hand_out(
        self,
        remaining: Iterator[list[Item]],
        waiting: deque[tuple[int, list[Item]]],
        send: Callable[[Item], Any] | None,
    ) -> bool:
        """Give chunks to the processes that have the fewest. Returns whether there may be more of them."""
        while len(waiting) < CHUNKS_AHEAD * len(self._readers):
            connection = self._least_busy()
            if connection is None:
                return True
            items = next(remaining, None)
            if items is None:
                return False
            self._number += 1
            given = [send(item) for item in items] if send else items
            self._give(connection, (self._number, pickled(Chunk(self._number, given))))
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
        """Those that come within a moment. Processes that have died or hang are replaced."""
        for connection in wait(list(self._readers), POLL_SECONDS):
            assert isinstance(connection, Connection)
            reader = self._readers[connection]
            try:
                answer = connection.recv()
            except (EOFError, OSError):
                self._replace(connection, how_it_ended(reader.process))
                continue
            if isinstance(answer, StartFailure):
                raise RunError(f"a reading process could not start: {answer.reason}")
            reader.watch.answered()
            if isinstance(answer, Loaded):
                reader.loaded = True
            elif answer.number is not None:
                reader.jobs.popleft()  # they are answered in their order
                self._deaths.progress()
            elif answer.error is not None:
                raise answer.error
            yield answer
        self._replace_those_that_hang()
        while self._orphans and (idle := self._least_busy()) is not None:
            self._give(idle, self._orphans.popleft())

    def _replace_those_that_hang(self) -> None:
        for connection, reader in list(self._readers.items()):
            work = "images" if reader.loaded else "its model"
            if (reader.jobs or not reader.loaded) and reader.watch.ask(work):
                reader.process.kill()
                self._replace(connection, f"(pid {reader.process.pid}) did nothing for {self._patience.replace:g} s")

    def _replace(self, connection: Connection, how: str) -> None:
        """Let others do the work of a process that has ended. Raises RunError if that happens too often."""
        reader = self._readers[connection]
        if self._deaths.add():
            raise RunError(f"a reading process {how} before its work was done, like those before it")
        log.warning("A reading process %s; another one does its work", how)
        del self._readers[connection]
        connection.close()
        reader.process.join()
        self._orphans.extend(reader.jobs)
        with interrupts_withheld():
            other = self._start()
        self._send(other, self._call)
        if self._told:
            self._send(other, self._told)


def _end(readers: dict[Connection, _Reader]) -> None:
    for each in readers.values():
        each.process.kill()
    for connection, each in readers.items():
        each.process.join()
        connection.close()
    readers.clear()


def _folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return None
