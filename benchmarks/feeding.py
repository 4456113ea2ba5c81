"""Samples per second through the whole iterator with 2 processes, to DataBatches of MXNet arrays of 128 samples.

Ours: batches rendered in shared memory by the fast renderer, BatchPool and BatchIter. The baseline: processes that put
one sample of the captcha library at a time into a queue, and a DataIter that puts batches together of them.
"""

import itertools
from typing import Any

import numpy as np

from benchmarks.common import BATCH_SIZE, FONT, HEIGHT, MAX_LENGTH, WIDTH, Row, in_turns, row, seconds
from benchmarks.queue_feed import QUEUE_SIZE, QueueFeed
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.datasets.iterator import BatchIter, streamed_batches
from ctc_ocr.generation.pool import BatchPool
from ctc_ocr.generation.seeds import TRAIN
from ctc_ocr.rendering.fast import FastRenderer
from ctc_ocr.runtime.mxnet import mx

TARGET = 25
NUM_PROC = 2
UNLIMITED = 10**9  # samples per epoch


class QueueIter(mx.io.DataIter):
    """data (N, 80, 30) float32, 0 to 1, label (N, 4), and what else the graph takes as zeros, without end."""

    def __init__(self, feed: QueueFeed, batch_size: int, states: dict[str, tuple[int, ...]]) -> None:
        super().__init__(batch_size)
        self._feed = feed
        self._states = [mx.nd.zeros(shape) for shape in states.values()]
        data = mx.io.DataDesc("data", (batch_size, WIDTH, HEIGHT))
        self.provide_data = [data, *(mx.io.DataDesc(name, shape) for name, shape in states.items())]
        self.provide_label = [mx.io.DataDesc("label", (batch_size, MAX_LENGTH))]

    def next(self) -> Any:
        data = np.empty((self.batch_size, WIDTH, HEIGHT), np.float32)
        label = np.zeros((self.batch_size, MAX_LENGTH), np.float32)
        for sample in range(self.batch_size):
            text, image = self._feed.next_sample()
            data[sample] = image.T
            label[sample, : len(text)] = [int(digit) + 1 for digit in text]
        data /= 255
        return mx.io.DataBatch([mx.nd.array(data), *self._states], [mx.nd.array(label)], pad=0)


def source(batch_size: int) -> GeneratedSource:
    """Training captchas of the fast renderer, with the example's sizes, which are our defaults."""
    renderer = FastRenderer((FONT,))
    renderer.prepare()
    return GeneratedSource(renderer, Data(), batch_size, 0, TRAIN)


def batches_per_second(iterator: Any, stored: int, batches: int) -> float:
    """Of `batches` batches, after `stored` that may have been waiting already."""
    for _ in range(stored):
        iterator.next()

    def take() -> None:
        for _ in range(batches):
            iterator.next()
        mx.nd.waitall()

    return batches / seconds(take)


def measure(rounds: int, batches: int, baseline_batches: int, batch_size: int = BATCH_SIZE) -> list[Row]:
    """Of `rounds` turns of so many batches each."""
    captchas = source(batch_size)
    with BatchPool(captchas, NUM_PROC, itertools.count()) as pool, QueueFeed(NUM_PROC) as feed:
        iterator: BatchIter = streamed_batches(captchas, pool, UNLIMITED)
        queued = QueueIter(feed, batch_size, {})
        stored = -(-QUEUE_SIZE // batch_size)

        def ours() -> float:
            return batch_size * batches_per_second(iterator, 10, batches)

        def baseline() -> float:
            return batch_size * batches_per_second(queued, stored, baseline_batches)

        in_turns(1, ours, baseline)
        mine, theirs = in_turns(rounds, ours, baseline)
    return [row(f"the whole iterator, {NUM_PROC} processes", "samples/s", mine, theirs, TARGET)]
