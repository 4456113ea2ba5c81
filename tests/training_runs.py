"""Small runs of the trainer, on real captchas."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import ctc_ocr
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Data, Network, Training
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.datasets.iterator import BatchIter
from ctc_ocr.generation.pool import Arrays, ArraySpec, BatchSource
from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.events import EpochEnd, ValidationPrediction
from ctc_ocr.training.resume import newest
from ctc_ocr.training.trainer import Trainer

SMALL = Hyperparameters(
    Data(alphabet="01", min_length=1, max_length=2, draw_width=80, width=40, height=20),
    Network(num_layers=1, num_hidden=16),
    Training(batch_size=8, num_epoch=2, samples_per_epoch=32, validation_samples=16, warmup_updates=2),
)
CRNN = Network(
    "crnn", 1, 8, features=(4, 8), kernels=(3, 3), strides=(1, 1), pool_heights=(4, 2), pool_widths=(2, 2)
)  # fmt: skip


def training(**changes: Any) -> Hyperparameters:
    return replace(SMALL, training=replace(SMALL.training, **changes))


def begin(prefix: str, font: str, **options: Any) -> None:
    """A run that is to fail before it does anything."""
    options = {"num_proc": 1, "cpu": 1, **options}
    ctc_ocr.TrainingSession(SMALL, ctc_ocr.Captchas(font), ctc_ocr.RunOptions(prefix, **options)).run()


def make_source(font: str) -> GeneratedSource:
    data = SMALL.data
    renderer = CaptchaLibraryRenderer((font,), data.draw_width, data.draw_height, data.width, data.height)
    return GeneratedSource(renderer, data, SMALL.training.batch_size, seed=0, stream=0)


def filled(source: BatchSource, numbers: Iterable[int]) -> Iterator[Arrays]:
    """Batches that are filled in this process: an image process takes a second to start."""
    for number in numbers:
        arrays = {name: np.empty(spec.shape, spec.dtype) for name, spec in source.specs().items()}
        source.fill(number, arrays)
        yield arrays


def streamed(source: GeneratedSource, num_samples: int, first: int = 0, first_of_epoch: int = 0) -> BatchIter:
    """As `streamed_batches` of a pool that starts with batch `first`."""
    endless = filled(source, itertools.count(first))
    return BatchIter(source, num_samples, lambda: endless, first_of_epoch)


def cached(source: GeneratedSource, num_samples: int) -> BatchIter:
    """As `cached_batches`."""
    batches = list(filled(source, range(-(-num_samples // source.batch_size))))
    return BatchIter(source, num_samples, lambda: batches)


def run(
    settings: Hyperparameters,
    source: GeneratedSource,
    prefix: Path,
    first: int = 0,
    contexts: int = 1,
    callbacks: Sequence[Callable[[Any], None]] = (),
) -> tuple[Trainer, list[Any]]:
    """Train to the end, from step `first` of the run under `prefix`. Returns the trainer and its events."""
    events: list[Any] = []
    num_batches = settings.training.samples_per_epoch // settings.training.batch_size
    iterator = streamed(source, settings.training.samples_per_epoch, first, first % num_batches)
    model = Model(settings, Alphabet(tuple(settings.data.alphabet)))
    devices = [mx.cpu(number) for number in range(contexts)]
    trainer = Trainer(model, iterator, devices, [events.append, *callbacks])
    if first:
        trainer.resume(newest(str(prefix)))
    validation = cached(replace(source, stream=1), settings.training.validation_samples)
    assert trainer.fit(iterator, validation, str(prefix), lambda: 0.0)
    return trainer, events


def weights(trainer: Trainer) -> dict[str, np.ndarray]:
    return {name: array.asnumpy() for name, array in trainer.network.parameters()[0].items()}


def epoch_end(epoch: int = 0, best_epoch: int = 1, empty_fraction: float = 0.5, cer: float = 0.4) -> EpochEnd:
    return EpochEnd(
        epoch=epoch,
        update=epoch * 10 + 10,
        samples=epoch * 320 + 320,
        seconds=1.5,
        seconds_left=130.0,
        speed=213.0,
        waiting=0.5,
        learning_rate=0.003,
        train_loss=9.0,
        train_accuracy=0.0,
        train_cer=0.75,
        validation_loss=8.5,
        validation_accuracy=0.5,
        validation_cer=cer,
        validation_lcs_ratio=0.2,
        blank_fraction=0.99,
        empty_fraction=empty_fraction,
        best_epoch=best_epoch,
        predictions=(ValidationPrediction("12", "", 2), ValidationPrediction("34", "34", 0)),
    )


class Batches:
    """Batches of given images that are in memory, as a source gives them: `arrays` is one dict a batch."""

    def __init__(
        self, settings: Hyperparameters, arrays: Sequence[dict[str, np.ndarray]] = (), labels: int = 2
    ) -> None:
        data, size = settings.data, settings.training.batch_size
        colours = (3,) if data.channels == 3 else ()
        self._specs = {
            "images": ArraySpec((size, data.height, settings.geometry.full_width, *colours), "uint8"),
            "labels": ArraySpec((size, labels), "float32"),
        }
        if data.keep_ratio:
            self._specs |= {"steps": ArraySpec((size,), "float32"), "width": ArraySpec((1,), "float32")}
        self._arrays = list(arrays)

    def specs(self) -> dict[str, ArraySpec]:
        return self._specs

    def fill(self, number: int, arrays: dict[str, np.ndarray]) -> None:
        raise NotImplementedError

    def iterator(self, first_batch: int = 0) -> BatchIter:
        """Every epoch is all the batches; the first one begins at `first_batch`."""
        starts = itertools.chain([first_batch], itertools.repeat(0))
        samples = max(len(self._arrays), 1) * self._specs["images"].shape[0]
        return BatchIter(self, samples, lambda: self._arrays[next(starts) :], first_batch)
