"""A worker's side of MXNet's distributed key-value store, used to add up vectors (`dist_sync`)."""

import os
import threading
from collections.abc import Callable

from ctc_ocr.distributed.cluster import CHECK_SECONDS, CHECKS, LOST_SECONDS, Cluster
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.mxnet_internals import leave_alone, scheduler_is_lost
from ctc_ocr.runtime.signals import ended_by_signals
from ctc_ocr.runtime.types import MXArray


class KeyValueStore:
    """Connects to the scheduler and the servers, and waits until all workers have.

    `rank` (from 0) and `num_workers` are those of this worker. Servers only add: the optimizer runs on the workers,
    which clip the whole sum, and save the optimizer's state. `close` waits for all workers.

    `lost` is called, in a thread, once the scheduler has been silent for LOST_SECONDS: a call that waits for others
    would then never return.
    """

    def __init__(self, cluster: Cluster, lost: Callable[[], None] | None = None) -> None:
        os.environ.update(cluster.environment("worker"))
        with ended_by_signals():
            self._store = mx.kv.create("dist_sync")
        self.rank, self.num_workers = int(self._store.rank), int(self._store.num_workers)
        self._names: set[str] = set()
        self._closed = threading.Event()
        self._watching = threading.Thread(target=self._watch, args=(lost,), name="watch_scheduler", daemon=True)
        if lost is not None:
            self._watching.start()

    def sum(self, name: str, vector: MXArray) -> None:
        """Add the vectors of all workers, in place. All of them call it in the same order; each name has one shape.

        Returns at once: MXNet's engine waits where the vector is read.
        """
        if name not in self._names:
            self._names.add(name)
            self._store.init(name, mx.nd.zeros_like(vector))
        # A server without an optimizer replaces its value by the sum of what was pushed. This is one message there and
        # one back, where push and pull take two each.
        self._store.pushpull(name, vector, out=vector)

    def close(self) -> None:
        """Leave; servers and scheduler end when all workers have."""
        mx.nd.waitall()
        self._let_go()

    def abandon(self) -> None:
        """Leave without waiting for the others, after an error. They end once the scheduler has missed this worker."""
        if self._store is not None:
            leave_alone(self._store)
        self._let_go()

    def _let_go(self) -> None:
        self._closed.set()
        if self._watching.is_alive():
            self._watching.join()  # it uses the store
        self._store = None  # which closes it

    def _watch(self, lost: Callable[[], None]) -> None:
        times = 0
        while not self._closed.wait(CHECK_SECONDS):
            times = times + 1 if scheduler_is_lost(self._store, LOST_SECONDS) else 0
            if times >= CHECKS:
                lost()
                return
