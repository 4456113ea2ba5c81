"""Reading captchas with the example's network: Predictor against the unrolled graph bound once for one image.

Both decode, and find the same texts; neither computes a confidence. The network is trained for some seconds before, so
that its predictions are about as long as the texts: those of random weights are longer.
"""

import itertools
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import feeding, unrolled
from benchmarks.common import DIGITS, Row, in_turns, row, seconds
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import model_files
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Training
from ctc_ocr.datasets.iterator import cached_batches, streamed_batches
from ctc_ocr.generation.pool import BatchPool
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.trainer import Trainer

TARGET_ONE, TARGET_MANY = 10, 20


def trained(prefix: str, samples: int) -> None:
    """Train the example's network on so many samples, and save it as epoch 1 under a prefix."""
    settings = Hyperparameters(training=Training(samples_per_epoch=samples, num_epoch=1))
    captchas = feeding.source(settings.training.batch_size)
    with BatchPool(captchas, 1, itertools.count()) as pool:
        iterator = streamed_batches(captchas, pool, samples)
        trainer = Trainer(Model(settings, Alphabet(tuple(DIGITS))), iterator, [mx.cpu()])
        validation = cached_batches(captchas, settings.training.batch_size, 1)
        trainer.fit(iterator, validation, prefix, lambda: pool.seconds_waited)


def models(samples: int) -> tuple[Predictor, unrolled.Reader]:
    """Both readers of one trained network."""
    with tempfile.TemporaryDirectory() as folder:
        prefix = str(Path(folder) / "ocr")
        trained(prefix, samples)
        network = Hyperparameters().network
        weights = model_files.load(prefix).arg_params
        return Predictor(prefix), unrolled.Reader(weights, network.input_mean, network.input_scale)


def captchas(count: int) -> list[np.ndarray[Any, Any]]:
    """(30, 80) uint8 each."""
    source = feeding.source(count)
    arrays = {name: np.empty(spec.shape, spec.dtype) for name, spec in source.specs().items()}
    source.fill(0, arrays)
    return list(arrays["images"])


def measure(rounds: int, calls: int, images: int, baseline_images: int, samples: int) -> list[Row]:
    """Of `rounds` turns: `calls` of one image, and `images` in memory, of which the baseline reads fewer.

    The network is trained on `samples` samples.
    """
    predictor, reader = models(samples)
    given = captchas(images)

    def milliseconds(read: Any) -> float:
        return 1e3 * float(np.median([seconds(partial(read, image)) for image in given[:calls]]))

    def one() -> float:
        return milliseconds(lambda image: predictor.predict([image], confidence=False))

    def one_unrolled() -> float:
        return milliseconds(reader.read)

    def many() -> float:
        return images / seconds(lambda: predictor.predict(given, confidence=False))

    def many_unrolled() -> float:
        return baseline_images / seconds(lambda: [reader.read(image) for image in given[:baseline_images]])

    in_turns(1, one, one_unrolled)
    single, single_unrolled = in_turns(rounds, one, one_unrolled)
    predictor.predict(given[: predictor.batch_size])
    batched, batched_unrolled = in_turns(rounds, many, many_unrolled)
    return [
        row("one image, warm, decoded", "ms", single, single_unrolled, TARGET_ONE),
        row(f"{images:,} images from memory, decoded", "images/s", batched, batched_unrolled, TARGET_MANY),
    ]
