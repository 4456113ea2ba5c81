"""Labelled images for a run: found, checked, and split into those to train on and those to validate with."""

import logging
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b

import numpy as np

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.known_images import KnownImages
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.checking import CheckedSample, CheckResult, check_sources
from ctc_ocr.datasets.choices import FindRegion, choose
from ctc_ocr.datasets.held_out import no_part, split_held_out
from ctc_ocr.datasets.image_columns import ImageColumns
from ctc_ocr.datasets.labelled import LabelledBatches
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.datasets.summary import summary_lines
from ctc_ocr.errors import RunError
from ctc_ocr.images.region import Region
from ctc_ocr.lengths import Lengths
from ctc_ocr.runtime.progress import Progress, shown_progress
from ctc_ocr.training.budget import samples_of_epoch
from ctc_ocr.training.labelled_warnings import (
    warn_of_changed_parts,
    warn_of_ink,
    warn_of_long_labels,
    warn_of_shared_images,
)
from ctc_ocr.training.missing_units import likely_missing
from ctc_ocr.training.run_data import TrainingData
from ctc_ocr.training.settings import LabelledImages
from ctc_ocr.training.start import starter_fits, starter_units, why_not_starter
from ctc_ocr.training.verdict import Facts

HELD_OUT, MAX_HELD_OUT = 0.1, 1000  # a fraction of the images, and a number: each epoch reads them all
MIN_HELD_OUT = 10  # images: with fewer, chance alone decides which epoch is the best
MOST_OF_FEW = 0.2  # but no more than this fraction of a small set
MAX_LISTED = 10  # invalid samples in the log

# Of samples, how images are prepared, the lengths of their labels, and progress: the samples as they are read
# straightened.
Straighten = Callable[[Sequence[Sample], Data, Lengths, Progress], Sequence[Sample]]

log = logging.getLogger(__name__)


def labelled_data(
    settings: Hyperparameters,
    data: LabelledImages,
    progress: bool,
    before: KnownImages | None,
    from_starter: bool,
    find_region: FindRegion | None,
    straighten: Straighten | None,
) -> TrainingData:
    """Labelled images, checked and split; the arguments are those of `training_data`. What is found and what is invalid
    is logged.

    Raises InputError for a source that cannot be used, RunError where too many samples are invalid or none is left.
    """
    settings, found = chosen_images(settings, data, progress, from_starter, find_region)
    train, validation = _parts(settings, data, found, progress, before)
    frequencies = train.frequencies() + validation.frequencies()
    why_not = why_not_starter(settings, frequencies)
    starters = starter_units() if from_starter and not why_not else ()
    lengths = Lengths.of_labels(train.samples.samples.labels.lengths.tolist())
    if data.training_only_sources:
        known_digests = {*train.digests, *validation.digests}
        train = train.with_samples(_training_only(settings, data, progress, known_digests))
    known = _known(train, validation, before)
    alphabet = data.alphabet or _alphabet_of(train, validation, likely_missing(frequencies, starters), starters)
    to_train, to_validate = (ImageColumns.encoded(part.samples, alphabet) for part in (train, validation))
    if settings.data.is_straightened and straighten is not None:
        log.info("Straightening %d images by the starter model", len(to_train) + len(to_validate))
        to_train = _straightened(to_train, settings.data, lengths, straighten, progress)
        to_validate = _straightened(to_validate, settings.data, lengths, straighten, progress)
    batches, held_out = _sources(to_train, to_validate, alphabet, settings)
    return TrainingData(
        hyperparameters=settings,
        alphabet=alphabet,
        train=batches,
        samples_per_epoch=samples_of_epoch(settings.training, is_generated=False),
        validation=held_out,
        num_validation=len(validation.samples),
        validation_names=[_name(validation.samples[index].sample) for index in held_out.order],
        fingerprint=_fingerprint(train, validation),
        known=known,
        facts=_facts(train, settings),
        why_not_starter=why_not,
        lengths=lengths,
        light_ink=float(train.samples.light_ink.mean()),
        held_out=[each.sample for each in validation.samples],
        validation_fraction=data.validation_fraction or 0.0,
    )


