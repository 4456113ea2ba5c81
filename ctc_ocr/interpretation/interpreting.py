"""The images that a model finds hardest, and the units that it confuses most, in memory that does not grow with the
number of images."""

import heapq
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctc_ocr.alphabet import UnitSplitter
from ctc_ocr.datasets.samples import Problem, Sample, SourceOptions
from ctc_ocr.datasets.sources import DEFAULT_OPTIONS
from ctc_ocr.errors import InputError, RunError, check_kind
from ctc_ocr.evaluation.metrics import confusions
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.inference.label_probabilities import LabelProbabilities
from ctc_ocr.runtime.progress import Progress

if TYPE_CHECKING:
    from ctc_ocr.inference.predictor import Predictor

Pair = tuple[str | None, str | None]  # (unit of the label, unit predicted); None for an insertion or a deletion


@dataclass(frozen=True)
class Example:
    """An image that a model has read. loss: -log p(label | image) in nats, inf for a label that is impossible."""

    sample: Sample
    reading: str
    loss: float

    @property
    def correct(self) -> bool:
        return self.reading == self.sample.label


@dataclass(frozen=True)
class ConfusedPair:
    """A unit of labels, the unit that was predicted in its place, how often, and the first images of it.

    None as the label: an insertion; None as the prediction: a deletion.
    """

    label: str | None
    predicted: str | None
    count: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Interpretation:
    """num_samples: images that were read; num_invalid: those that could not be. mean_loss: of all finite losses, in
    nats; NaN if there is none. top_losses: highest first. confused: most frequent first, each time counted."""

    model: str
    epoch: int
    source: str
    num_samples: int
    num_correct: int
    num_invalid: int
    mean_loss: float
    top_losses: tuple[Example, ...]
    confused: tuple[ConfusedPair, ...]

    def to_dict(self) -> dict[str, Any]:
        """{name: value}, ready for JSON; images by their places."""
        return {
            **{name: value for name, value in asdict(self).items() if name not in ("top_losses", "confused")},
            "mean_loss": _finite(self.mean_loss),
            "top_losses": [_example_dict(each) for each in self.top_losses],
            "confused": [
                {
                    "label": each.label, "predicted": each.predicted, "count": each.count,
                    "examples": [_example_dict(example) for example in each.examples],
                }
                for each in self.confused
            ],
        }  # fmt: skip


def interpret(
    model: "Predictor | str | Path",
    source: str | Path | Sequence[str | Path],
    options: SourceOptions = DEFAULT_OPTIONS,
    *,
    top: int = 24,
    pairs: int = 12,
    examples: int = 4,
    progress: Progress | None = None,
) -> Interpretation:
    """Read the images of a source: the `top` ones with the highest loss, and the `pairs` that are confused most often
    with up to `examples` images each.

    Of each image only numbers are kept; the rows of the chosen ones are read again. `model`: a Predictor, or what names
    one. Raises InputError for a model or a source that cannot be read, RunError if none of its images can be.
    """
    check_kind("an integer", top=top, pairs=pairs, examples=examples)
    check_kind("a function", or_none=True, progress=progress)
    from ctc_ocr.inference.evaluate import open_sources  # it imports what reads models
    from ctc_ocr.inference.predictor import Predictor

    predictor = model if isinstance(model, Predictor) else Predictor(model)
    opened = open_sources(source, options)
    found = _Found(predictor, top, examples)
    rows = enumerate(opened)
    while chunk := list(islice(rows, 4 * predictor.batch_size)):
        found.add(chunk)
        if progress is not None:
            progress(found.num_samples + found.num_invalid, opened.total)
    if not found.num_samples:
        raise RunError(f"none of its {found.num_invalid} samples is valid", opened.names)
    best = found.pairs.most_common(pairs)
    of_pairs = {pair: found.first.get(pair, ()) for pair, _ in best}
    wanted = {number for _, number in found.hardest}.union(*of_pairs.values())
    chosen = dict(_read_again(enumerate(opened), wanted, predictor))
    return Interpretation(
        model=predictor.prefix,
        epoch=predictor.epoch,
        source=opened.names,
        num_samples=found.num_samples,
        num_correct=found.num_correct,
        num_invalid=found.num_invalid,
        mean_loss=found.sum_of_losses / found.num_finite if found.num_finite else math.nan,
        top_losses=tuple(chosen[number] for _, number in sorted(found.hardest, key=lambda each: (-each[0], each[1]))),
        confused=tuple(
            ConfusedPair(*pair, count, tuple(chosen[number] for number in of_pairs[pair])) for pair, count in best
        ),
    )


class _Found:
    """What is kept of the images: by their row numbers."""

    def __init__(self, predictor: "Predictor", top: int, examples: int) -> None:
        self._predictor, self._top, self._examples = predictor, top, examples
        self._splitter = UnitSplitter(predictor.alphabet)
        self.num_samples = self.num_correct = self.num_invalid = self.num_finite = 0
        self.sum_of_losses = 0.0
        self.hardest: list[tuple[float, int]] = []  # a heap of (loss, row), the least one first
        self.pairs: Counter[Pair] = Counter()
        self.first: dict[Pair, tuple[int, ...]] = {}

    def add(self, rows: Sequence[tuple[int, Sample | Problem]]) -> None:
        numbers, samples, images = list[int](), list[Sample](), list[Pixels]()
        for number, row in rows:
            try:
                if isinstance(row, Problem):
                    raise InputError(row.reason, row.where)
                images.append(self._predictor.prepare(row.read_bytes(), row.place))
            except InputError:
                self.num_invalid += 1
            else:
                numbers.append(number)
                samples.append(row)
        read = read_prepared(self._predictor, samples, images)
        for number, example in zip(numbers, read, strict=True):
            self._count(number, example)

    def _count(self, number: int, example: Example) -> None:
        self.num_samples += 1
        self.num_correct += example.correct
        if math.isfinite(example.loss):
            self.num_finite += 1
            self.sum_of_losses += example.loss
        heapq.heappush(self.hardest, (example.loss, number))
        if len(self.hardest) > self._top:
            heapq.heappop(self.hardest)
        if example.correct:
            return
        pieces = self._splitter.pieces
        for pair in confusions(pieces(example.reading), pieces(example.sample.label)):
            self.pairs[pair] += 1  # type: ignore[index]
            known = self.first.get(pair, ())  # type: ignore[arg-type]
            if number in known[-1:]:
                continue
            if len(known) < self._examples:
                self.first[pair] = (*known, number)  # type: ignore[index]


def read_prepared(predictor: "Predictor", samples: Sequence[Sample], images: Sequence[Pixels]) -> list[Example]:
    """The readings of prepared images. A label with other units than the alphabet's has an infinite loss."""
    readings = predictor.predict_prepared(images)
    scores = LabelProbabilities(predictor)(samples, images, readings)
    return [
        Example(sample, reading.text, -score) for sample, reading, score in zip(samples, readings, scores, strict=True)
    ]


def _read_again(
    rows: Iterator[tuple[int, Sample | Problem]], wanted: set[int], predictor: "Predictor"
) -> Iterator[tuple[int, Example]]:
    for number, row in rows:
        if number in wanted and isinstance(row, Sample):
            (example,) = read_prepared(predictor, [row], [predictor.prepare(row.read_bytes(), row.place)])
            yield number, example


def _example_dict(example: Example) -> dict[str, Any]:
    return {
        "image": example.sample.place, "label": example.sample.label, "reading": example.reading,
        "loss": _finite(example.loss),
    }  # fmt: skip


def _finite(value: float) -> float | None:
    """JSON has no numbers for the others."""
    return value if math.isfinite(value) else None
