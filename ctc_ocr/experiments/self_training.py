"""Learning from images without labels: a model's own sure readings of them become labels of the next training.

Lee, "Pseudo-label: the simple and efficient semi-supervised learning method for deep neural networks", 2013. Each
round takes more images, the surest first, and trains from the start again: Cascante-Bonilla et al., "Curriculum
labeling: revisiting pseudo-labeling for semi-supervised learning", 2021.
"""

import logging
import math
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.errors import InputError, check_kind
from ctc_ocr.experiments.part_source import part_source
from ctc_ocr.images.files import read_image
from ctc_ocr.images.folders import find_images
from ctc_ocr.inference.image_list import ListedImage
from ctc_ocr.runtime.advice import without_advice
from ctc_ocr.runtime.signals import interruption
from ctc_ocr.training.events import Callback
from ctc_ocr.training.results import TrainingResult
from ctc_ocr.training.session import TrainingSession
from ctc_ocr.training.settings import LabelledImages, RunOptions, checked_options, refuse_cluster

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
    also for resume, in a cluster, and for an unlabelled file that is not an image; KeyboardInterrupt if Ctrl-C or
    SIGTERM ended a training before the last one, of which nothing is kept.
    """
    check_kind("a path or a list of paths", unlabelled=unlabelled)
    check_kind("an integer", rounds=rounds)
    options = checked_options(options)
    refuse_cluster(options)
    if options.resume:
        raise InputError("cannot be continued by resume: the earlier rounds are not kept", "unlabelled")
    if not isinstance(unlabelled, (str, Path)) and not unlabelled:
        raise InputError("expected at least one image or folder, got none", "unlabelled")
    for each in () if isinstance(unlabelled, (str, Path)) else unlabelled:
        check_kind("a path", unlabelled=each)
    if rounds < 1:
        raise InputError(f"expected 1 or more, got {rounds}", "rounds")
    labelled = data if isinstance(data, LabelledImages) else LabelledImages(data)
    named = [unlabelled] if isinstance(unlabelled, (str, Path)) else unlabelled
    paths = find_images(named)
    for path in map(Path, named):
        if not path.is_dir():
            read_image(path)  # what is named must be an image; in a folder, some may be broken
    TrainingSession(hyperparameters, labelled, options, callbacks).check_prefix()  # not only before the last training
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
    pseudo: list[Sample] = []
    for number in range(rounds):
        _log_begin(number, rounds)
        prefix = str(folder / f"round{number}" / "ocr")
        own = replace(options, prefix=prefix, overwrite=False, tensorboard=False)
        with ExitStack() as stack:
            stack.enter_context(without_advice())
            session = TrainingSession(hyperparameters, _with(data, pseudo, stack), own)
            result = session.run()
            if not result.finished:
                log.info("Interrupted in training %d of %d: nothing is kept", number + 1, rounds + 1)
                raise interruption(result.signal)
        # What was chosen from the images stays.
        hyperparameters, data = session.run_hyperparameters(), replace(data, choose=())
        share = FIRST_SHARE + (LAST_SHARE - FIRST_SHARE) * number / max(1, rounds - 1)
        pseudo = _pseudo_labelled(prefix, options.gpus, session.held_out_samples(), paths, share, data.max_units)
        if not pseudo:
            log.warning(
                "No unlabelled image was read with enough confidence: the next training has labelled images only"
            )
    _log_begin(rounds, rounds)
    with ExitStack() as stack:
        return TrainingSession(hyperparameters, _with(data, pseudo, stack), options, callbacks).run()


def _log_begin(number: int, rounds: int) -> None:
    log.info("Training %d of %d, %s", number + 1, rounds + 1, "with labelled images only" if not number else
             "with what the one before read in unlabelled images")  # fmt: skip


def _with(data: LabelledImages, pseudo: Sequence[Sample], stack: ExitStack) -> LabelledImages:
    """The labelled images, and those whose labels were read, until the stack is closed. The options of the user's
    sources are not for the latter."""
    if not pseudo:
        return data
    source = stack.enter_context(part_source(pseudo, "unlabelled images", "what the model before read in them"))
    return replace(data, training_only=(*data.training_only_sources, source))


def _pseudo_labelled(
    prefix: str, gpus: Sequence[int], held_out: Sequence[Sample], paths: Sequence[Path], share: float, max_units: int
) -> list[Sample]:
    """Read the unlabelled images: those with enough confidence, the surest first, but no more than a share of all."""
    from ctc_ocr.inference.batch import predict_each, predict_files
    from ctc_ocr.inference.predictor import Predictor
    from ctc_ocr.runtime.devices import contexts

    predictor = Predictor(prefix, context=contexts(gpus)[0])
    known = [
        (Reading(each.text, each.confidence or 0.0), sample.label)
        for sample, each in predict_each(predictor, held_out, lambda sample: (sample.read_bytes(), sample.place))
        if not isinstance(each, InputError)
    ]
    least = least_confidence([reading for reading, _ in known], [label for _, label in known])
    read, unreadable = list[tuple[float, Sample]](), list[InputError]()
    for image, each in predict_files(predictor, [ListedImage(str(path), path) for path in paths]):
        if isinstance(each, InputError):
            unreadable.append(each)
        elif 0 < max_units < len(each.codes):
            continue  # no label may be so long
        elif each.text.strip() and (each.confidence or 0.0) >= least:
            path, units = str(image.path.resolve()), tuple(predictor.alphabet.units[code - 1] for code in each.codes)
            read.append((each.confidence or 0.0, Sample(path, units, path)))
    if unreadable:
        log.warning("Unlabelled images that cannot be read: %d of %d; %s", len(unreadable), len(paths), unreadable[0])
    surest = sorted(read, key=lambda pair: -pair[0])[: math.ceil(share * len(paths))]
    log.info(
        "Unlabelled images read with a confidence of %.2f or more: %d of %d; %d take part",
        least, len(read), len(paths), len(surest),
    )  # fmt: skip
    return [sample for _, sample in surest]


def least_confidence(readings: Sequence[Reading], labels: Sequence[str]) -> float:
    """The lowest confidence of a validation image such that PRECISION of the images with at least that are right; where
    there are too few images to tell, UNCHECKED. Above 1 if no confidence is enough."""
    if len(readings) < MIN_CHECKED:
        return UNCHECKED
    order = sorted(zip(readings, labels, strict=True), key=lambda pair: -pair[0].confidence)
    correct, least = 0, 1.01
    for count, (reading, label) in enumerate(order, start=1):
        correct += reading.text == label
        is_last = count == len(order) or order[count][0].confidence < reading.confidence  # of those with the same one
        if is_last and correct >= PRECISION * count:
            least = reading.confidence
    return least