def chosen_images(
    settings: Hyperparameters,
    data: LabelledImages,
    progress: bool,
    from_starter: bool = False,
    find_region: FindRegion | None = None,
) -> tuple[Hyperparameters, CheckResult]:
    """The hyperparameters, some of which are chosen from the images, and the valid images; what is found is logged.

    Raises InputError for a source that cannot be used, RunError where too many samples are invalid or none is left.
    """
    checked = _checked(settings, data, data.sources, progress)
    if data.choose is None:
        log.info(
            "Hyperparameters are given, so nothing is chosen from the images; LabelledImages(..., choose='all') "
            "chooses what `ctc-ocr train --data` does"
        )
    names = set(data.choose or ())
    if not (from_starter and starter_fits(settings, checked.frequencies())):
        find_region = None
    settings, checked = choose(settings, checked, names, find_region)
    return settings, _usable(settings, data, checked)


def _parts(
    settings: Hyperparameters, data: LabelledImages, found: CheckResult, progress: bool, before: KnownImages | None
) -> tuple[CheckResult, CheckResult]:
    """The images to train on and to validate with: those of other sources, or a part of those that were found."""
    if not data.validation_sources:
        return _split(found, data.validation_fraction, before)
    checked = _checked(settings, data, data.validation_sources, progress)
    validation = _usable(settings, data, checked)
    warn_of_shared_images(found, validation)
    return found, validation


def _known(train: CheckResult, validation: CheckResult, before: KnownImages | None) -> KnownImages:
    """The images of the run, and of the one before it."""
    known = KnownImages.of(train.digests, validation.digests)
    if before is None:
        return known
    warn_of_changed_parts(train, validation, before)
    return known.with_earlier(before)


def _facts(train: CheckResult, settings: Hyperparameters) -> Facts:
    samples, steps_of = train.samples, settings.geometry.steps_of
    columns = (*samples.sizes.T.tolist(), samples.samples.labels.lengths.tolist())
    ratios = (steps_of(width, height) / length for width, height, length in zip(*columns, strict=True))
    steps_per_unit = np.inf if settings.geometry.is_one_step else np.median(np.fromiter(ratios, np.float64))
    return Facts(len(samples), train.frequencies(), float(steps_per_unit))


def _training_only(
    settings: Hyperparameters, data: LabelledImages, progress: bool, known: set[bytes]
) -> list[CheckedSample]:
    """The samples that are only trained on, without the images with these digests, which are labelled already."""
    checked = _usable(settings, data, _checked(settings, data, data.training_only_sources, progress))
    return [each for each in checked.samples if each.digest not in known]


def _checked(settings: Hyperparameters, data: LabelledImages, sources: Sequence[str], progress: bool) -> CheckResult:
    """The samples of some sources; their labels may still need more time steps than the network makes."""
    with shown_progress(show=progress) as update:
        return check_sources(
            sources, data.options, alphabet=data.alphabet, region=Region.of(settings.data), max_units=data.max_units,
            only_alphabet=data.only_alphabet, progress=update,
        )  # fmt: skip


