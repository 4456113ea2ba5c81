"""What a training worker's process runs, and what it sends to its parent.

Nothing is imported above that brings NumPy or MXNet: both fix their number of threads when they are imported.
"""

import logging
import pickle
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from ctc_ocr.errors import RunError, UserError
from ctc_ocr.runtime.threads import set_threads

if TYPE_CHECKING:
    from ctc_ocr.distributed.cluster import Cluster
    from ctc_ocr.training.events import Callback
    from ctc_ocr.training.job import Ended
    from ctc_ocr.training.store_workers import StoreWorkers


@dataclass(frozen=True)
class Result:
    """Sent at the end: how the run ended, or why it failed."""

    ended: "Ended | None"
    error: UserError | None = None


class SendingHandler(logging.Handler):
    """Sends log records to the parent."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        self._connection.send(record)


def work(connection: Connection, rank: int, threads: int, cluster: "Cluster", level: int, job: bytes) -> None:
    """Train as worker `rank` of a cluster on this machine. `job`: a pickled (Job, {name: architecture of the user})."""
    set_threads(threads)
    logger = logging.getLogger("ctc_ocr")
    logger.propagate = False
    logger.setLevel(level)
    logger.handlers[:] = [SendingHandler(connection) if rank == 0 else logging.NullHandler()]
    try:
        result = Result(_train(connection, rank, cluster, job))
    except UserError as error:
        result = Result(None, error)
    except BaseException as error:  # a user's module may even raise SystemExit when it is imported
        lines = "".join(traceback.format_exception(error)).rstrip()
        result = Result(None, RunError(f"a training worker failed:\n{lines}"))
    connection.send(result)


def _train(connection: Connection, rank: int, cluster: "Cluster", pickled_job: bytes) -> "Ended":
    import cv2

    from ctc_ocr.config.registries import ARCHITECTURES
    from ctc_ocr.generation.rows import Rows
    from ctc_ocr.training.events import OF_FILES
    from ctc_ocr.training.interrupts import InterruptsOfParent
    from ctc_ocr.training.job import Begun, train_rows

    cv2.setNumThreads(1)
    job, architectures = pickle.loads(pickled_job)
    for name, architecture in architectures.items():
        ARCHITECTURES.add(name, architecture)
    rows, batch_size = Rows(rank, cluster.num_workers), job.data.hyperparameters.training.batch_size
    opened: list[StoreWorkers] = []

    def connect() -> "StoreWorkers":
        from ctc_ocr.distributed.store import KeyValueStore
        from ctc_ocr.training.store_workers import StoreWorkers

        opened.append(StoreWorkers(KeyValueStore(cluster), batch_size, rows))
        return opened[0]

    interrupts = InterruptsOfParent(connection)

    def begin(begun: Begun) -> "Callback":
        connection.send(begun)
        return tell

    def tell(event: Any) -> None:
        connection.send(event)
        if isinstance(event, OF_FILES):
            interrupts.await_handled()

    ended = train_rows(job, rows, connect, begin, interrupts)
    opened[0].leave()
    return ended
