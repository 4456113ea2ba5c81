"""Evaluation: how well a model reads labelled images."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctc_ocr.checkpoint.run_files import Epoch
from ctc_ocr.datasets.samples import Problem, Rows, Sample, SourceOptions
from ctc_ocr.datasets.sources import DEFAULT_OPTIONS, open_source
from ctc_ocr.errors import InputError, check_kind
from ctc_ocr.evaluation.evaluator import Evaluator
from ctc_ocr.evaluation.result import EvaluationResult
from ctc_ocr.inference.batch import Result, predict_each
from ctc_ocr.inference.batch_rows import BATCH_SIZE
from ctc_ocr.inference.ink import InkCheck
from ctc_ocr.inference.locating import KnownSamples
from ctc_ocr.inference.prediction import Prediction
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.inference.reader_pool import ReaderPool
from ctc_ocr.inference.readings_csv import Reading
from ctc_ocr.runtime.progress import Progress

MAX_INVALID = 10  # invalid samples that are kept
BATCHES = 4  # read at a time
COUNTED = 64  # maximum number of predictions that are counted at a time


@dataclass(frozen=True)
class Evaluation:
    """How well a model reads a source.

    prefix, epoch: the model's.
    source: the path of the labelled images; of several, with commas between them.
    num_samples: samples that were read.
    result: their figures.
    num_invalid: samples that could not be read, which are in no figure.
    invalid: the first ten of them, and why.
    ink: what the model expects, dark, light or auto.
    num_inverted: images whose ink looks like the opposite, see `ctc_ocr.inference.ink`.
    has_unusual_ink: whether these are more than among the model's training images, and not by chance; or any, if the
        model does not say how many of those look so.
    num_trained_on, num_validated_with: samples whose pixels the model was trained on or validated with, which makes the
        figures too good; None if the model's run does not tell.
    """

    prefix: str
    epoch: int
    source: str
    num_samples: int
    result: EvaluationResult
    num_invalid: int
    invalid: tuple[Problem, ...]
    ink: str
    num_inverted: int
    has_unusual_ink: bool = False
    num_trained_on: int | None = None
    num_validated_with: int | None = None

    @property
    def accuracy(self) -> float | None:
        """Fraction of the samples whose whole text is correct; None without samples."""
        return self.result.accuracy

    @property
    def cer(self) -> float | None:
        """Character error rate: edits per unit of the labels; None without samples."""
        return self.result.cer

    def to_dict(self) -> dict[str, Any]:
        """{name: value}, ready for JSON, with the figures beside the others."""
        return {
            "model": self.prefix,
            "epoch": self.epoch,
            "source": self.source,
            **self.result.to_dict(),
            "invalid": {"samples": self.num_invalid, "first": [str(each) for each in self.invalid]},
            "inverted": self.num_inverted,
            "trained_on": self.num_trained_on,
            "validated_with": self.num_validated_with,
        }


@dataclass(frozen=True)
class OpenedSources:
    """Sources of labelled images, whose rows are read one by one.

    names: their paths, with commas between them.
    total: about how many rows they have.
    """

    names: str
    rows: tuple[Rows, ...]

    @property
    def total(self) -> int:
        return sum(each.total for each in self.rows)

    def __iter__(self) -> Iterator[Sample | Problem]:
        return itertools.chain(*self.rows)


def open_sources(source: str | Path | Sequence[str | Path], options: SourceOptions = DEFAULT_OPTIONS) -> OpenedSources:
    """One source or several, opened. Raises InputError as `open_source` does, and for an empty list."""
    sources = [source] if isinstance(source, str) or not isinstance(source, Iterable) else list(source)
    if not sources:
        raise InputError("expected at least one source, got none", "source")
    return OpenedSources(", ".join(map(str, sources)), tuple(open_source(each, options) for each in sources))


def evaluate(
    model: Predictor | ReaderPool | str | Path,
    source: str | Path | Sequence[str | Path] | OpenedSources,
    *,
    options: SourceOptions = DEFAULT_OPTIONS,
    epoch: Epoch | None = None,
    batch_size: int | None = None,
    min_confidence: float = 0.0,
    progress: Progress | None = None,
    on_reading: Callable[[Reading], None] | None = None,
) -> Evaluation:
    """Read the images of a source with a model, and compare the predictions with the labels.

    model: a Predictor, or a ReaderPool, or the path of a model; `epoch` and `batch_size` are for a path only, as in
        Predictor.
    source: a folder, CSV file or pack, or a list of them; `options` are how their labels are found. Or what
        `open_sources` returned, which has its options.
    min_confidence: the result has accuracy and coverage without the predictions below it, in addition.
    progress: called as progress(done, total) from time to time, with numbers of samples; `total` is approximate.
    on_reading: called with the Reading of each sample, in their order; `write_readings` writes them into a file.

    Invalid samples are counted and do not raise, even if all are. Memory does not grow with the number of samples.
    Raises InputError if the model or the source cannot be read, or if the source is empty.
    """
    check_kind("a function", or_none=True, progress=progress, on_reading=on_reading)
    reader = _reader(model, epoch, batch_size)
    opened = source if isinstance(source, OpenedSources) else open_sources(source, options)
    known, ink = KnownSamples(reader.known_images()), InkCheck(reader.hyperparameters.data.ink, reader.light_ink)
    counts = _Counts(Evaluator(reader.alphabet, min_confidence))
    results = predict_each(reader, opened, known, batches=BATCHES, ink=ink)
    portion = min(COUNTED, BATCHES * reader.batch_size)
    while chunk := list(itertools.islice(results, portion)):
        readings = counts.add(chunk)
        if on_reading:
            for each in readings:
                on_reading(each)
        if progress:
            progress(counts.total, opened.total)
    if not counts.total:
        raise InputError("no labelled images in it", opened.names)
    return _evaluation(reader, opened.names, counts, known, ink)


class _Counts:
    """What was read so far, and what was not."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.num_samples, self.num_invalid = 0, 0
        self.invalid: list[Problem] = []  # the first ones

    @property
    def total(self) -> int:
        return self.num_samples + self.num_invalid

    def add(self, chunk: Sequence[tuple[Sample | Problem, Result]]) -> Iterator[Reading]:
        """Count some rows and what became of them; returns the readings of those that were read."""
        read = list[tuple[Sample, Prediction]]()
        for row, result in chunk:
            if isinstance(row, Sample) and isinstance(result, Prediction):
                read.append((row, result))
            elif isinstance(result, InputError) and len(self.invalid) < MAX_INVALID:
                self.invalid.append(Problem(result.where, result.reason))
        edits = _add(self.evaluator, read)
        self.num_samples += len(read)
        self.num_invalid += len(chunk) - len(read)
        return (_reading(*each, number) for each, number in zip(read, edits, strict=True))


