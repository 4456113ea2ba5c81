"""The one mx.io.DataIter: it gives the batches of any source to a Module."""

import threading
from collections.abc import Callable, Iterable, Iterator

from ctc_ocr.generation.pool import Arrays, BatchPool, BatchSource
from ctc_ocr.generation.rows import ALL_ROWS, Rows
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import DataBatch, DataDesc, MXArray

NICENESS = 10  # of processes whose batches are not needed at once


class BatchIter(mx.io.DataIter):  # type: ignore[misc]
    """Epochs of `num_samples` samples: data (N, H, W) or (N, H, W, 3) uint8, and label (N, L) float32, codes padded
    with 0.

    If the source gives time steps, they are a second input, steps (N,) float32, and each batch is cut to the `width`
    that the source gives with it; this width is its bucket_key.

    `next_epoch` is called at the start of each epoch and returns its batches. The last batch of an epoch is full; its
    pad is the number of samples that do not count. The first epoch starts at its batch `first_batch`. `close` is called
    by close(), and on leaving a `with` block.

    A source may give only some `rows` of batches of `batch_size` samples, which has then to be given; the numbers of
    samples and of batches are those of whole batches.
    """

    def __init__(
        self,
        source: BatchSource,
        num_samples: int,
        next_epoch: Callable[[], Iterable[Arrays]],
        first_batch: int = 0,
        close: Callable[[], None] = lambda: None,
        rows: Rows = ALL_ROWS,
        batch_size: int | None = None,
    ) -> None:
        specs = source.specs()
        super().__init__(batch_size=batch_size or specs["images"].shape[0])
        self.num_batches = -(-num_samples // self.batch_size)
        self.num_samples = num_samples
        self.default_bucket_key = specs["images"].shape[2]
        self.rows = rows
        self._specs = specs
        self._next_epoch = next_epoch
        self._batches: Iterator[Arrays] | None = None
        self._given = first_batch
        self._close = close

    def __enter__(self) -> "BatchIter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what prepares batches in the background. Batches that are complete stay available."""
        self._close()

    def size_of(self, number: int) -> int:
        """Samples of batch `number` of an epoch, all its rows, without padding."""
        return min(int(self.batch_size), self.num_samples - number * int(self.batch_size))

    @property
    def provide_data(self) -> list[DataDesc]:
        return self._inputs(self.default_bucket_key)

    @property
    def provide_label(self) -> list[DataDesc]:
        return [mx.io.DataDesc("label", self._specs["labels"].shape)]

    def _inputs(self, width: int) -> list[DataDesc]:
        rows, height, _, *channels = self._specs["images"].shape
        inputs = [mx.io.DataDesc("data", (rows, height, width, *channels), dtype="uint8")]
        return [*inputs, mx.io.DataDesc("steps", (rows,))] if "steps" in self._specs else inputs

    def reset(self) -> None:
        """Go to the start of the next epoch. The batches that are left of this one are rendered and dropped."""
        if self._batches is not None:
            for _ in range(self.num_batches - self._given):
                next(self._batches)
        self._batches = None
        self._given = 0

    def iter_next(self) -> bool:
        """Go to the next batch, for getdata, getlabel and getpad; False at the end of the epoch."""
        try:
            self._current = self.next()
        except StopIteration:
            return False
        return True

    def getdata(self) -> list[MXArray]:
        return list(self._current.data)

    def getlabel(self) -> list[MXArray]:
        return list(self._current.label)

    def getpad(self) -> int:
        return int(self._current.pad)

    def next(self) -> DataBatch:
        """The next batch. Raises StopIteration at the end of the epoch, ImageProcessError if a process failed."""
        if self._given >= self.num_batches:
            raise StopIteration
        if self._batches is None:
            self._batches = iter(self._next_epoch())
        arrays = next(self._batches)
        self._given += 1
        pad = self.rows.number(self.batch_size) - self.rows.number(self.size_of(self._given - 1))
        width = self.default_bucket_key
        steps = []
        if "steps" in arrays:
            width, steps = int(arrays["width"][0]), [mx.nd.array(arrays["steps"])]
        # Copied once, here: the arrays' slot is filled again after this.
        data, label = mx.nd.array(arrays["images"][:, :, :width], dtype="uint8"), mx.nd.array(arrays["labels"])
        return mx.io.DataBatch(
            [data, *steps],
            [label],
            pad=pad,
            bucket_key=width,
            provide_data=self._inputs(width),
            provide_label=self.provide_label,
        )


def streamed_batches(
    source: BatchSource,
    pool: BatchPool,
    num_samples: int,
    first_batch: int = 0,
    rows: Rows = ALL_ROWS,
    batch_size: int | None = None,
) -> BatchIter:
    """Each epoch is the next `num_samples` samples of an endless pool; see BatchIter for the rest."""
    return BatchIter(source, num_samples, lambda: pool, first_batch, rows=rows, batch_size=batch_size)


def cached_batches(
    source: BatchSource, num_samples: int, num_proc: int, rows: Rows = ALL_ROWS, batch_size: int | None = None
) -> BatchIter:
    """The first `num_samples` samples of a source, kept in memory: each epoch is the same. See BatchIter for `rows`.

    They are rendered in the background, by processes of low priority, and awaited by the first epoch.
    """
    num_batches = -(-num_samples // (batch_size or source.specs()["images"].shape[0]))
    cache = _Cache(BatchPool(source, num_proc, range(num_batches), NICENESS))
    return BatchIter(source, num_samples, cache.batches, close=cache.close, rows=rows, batch_size=batch_size)


class _Cache:
    """All batches of a pool, collected by a thread."""

    def __init__(self, pool: BatchPool) -> None:
        self._pool = pool
        self._batches: list[Arrays] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._collect, name="cached_batches", daemon=True)
        self._thread.start()

    def _collect(self) -> None:
        try:
            with self._pool:
                self._batches += map(_copy, self._pool)
        except BaseException as error:  # whatever it is, the thread that asks for batches raises it
            self._error = error

    def batches(self) -> list[Arrays]:
        """Waits for them. Raises ImageProcessError if a process failed, RuntimeError after an early close()."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._batches

    def close(self) -> None:
        if self._thread.is_alive():
            self._pool.kill()
            self._thread.join()
            self._error = RuntimeError("the batches were closed before they were complete")


def _copy(arrays: Arrays) -> Arrays:
    """A copy, with images cut to the width of the batch: the full width would take many times the memory."""
    width = int(arrays["width"][0]) if "width" in arrays else arrays["images"].shape[2]
    return {name: (array[:, :, :width] if name == "images" else array).copy() for name, array in arrays.items()}
