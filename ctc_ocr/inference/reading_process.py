"""What a process that reads images runs, and what is sent between it and its parent.

Nothing is imported above that brings NumPy or MXNet: both fix their number of threads when they are imported.
"""

import contextlib
import os
import pickle
import queue
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from ctc_ocr.errors import InputError, RunError, UserError
from ctc_ocr.runtime.threads import set_threads

if TYPE_CHECKING:
    from ctc_ocr.alphabet import Alphabet
    from ctc_ocr.config.hyperparameters import Hyperparameters
    from ctc_ocr.decoding.decoder import BoundDecoder
    from ctc_ocr.inference.prediction import Prediction
    from ctc_ocr.inference.predictor import Predictor
    from ctc_ocr.lengths import Lengths


@dataclass(frozen=True)
class Loaded:
    """Sent to the parent: the model is loaded, and this is what a Predictor says of it."""

    prefix: str
    epoch: int
    alphabet: "Alphabet"
    lengths: "Lengths | None"
    hyperparameters: "Hyperparameters"
    light_ink: float | None


@dataclass(frozen=True)
class Call:
    """Sent by the parent: how chunks are read until the next one. See `ctc_ocr.inference.batch.read_chunk`.

    folder: the working directory of the parent, from which relative paths start; None if it is gone.
    """

    decoder: "BoundDecoder"
    locate: Callable[[Any], Any]
    confidence: bool
    places: bool
    folder: str | None


@dataclass(frozen=True)
class Chunk:
    """Sent by the parent: items to read together."""

    number: int
    items: list[Any]


@dataclass(frozen=True)
class Outcome:
    """Sent to the parent: each item's prediction or error, and what was counted.

    error: why the chunk could not be read as a whole; of number None: why nothing can.
    """

    number: int | None
    results: "list[Prediction | InputError]"
    num_inverted: int = 0
    counts: Counter[Any] | None = None
    error: UserError | None = None


def serve(connection: Connection, threads: int, model: bytes) -> None:
    """Read the chunks that are asked for, until the parent closes the pipe.

    model: the pickled arguments of `_load`. A thread receives, so that the parent never waits to send while this
    process waits to answer.
    """
    set_threads(threads)
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, messages), name="receive", daemon=True).start()
    with contextlib.suppress(OSError):  # of `send`: the parent has closed
        predictor = _load_and_tell(connection, threads, model)
        call: Call | None = None
        while True:
            message = _loaded(messages.get())
            if isinstance(message, Call):
                call = message
                _follow(call.folder)
            elif isinstance(message, Chunk) and call is not None and predictor is not None:
                connection.send(_outcome(predictor, call, message))
            elif isinstance(message, UserError):
                connection.send(Outcome(None, [], error=message))


def _receive(connection: Connection, messages: "queue.SimpleQueue[bytes]") -> None:
    try:
        while True:
            messages.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)  # whatever the main thread computes, nobody waits for it


def _load_and_tell(connection: Connection, threads: int, model: bytes) -> "Predictor | None":
    try:
        predictor = _load(threads, *pickle.loads(model))
    except BaseException as error:  # a user's module may even raise SystemExit when it is imported
        connection.send(Outcome(None, [], error=_explained(error)))
        return None
    connection.send(
        Loaded(
            predictor.prefix, predictor.epoch, predictor.alphabet, predictor.lengths, predictor.hyperparameters,
            predictor.light_ink,
        )
    )  # fmt: skip
    return predictor


def _load(threads: int, model: str, epoch: Any, batch_size: int, ink: str | None, own: dict[str, Any]) -> "Predictor":
    """`own`: architectures that the parent's user has registered, by their names."""
    import cv2

    from ctc_ocr.config.registries import ARCHITECTURES
    from ctc_ocr.inference.predictor import Predictor

    cv2.setNumThreads(threads)
    for name, architecture in own.items():
        ARCHITECTURES.add(name, architecture)
    return Predictor(model, epoch, batch_size, ink=ink)


def _loaded(message: bytes) -> object:
    try:
        return pickle.loads(message)
    except BaseException as error:  # as above
        return _explained(error)


def _follow(folder: str | None) -> None:
    if folder is not None:
        with contextlib.suppress(OSError):  # removed since: relative paths are not found, as in the parent
            os.chdir(folder)


def _outcome(predictor: "Predictor", call: Call, chunk: Chunk) -> Outcome:
    from ctc_ocr.inference.batch import read_chunk
    from ctc_ocr.inference.ink import InkCheck
    from ctc_ocr.inference.locating import CountingLocate

    ink = InkCheck(predictor.hyperparameters.data.ink)
    predictor.decoder = call.decoder
    try:
        results = read_chunk(predictor, chunk.items, call.locate, call.confidence, call.places, ink)
    except Exception as error:
        return Outcome(chunk.number, [], error=_explained(error))
    counts = call.locate.take_counts() if isinstance(call.locate, CountingLocate) else None
    return Outcome(chunk.number, results, ink.count, counts)


def _explained(error: BaseException) -> UserError:
    if isinstance(error, UserError):
        return error
    if isinstance(error, Exception):
        return RunError(f"a reading process failed:\n{''.join(traceback.format_exception(error)).rstrip()}")
    return RunError(f"a reading process failed: {traceback.format_exception_only(error)[-1].strip()}")