def _evaluation(
    reader: Predictor | ReaderPool, names: str, counts: _Counts, known: KnownSamples, ink: InkCheck
) -> Evaluation:
    return Evaluation(
        prefix=reader.prefix,
        epoch=reader.epoch,
        source=names,
        num_samples=counts.num_samples,
        result=counts.evaluator.result(),
        num_invalid=counts.num_invalid,
        invalid=tuple(counts.invalid),
        ink=ink.ink,
        num_inverted=ink.count,
        has_unusual_ink=ink.is_unusual(counts.num_samples),
        num_trained_on=known.count("training"),
        num_validated_with=known.count("validation"),
    )


def _reader(
    model: Predictor | ReaderPool | str | Path, epoch: Epoch | None, batch_size: int | None
) -> Predictor | ReaderPool:
    if not isinstance(model, Predictor | ReaderPool):
        return Predictor(model, epoch, BATCH_SIZE if batch_size is None else batch_size)
    for name, value in (("epoch", epoch), ("batch_size", batch_size)):
        if value is not None:
            raise InputError(f"has no effect with a {type(model).__name__}, which has its own", name)
    return model


def _add(evaluator: Evaluator, read: Sequence[tuple[Sample, Prediction]]) -> list[int]:
    return evaluator.add(
        [prediction.codes for _, prediction in read],
        [prediction.confidence or 0.0 for _, prediction in read],
        [sample.units for sample, _ in read],
        [_others(prediction) for _, prediction in read],
    )


def _others(prediction: Prediction) -> tuple[str, ...]:
    """What else a single character may be, most probable first."""
    if not prediction.characters:
        return ()
    return tuple(unit for unit, _ in prediction.characters[0].alternatives)


def _reading(sample: Sample, prediction: Prediction, edits: int) -> Reading:
    return Reading(
        image=sample.image if sample.is_file else sample.where,
        is_file=sample.is_file,
        label=sample.label,
        prediction=prediction.text,
        confidence=prediction.confidence or 0.0,
        character_confidence=prediction.character_confidence or 0.0,
        edits=edits,
    )