def _usable(settings: Hyperparameters, data: LabelledImages, checked: CheckResult) -> CheckResult:
    """The samples that the network can be trained on. Logs what they are, and the others; raises RunError if those are
    too many."""
    source = checked.source
    checked = checked.fitting(settings.geometry.steps_of)
    log.info("%s", "\n".join([f"{source}:", *summary_lines(checked)]))
    if data.choose is None or (data.choose and "ink" not in data.choose):  # () where it was settled by an earlier run
        warn_of_ink(checked, settings.data.ink)
    for kind, listed in (("Invalid", checked.invalid), ("Note", checked.notes)):
        for problem in listed[:MAX_LISTED]:
            log.warning("%s: %s", kind, problem)
        if len(listed) > MAX_LISTED:
            log.warning("%s: %d more; `ctc-ocr data check` lists all", kind, len(listed) - MAX_LISTED)
    warn_of_long_labels(checked)
    checked.require_valid(source)
    if checked.invalid_fraction > data.max_invalid:
        raise RunError(
            f"{source}: {checked.invalid_fraction:.1%} of its samples are invalid, more than the accepted "
            f"{data.max_invalid:.1%}",
            "max_invalid",
        )
    return checked


def _split(checked: CheckResult, fraction: float | None, before: KnownImages | None) -> tuple[CheckResult, CheckResult]:
    """Training and validation part. fraction: of the validation part; None for the default."""
    different = len(checked.digests.different()[0])
    if different < 2:
        raise RunError("too few images to hold out any for validation: expected at least two that differ")
    at_least = 1 if fraction else min(MIN_HELD_OUT, int(MOST_OF_FEW * different))
    fraction = fraction or min(HELD_OUT, MAX_HELD_OUT / len(checked.samples))
    part_before = before.part if before else no_part
    parts = split_held_out(checked.digests, fraction, part_before, at_least)
    train, validation = map(checked.subset, parts)
    return train, validation


def _alphabet_of(train: CheckResult, validation: CheckResult, missing: Sequence[str], known: Sequence[str]) -> Alphabet:
    """The units of all labels, and those that are missing in them. Logs these, and those that only validation has,
    unless the model to start from knows them."""
    units = {*train.frequencies(), *validation.frequencies(), *missing}
    if missing:
        log.info("Units that no label has, and that the starter model knows: %s", " ".join(missing))
    unlearned = sorted(units - train.frequencies().keys() - set(known))
    if unlearned:
        log.warning(
            "Units in validation labels only, which cannot be learned: %d (%s)",
            len(unlearned), " ".join(map(repr, unlearned[:MAX_LISTED])),
        )  # fmt: skip
    return Alphabet(tuple(sorted(units)))


def _straightened(
    images: ImageColumns, data: Data, lengths: Lengths, straighten: Straighten, progress: bool
) -> ImageColumns:
    with shown_progress(show=progress) as update:
        return images.read_as(straighten(images.samples, data, lengths, update))


def _sources(
    train: ImageColumns, validation: ImageColumns, alphabet: Alphabet, settings: Hyperparameters
) -> tuple[LabelledBatches, LabelledBatches]:
    """The batches of both parts, with room for the longest label of either. Logs what is in them."""
    max_length = max(int(part.samples.labels.lengths.max()) for part in (train, validation))
    log.info(
        "%d images for training, %d for validation; %d units, labels of up to %d",
        len(train), len(validation), len(alphabet.units), max_length,
    )  # fmt: skip
    return (
        LabelledBatches(train, settings, max_length, shuffle=True),
        LabelledBatches(validation, settings, max_length, shuffle=False),
    )


def _name(sample: Sample) -> str:
    """What an image can be found by: its path, or its pack and key."""
    return sample.image if sample.is_file else sample.where


def _fingerprint(*parts: CheckResult) -> str:
    """A digest of the pixels and labels of each part, in their order; independent of where the files are."""
    digest = blake2b(digest_size=16)
    for text in _shown(parts):
        digest.update(text.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _shown(parts: Sequence[CheckResult]) -> Iterator[str]:
    """The pieces of the text that repr() gives of a list for each part, with the digest and the units of each sample:
    as a whole, it would take more memory than the samples."""
    yield "["
    for number, part in enumerate(parts):
        yield ", [" if number else "["
        for row, each in enumerate(part.samples):
            yield f"{', ' if row else ''}{(each.digest.hex(), each.units)!r}"
        yield "]"
    yield "]"
