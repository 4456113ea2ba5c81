"""What a run is trained on and validated with: captchas that are drawn, or labelled images."""

import argparse
import logging
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.cli.data_options import check_with_progress, given_alphabet, source_options
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.checking import Check
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.datasets.labelled import LabelledSource
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.datasets.sources import open_source, samples_and_problems
from ctc_ocr.datasets.splitting import clusters, counts_of, divide
from ctc_ocr.datasets.summary import summary_lines
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.generation.pool import BatchSource
from ctc_ocr.generation.seeds import TRAIN, VALIDATION
from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer
from ctc_ocr.rendering.factory import make_renderer

LISTED = 10  # samples that are left out

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """`samples_per_epoch` of `train`, which does not end, are an epoch; the first `num_validation` of `validation` are
    all that it has. `validation_names` are what its samples are called, in the order of its batches; None: nothing.
    `fingerprint` tells labelled images, and which of them are for validation, from others."""

    alphabet: Alphabet
    train: BatchSource
    samples_per_epoch: int
    validation: BatchSource
    num_validation: int
    validation_names: list[str] | None = None
    fingerprint: str = ""


def drawn(settings: Hyperparameters, fonts: tuple[str, ...]) -> TrainingData:
    """Captchas. Those for validation are drawn by the library, whatever draws the others: what counts is how it is
    read."""
    data, training = settings.data, settings.training
    settings.check_generated()
    for_labelled = {
        "keep_ratio": data.keep_ratio,
        "channels 3": data.channels == 3,
        f"ink {data.ink}": data.ink != "dark",
        f"normalise {data.normalise}": data.normalise != "fixed",
        "augment": settings.augmentation.augment,
        "samples_per_epoch 0": not training.samples_per_epoch,
    }
    if any(for_labelled.values()):
        told = ", ".join(name for name, given in for_labelled.items() if given)
        raise InputError(f"for labelled images only: {told}. Captchas are drawn here; --data SOURCE names images")
    sizes = (data.draw_width, data.draw_height, data.width, data.height)
    renderer = make_renderer(data.renderer, fonts, *sizes)
    # One image here: compiles what the workers will only load, and reports a font that cannot be drawn at once.
    image = np.empty((1, data.height, data.width), np.uint8)
    renderer.render_batch([data.alphabet[0]], np.zeros(1, np.uint64), image)
    library = CaptchaLibraryRenderer(fonts, *sizes)
    return TrainingData(
        alphabet=Alphabet(tuple(data.alphabet)),
        train=GeneratedSource(renderer, data, training.batch_size, training.seed, TRAIN),
        samples_per_epoch=training.samples_per_epoch,
        validation=GeneratedSource(library, data, training.batch_size, training.seed, VALIDATION),
        num_validation=training.validation_samples,
    )


def labelled(arguments: argparse.Namespace, settings: Hyperparameters) -> TrainingData:
    """The images of --data, and of --validation or a part of --data. What is left out is said.

    Raises InputError for sources that cannot be read, RunError where too many samples are bad, or none is left.
    """
    alphabet = given_alphabet(arguments)
    train = _checked(arguments, arguments.data, settings, alphabet)
    if arguments.validation:
        validation = _checked(arguments, arguments.validation, settings, alphabet)
        _tell_shared(train, validation)
    else:
        train, validation = _divided(train, arguments.validation_share, settings.training.seed)
    if alphabet is None:
        alphabet = _alphabet(train, validation)
    longest = max(len(sample.units) for each in (train, validation) for sample in each.samples)
    log.info(
        "%d images to train on, %d for validation; %d units, labels of up to %d",
        len(train.samples), len(validation.samples), len(alphabet.units), longest,
    )  # fmt: skip
    held_out = _source(validation, alphabet, settings, longest, shuffle=False)
    return TrainingData(
        alphabet=alphabet,
        train=_source(train, alphabet, settings, longest, shuffle=True),
        samples_per_epoch=settings.training.samples_per_epoch or len(train.samples),
        validation=held_out,
        num_validation=len(validation.samples),
        validation_names=[_name(validation.samples[index]) for index in held_out.order],
        fingerprint=_fingerprint(train, validation),
    )


