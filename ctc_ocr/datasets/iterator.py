"""The one mx.io.DataIter: it hands the batches of any source to a Module."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ctc_ocr.generation.pool import Arrays, BatchPool, BatchSource
from ctc_ocr.runtime.mxnet import mx


class BatchIter(mx.io.DataIter):  # type: ignore[misc]
    """Epochs of `num_samples` samples: data (N, H, W) uint8, or (N, H, W, 3), and label (N, L) float32, codes padded
    with 0.

    Of a source with steps, these are a second input, steps (N,) float32, and its batches are cut to the `width` that
    the source gives with each; it is the batch's bucket_key.

    `next_epoch` gives the batches of the next epoch each time it is called. The last batch of an epoch is whole, and
    its pad says how many of its samples do not count. The first epoch begins at its batch `first_batch`.
    """

    def __init__(
        self,
        source: BatchSource,
        num_samples: int,
        next_epoch: Callable[[], Iterable[Arrays]],
        first_batch: int = 0,
    ) -> None:
        specs = source.specs()
        super().__init__(batch_size=specs["images"].shape[0])
        self.num_batches = -(-num_samples // self.batch_size)
        self.num_samples = num_samples
        self.default_bucket_key = specs["images"].shape[2]
        self._specs = specs
        self._next_epoch = next_epoch
        self._batches: Iterator[Arrays] | None = None
        self._given = first_batch

    @property
    def provide_data(self) -> list[Any]:
        return self._inputs(self.default_bucket_key)

    @property
    def provide_label(self) -> list[Any]:
        return [mx.io.DataDesc("label", self._specs["labels"].shape)]

    def _inputs(self, width: int) -> list[Any]:
        rows, height, _, *colours = self._specs["images"].shape
        inputs = [mx.io.DataDesc("data", (rows, height, width, *colours), dtype="uint8")]
        return [*inputs, mx.io.DataDesc("steps", (rows,))] if "steps" in self._specs else inputs

    def reset(self) -> None:
        """Go to the start of the next epoch. Batches of this one that were not asked for are drawn and dropped."""
        if self._batches is not None:
            for _ in range(self.num_batches - self._given):
                next(self._batches)
        self._batches = None
        self._given = 0

    def iter_next(self) -> bool:
        """Go to the next batch, which getdata, getlabel and getpad then give; False at the end of the epoch."""
        try:
            self._current = self.next()
        except StopIteration:
            return False
        return True

    def getdata(self) -> list[Any]:
        return list(self._current.data)

    def getlabel(self) -> list[Any]:
        return list(self._current.label)

    def getindex(self) -> None:
        return None

    def getpad(self) -> int:
        return int(self._current.pad)

    def next(self) -> Any:
        if self._given >= self.num_batches:
            raise StopIteration
        if self._batches is None:
            self._batches = iter(self._next_epoch())
        arrays = next(self._batches)
        self._given += 1
        pad = self.num_batches * self.batch_size - self.num_samples if self._given == self.num_batches else 0
        width = self.default_bucket_key
        steps = []
        if "steps" in arrays:
            width, steps = int(arrays["width"][0]), [mx.nd.array(arrays["steps"])]
        # Copied here, once: the slot that the arrays lie in is filled again after this.
        data, label = mx.nd.array(arrays["images"][:, :, :width], dtype="uint8"), mx.nd.array(arrays["labels"])
        return mx.io.DataBatch(
            [data, *steps],
            [label],
            pad=pad,
            bucket_key=width,
            provide_data=self._inputs(width),
            provide_label=self.provide_label,
        )


def streamed_batches(source: BatchSource, pool: BatchPool, num_samples: int, first_batch: int = 0) -> BatchIter:
    """Each epoch is the next `num_samples` samples of a pool that does not end; see BatchIter for `first_batch`."""
    return BatchIter(source, num_samples, lambda: pool, first_batch)


def cached_batches(source: BatchSource, num_samples: int, num_proc: int) -> BatchIter:
    """The first `num_samples` samples of a source, drawn now and kept in memory: each epoch is the same."""
    num_batches = -(-num_samples // source.specs()["images"].shape[0])
    with BatchPool(source, num_proc, range(num_batches)) as pool:
        batches = [_kept(arrays) for arrays in pool]
    return BatchIter(source, num_samples, lambda: batches)


def _kept(arrays: Arrays) -> Arrays:
    """A copy, of images no wider than the batch is: narrow ones would take many times the memory."""
    kept = {name: array for name, array in arrays.items() if name != "images"}
    width = int(arrays["width"][0]) if "width" in arrays else arrays["images"].shape[2]
    return {name: array.copy() for name, array in {**kept, "images": arrays["images"][:, :, :width]}.items()}
