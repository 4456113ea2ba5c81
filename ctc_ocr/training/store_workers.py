"""Several training workers, which add up their gradients through a key-value store."""

from collections.abc import Sequence

import numpy as np

from ctc_ocr.distributed.store import KeyValueStore
from ctc_ocr.generation.rows import Rows
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import MXArray
from ctc_ocr.training.workers import Array, OneWorker


class StoreWorkers(OneWorker):
    """This worker among those of a key-value store. `batch_size`: of whole batches. `rows`: those of this worker; None
    for those of its rank in the store."""

    def __init__(self, store: KeyValueStore, batch_size: int, rows: Rows | None = None) -> None:
        self.rows = rows or Rows(store.rank, store.num_workers)
        self._store = store
        self._batch_size = batch_size

    def leave(self) -> None:
        self._store.close()

    def sum(self, name: str, vector: MXArray) -> None:
        self._store.sum(name, vector)

    def sum_values(self, values: Sequence[float]) -> list[float]:
        vector = mx.nd.array(np.array(values, np.float64), dtype="float64")
        self._store.sum(f"{len(values)} values", vector)
        return [float(value) for value in vector.asnumpy()]

    def gather(self, values: Sequence[float]) -> list[list[float]]:
        table = np.zeros((self.count, len(values)))
        table[self.rows.rank] = values
        vector = mx.nd.array(table.reshape(-1), dtype="float64")
        self._store.sum(f"{len(values)} values of each", vector)
        return [[float(value) for value in row] for row in vector.asnumpy().reshape(table.shape)]

    def whole_batch(self, columns: Sequence[Array], num_rows: int) -> list[Array]:
        # Each row comes from one worker, and 0 from all others.
        widths = [each.reshape(len(each), -1).shape[1] for each in columns]
        own = np.concatenate([each.reshape(len(each), -1) for each in columns], axis=1).astype(np.float32)
        vector = mx.nd.array(self.rows.spread(own, self._batch_size))
        self._store.sum(f"rows of {own.shape[1]}", vector)
        whole = np.split(vector.asnumpy()[:num_rows], np.cumsum(widths)[:-1], axis=1)
        return [part.reshape(num_rows, *each.shape[1:]) for part, each in zip(whole, columns, strict=True)]
