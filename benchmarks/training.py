"""Training samples per second, generation and metrics included: the example's network, 128 samples per batch.

Ours: the Trainer as the training command runs it, with one image process. The baseline: the unrolled graph with SGD,
fed by two processes through a queue, its accuracy counted by loops over samples and time steps after every batch. Both
run in one process with as many threads of OpenMP; the baseline has its turn whenever the Trainer ends an epoch.
"""

import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import feeding, unrolled
from benchmarks.common import BATCH_SIZE, DIGITS, seconds
from benchmarks.queue_feed import QUEUE_SIZE, QueueFeed
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Training
from ctc_ocr.datasets.iterator import cached_batches, streamed_batches
from ctc_ocr.generation.pool import BatchPool
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.events import EpochEnd
from ctc_ocr.training.trainer import Trainer

TARGET = 3
MATRIX = 2048


class Baseline:
    """The example's training loop."""

    def __init__(self, feed: QueueFeed, batch_size: int) -> None:
        self._batch_size = batch_size
        shapes = unrolled.input_shapes(batch_size)
        self._iterator = feeding.QueueIter(feed, batch_size, {name: shapes[name] for name in unrolled.STATES})
        names = [each.name for each in self._iterator.provide_data]
        self._module = mx.mod.Module(unrolled.training_symbol(), names, ["label"], context=mx.cpu())
        self._module.bind(self._iterator.provide_data, self._iterator.provide_label)
        self._module.init_params(mx.init.Xavier(factor_type="in", magnitude=2.34))
        self._module.init_optimizer(
            kvstore=None, optimizer="sgd", optimizer_params={"learning_rate": 0.01, "momentum": 0.9}
        )

    def samples_per_second(self, batches: int) -> float:
        for _ in range(-(-QUEUE_SIZE // self._batch_size)):  # what was rendered while the other had its turn
            self._iterator.next()

        def train() -> None:
            for _ in range(batches):
                self._step()
            mx.nd.waitall()

        return self._batch_size * batches / seconds(train)

    def _step(self) -> float:
        batch = self._iterator.next()
        self._module.forward_backward(batch)
        self._module.update()
        probabilities = self._module.get_outputs()[0].asnumpy()
        return unrolled.accuracy(batch.label[0].asnumpy(), probabilities)


def peak_flops(size: int = MATRIX) -> float:
    """FLOP/s of a large product of matrices in NumPy: the practical peak of its threads."""
    a, b = np.ones((size, size), np.float32), np.ones((size, size), np.float32)
    return float(2 * size**3 / seconds(lambda: a @ b))


def forward_flops(symbol: Any, num_steps: int, **inputs: tuple[int, ...]) -> int:
    """Of one sample: two for each element of a matrix of weights at each time step. All else is less than 2 % of it."""
    shapes, _, _ = symbol.infer_shape(**inputs)
    return (
        2
        * num_steps
        * sum(int(np.prod(s)) for n, s in zip(symbol.list_arguments(), shapes, strict=True) if n.endswith("_weight"))
    )


def measure(
    rounds: int, batches: int, baseline_batches: int, batch_size: int = BATCH_SIZE, matrix: int = MATRIX
) -> dict[str, Any]:
    """Of `rounds` turns `ours` and `baseline` (samples/s) and `peak` (FLOP/s); and `flops` of a training sample."""
    settings = Hyperparameters(
        training=Training(
            batch_size=batch_size,
            samples_per_epoch=batches * batch_size,
            validation_samples=batch_size,
            num_epoch=rounds + 1,
        )
    )
    found: dict[str, Any] = {"ours": [], "baseline": [], "peak": []}
    captchas = feeding.source(batch_size)
    with (
        BatchPool(captchas, 1, itertools.count()) as pool,
        QueueFeed(feeding.NUM_PROC) as feed,
        tempfile.TemporaryDirectory() as folder,
    ):
        baseline = Baseline(feed, batch_size)

        def turn(event: Any) -> None:
            if isinstance(event, EpochEnd):
                found["ours"].append(event.speed)
                found["baseline"].append(baseline.samples_per_second(baseline_batches))
                found["peak"].append(peak_flops(matrix))

        iterator = streamed_batches(captchas, pool, settings.training.samples_per_epoch)
        model = Model(settings, Alphabet(tuple(DIGITS)))
        trainer = Trainer(model, iterator, [mx.cpu()], [turn])
        # The first epoch is not counted: threads start, memory is allocated.
        trainer.fit(
            iterator, cached_batches(captchas, batch_size, 1), str(Path(folder) / "ocr"), lambda: pool.seconds_waited
        )
    num_steps, data = settings.geometry.num_steps, settings.data
    inputs = {"data": (1, data.height, data.width), "label": (1, data.max_length)}
    # Backward, the gradients of inputs and of weights are one such product each.
    flops = 3 * forward_flops(trainer.network.symbol, num_steps, **inputs)
    return {name: values[1:] for name, values in found.items()} | {"flops": flops}