def _alphabet(train: Check, validation: Check) -> Alphabet:
    """What is in the labels. Says what only validation has."""
    alphabet = Alphabet.from_labels(sample.units for each in (train, validation) for sample in each.samples)
    unlearned = sorted(set(alphabet.units) - train.frequencies().keys())
    if unlearned:
        log.warning(
            "%d units are in labels for validation only, and cannot be learned: %s",
            len(unlearned), " ".join(map(repr, unlearned[:LISTED])),
        )  # fmt: skip
    return alphabet


def _name(sample: Sample) -> str:
    """What an image can be found by: its path, or its pack and key."""
    return sample.image if sample.record is None else sample.where


def _fingerprint(*parts: Check) -> str:
    """Pixels and labels, in their order, of each part; wherever the files lie."""
    rows = [
        list(zip(map(bytes.hex, part.digests), (each.units for each in part.samples), strict=True)) for part in parts
    ]
    return blake2b(repr(rows).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _checked(arguments: argparse.Namespace, source: str, settings: Hyperparameters, alphabet: Alphabet | None) -> Check:
    rows = open_source(source, source_options(arguments))
    checked = check_with_progress(
        samples_and_problems(rows, source), alphabet, settings.geometry.steps_of, arguments.max_units
    )
    log.info("%s", "\n".join([f"{source}:", *summary_lines(checked, rows.form)]))
    _tell_ink(checked, settings.data.ink)
    for told, problems in (("Left out", checked.dropped), ("Note", checked.notes)):
        for problem in problems[:LISTED]:
            log.warning("%s: %s", told, problem)
        if len(problems) > LISTED:
            log.warning("%s: %d more; ctc-ocr data check lists all", told, len(problems) - LISTED)
    if not checked.samples:
        raise RunError(f"none of its {len(checked.dropped)} samples can be used", source)
    if checked.invalid_fraction > arguments.max_bad:
        raise RunError(
            f"{checked.invalid_fraction:.1%} of its samples are invalid, more than --max_bad {arguments.max_bad}",
            source,
        )
    return checked


def _divided(checked: Check, share: float, seed: int) -> tuple[Check, Check]:
    """Without the share for validation, and it; images with the same pixels stay together."""
    if not 0 < share < 1:
        raise InputError(f"--validation_share {share:g}: expected a number between 0 and 1, not one of them")
    counts = counts_of((1 - share, share), len(checked.samples))
    parts = divide(clusters(checked.digests), counts, np.random.default_rng(seed))
    if not all(parts):
        different = len(set(checked.digests))
        raise RunError(f"{different} different images are too few to hold {share:.0%} of them back for validation")
    train, validation = map(checked.part, parts)
    return train, validation


def _tell_ink(checked: Check, ink: str) -> None:
    """Before an evening is spent on pictures that are turned over, or not."""
    light, count = sum(checked.light_ink), len(checked.samples)
    if ink == "dark" and 2 * light > count:
        log.warning("%d of %d images look like light ink on dark paper: --ink light turns them over", light, count)
    elif ink == "light" and 2 * light < count:
        log.warning("%d of %d images look like dark ink on light paper: --ink light spoils them", count - light, count)
    elif ink != "auto" and 0 < light < count:
        log.info("%d of %d images look like light ink on dark paper: --ink auto looks at each", light, count)


def _tell_shared(train: Check, validation: Check) -> None:
    known = set(train.digests)
    count = sum(digest in known for digest in validation.digests)
    if count:
        log.warning("%d of the validation images are among those to train on, to the last pixel", count)


def _source(
    checked: Check, alphabet: Alphabet, settings: Hyperparameters, longest: int, shuffle: bool
) -> LabelledSource:
    codes = [tuple(alphabet.encode(sample.units)) for sample in checked.samples]
    return LabelledSource(checked.samples, codes, checked.sizes, settings, longest, shuffle)
