"""Learning from images without labels: a model's own sure readings of them become labels of the next training.

Lee, "Pseudo-label: the simple and efficient semi-supervised learning method for deep neural networks", 2013. Each
round takes more images, the surest first, and trains from the start again: Cascante-Bonilla et al., "Curriculum
labeling: revisiting pseudo-labeling for semi-supervised learning", 2021.
"""

import csv
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.errors import InputError
from ctc_ocr.images.folders import find_images
from ctc_ocr.inference.image_list import ListedImage
from ctc_ocr.training.events import Callback
from ctc_ocr.training.session import TrainingResult, TrainingSession
from ctc_ocr.training.settings import LabelledImages, RunOptions

ROUNDS = 2
FIRST_SHARE, LAST_SHARE = 0.5, 0.85  # of the unlabelled images, the most that the first and the last round take
PRECISION = 0.95  # of the validation images with at least the least confidence, so many must be right
MIN_CHECKED = 10  # validation images: with fewer, what they say about a confidence is chance
UNCHECKED = 0.9  # the least confidence where validation cannot tell

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """A text that a model read, and its confidence, 0 to 1."""

    text: str
    confidence: float


def train_with_unlabelled(
    data: LabelledImages | str | Path,
    unlabelled: str | Path | Sequence[str | Path],
    hyperparameters: Hyperparameters | None = None,
    options: RunOptions | None = None,
    rounds: int = ROUNDS,
    callbacks: Sequence[Callback] = (),
) -> TrainingResult:
    """Train on labelled images, and then on images without labels too. Returns what `ctc_ocr.train` does.

    `unlabelled`: image files and folders of them. The first training has the labelled images alone. In each of the
    `rounds` that follow, the model before reads the unlabelled images; the surest half of them takes part in the next
    training, with what was read as their labels, in later rounds up to 85 %; but none below `least_confidence`. Each
    training starts as the first did, so that it does not keep the mistakes of the one before. All but the last are kept
    in a temporary folder. Validation has none of these images, and stays the same in all rounds.

    The other arguments are those of `ctc_ocr.train`; `callbacks` get the events of the last training. Raises InputError
    also for resume, and for unlabelled images that are not there.
    """
    options = options or RunOptions()
    if options.resume:
        raise InputError("cannot be continued by resume: the earlier rounds are not kept", "unlabelled")
    if rounds < 1:
        raise InputError(f"expected 1 or more, got {rounds}", "rounds")
    labelled = data if isinstance(data, LabelledImages) else LabelledImages(data)
    paths = find_images([unlabelled] if isinstance(unlabelled, (str, Path)) else unlabelled)
    with tempfile.TemporaryDirectory(prefix="ctc_ocr-") as folder:
        return _rounds(labelled, paths, hyperparameters, options, rounds, callbacks, Path(folder))


def _rounds(
    data: LabelledImages,
    paths: Sequence[Path],
    hyperparameters: Hyperparameters | None,
    options: RunOptions,
    rounds: int,
    callbacks: Sequence[Callback],
    folder: Path,
) -> TrainingResult:
    for number in range(rounds + 1):
        last = number == rounds
        log.info("Training %d of %d, %s", number + 1, rounds + 1, "with labelled images alone" if not number else
                 "with what the one before read in unlabelled images")  # fmt: skip
        prefix = options.prefix if last else str(folder / f"round{number}" / "ocr")
        own = options if last else replace(options, prefix=prefix, overwrite=False, tensorboard=False)
        session = TrainingSession(hyperparameters, data, own, callbacks if last else ())
        result = session.run()
        if last or not result.finished:
            return result
        hyperparameters = session.hyperparameters  # also where they were chosen from the images
        pseudo = folder / f"round{number}.csv"
        share = FIRST_SHARE + (LAST_SHARE - FIRST_SHARE) * number / max(1, rounds - 1)
        if not _write_pseudo_labels(prefix, session.held_out_samples(), paths, share, pseudo):
            log.warning("No unlabelled image was read with enough confidence: the next training has labels alone")
        else:
            data = replace(data, training_only=(pseudo,))
    raise AssertionError("the last round returns")


def _write_pseudo_labels(
    prefix: str, held_out: Sequence[Sample], paths: Sequence[Path], share: float, out: Path
) -> int:
    """Read the unlabelled images, and write those with enough confidence as a source, the surest first, but no more
    than a share of all. Returns their number."""
    from ctc_ocr.inference.batch import predict_each, predict_files
    from ctc_ocr.inference.predictor import Predictor

    predictor = Predictor(prefix)
    known = [
        (Reading(each.text, each.confidence or 0.0), sample.label)
        for sample, each in predict_each(predictor, held_out, lambda sample: (sample.read_bytes(), sample.place))
        if not isinstance(each, InputError)
    ]
    least = least_confidence([reading for reading, _ in known], [label for _, label in known])
    listed = [ListedImage(str(path), path) for path in paths]
    read = [
        (each.confidence or 0.0, str(image.path.resolve()), each.text)
        for image, each in predict_files(predictor, listed)
        if not isinstance(each, InputError) and each.text.strip() and (each.confidence or 0.0) >= least
    ]
    rows = [row for _, *row in sorted(read, key=lambda row: -row[0])][: int(share * len(paths))]
    log.info(
        "Unlabelled images read with a confidence of %.2f or more: %d of %d; %d take part",
        least, len(read), len(paths), len(rows),
    )  # fmt: skip
    with out.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        csv.writer(file).writerows([("image", "label"), *rows])
    return len(rows)


def least_confidence(readings: Sequence[Reading], labels: Sequence[str]) -> float:
    """The lowest confidence of a validation image such that PRECISION of the images with at least that are right; where
    there are too few images to tell, UNCHECKED. Above 1 if no confidence is enough."""
    if len(readings) < MIN_CHECKED:
        return UNCHECKED
    order = sorted(zip(readings, labels, strict=True), key=lambda pair: -pair[0].confidence)
    correct, least = 0, 1.01
    for count, (reading, label) in enumerate(order, start=1):
        correct += reading.text == label
        if correct >= PRECISION * count:
            least = reading.confidence
    return least
