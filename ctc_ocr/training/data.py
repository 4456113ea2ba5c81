"""The images of a run: generated captchas or labelled images, for training and for validation."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.known_images import KnownImages
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.registries import RENDERERS
from ctc_ocr.config.renderers import BatchRenderer
from ctc_ocr.datasets.checking import LONG_LABEL, CheckedSample, CheckResult, check_sources
from ctc_ocr.datasets.choices import FindRegion, choose
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.datasets.generated_prepared import PreparedSource
from ctc_ocr.datasets.held_out import no_part, split_held_out
from ctc_ocr.datasets.image_columns import ImageColumns
from ctc_ocr.datasets.labelled import LabelledBatches
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.datasets.summary import summary_lines
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.generation.seeds import TRAIN, VALIDATION
from ctc_ocr.images.files import SUFFIXES as IMAGE_SUFFIXES
from ctc_ocr.images.region import Region
from ctc_ocr.lengths import Lengths
from ctc_ocr.rendering.fonts import SUFFIXES as FONT_SUFFIXES
from ctc_ocr.rendering.fonts import check_glyphs, find_fonts
from ctc_ocr.rendering.renderer import Renderer
from ctc_ocr.rendering.wild import WildRenderer
from ctc_ocr.runtime.progress import shown_progress
from ctc_ocr.training.budget import EPOCH_UPDATES
from ctc_ocr.training.missing_units import likely_missing
from ctc_ocr.training.settings import Captchas, LabelledImages
from ctc_ocr.training.start import starter_fits, starter_units
from ctc_ocr.training.verdict import Facts

HELD_OUT, MAX_HELD_OUT = 0.1, 1000  # a fraction of the images, and a number: each epoch reads them all
MIN_HELD_OUT = 10  # images: with fewer, chance alone decides which epoch is the best
MOST_OF_FEW = 0.2  # but no more than this fraction of a small set
WILD_SAMPLES = 15_000  # of an epoch, where none are given
MAX_LISTED = 10  # invalid samples in the log
BUILT_IN_RENDERERS = ("fast", "captcha")

ImageSource: TypeAlias = GeneratedSource | PreparedSource | LabelledBatches

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """`hyperparameters` are those of the run, with what was chosen from the images.

    `train` is endless; `samples_per_epoch` of it are an epoch. Validation uses the first `num_validation` samples of
    `validation`, whose names are `validation_names`, in the order of its batches (None: numbers). `fingerprint`
    identifies labelled images and their split; `known` are those images and, if the run started from another, its
    images."""

    hyperparameters: Hyperparameters
    alphabet: Alphabet
    train: ImageSource
    samples_per_epoch: int
    validation: ImageSource
    num_validation: int
    validation_names: Sequence[str] | None = None
    fingerprint: str = ""
    known: KnownImages | None = None
    facts: Facts | None = None  # of labelled training images
    lengths: Lengths | None = None  # of their labels, without those of sources that are only trained on
    held_out: Sequence[Sample] = ()  # the labelled images of validation
    validation_fraction: float = 0.0  # as the user gives it; 0: the default


def training_data(
    hyperparameters: Hyperparameters,
    data: Captchas | LabelledImages,
    progress: bool = True,
    before: KnownImages | None = None,
    from_starter: bool = False,
    find_region: FindRegion | None = None,
) -> TrainingData:
    """Find, check and split the images. What is found and what is invalid is logged.

    `before`: the images of the run that this one continues or starts from, which stay in their parts. `from_starter`:
    the run starts from the starter model where that fits; the height that it needs is then kept. `find_region`: what
    then chooses the rows of the images.

    Raises InputError for fonts and sources that cannot be used, RunError where too many samples are invalid or none is
    left.
    """
    if isinstance(data, Captchas):
        return _generated(hyperparameters, data)
    return _labelled(hyperparameters, data, progress, before, from_starter, find_region)


# --- captchas ---------------------------------------------------------------------------------------------------------


def _generated(settings: Hyperparameters, captchas: Captchas) -> TrainingData:
    training = settings.training
    settings.check_generated()
    if training.balance:
        raise InputError("for labelled images only: generated images have all units equally often anyway", "balance")
    if captchas.renderer is None and settings.data.renderer in BUILT_IN_RENDERERS:
        _refuse_settings_of_labelled_images(settings)
    train, validation = _renderers(settings, captchas)
    if isinstance(train, WildRenderer) and settings.data.writing == "vertical":
        raise InputError("the renderer wild writes from left to right", "writing")
    if not isinstance(train, Renderer):
        _refuse_settings_of_labelled_images(settings)
    return TrainingData(
        hyperparameters=settings,
        alphabet=Alphabet(tuple(settings.data.alphabet)),
        train=_generated_source(settings, train, TRAIN),
        samples_per_epoch=training.samples_per_epoch or WILD_SAMPLES,
        validation=_generated_source(settings, validation, VALIDATION),
        num_validation=training.validation_samples,
    )


def _generated_source(settings: Hyperparameters, renderer: BatchRenderer, stream: int) -> ImageSource:
    """Images of one size are rendered as the network reads them; others are prepared as labelled images are."""
    data, training = settings.data, settings.training
    if isinstance(renderer, Renderer) and _of_labelled_images(settings):
        return PreparedSource(renderer, settings, training.seed, stream, training=stream == TRAIN)
    return GeneratedSource(renderer, data, training.batch_size, training.seed, stream)


def _renderers(settings: Hyperparameters, captchas: Captchas) -> tuple[BatchRenderer, BatchRenderer]:
    """Those of training and of validation. Whichever of the built-in ones is used for training, validation uses the
    captcha library: what counts is how its images are read."""
    data = settings.data
    started = "No labelled images: training on generated captchas"
    if captchas.renderer is not None:
        log.info(started)
        return captchas.renderer, captchas.renderer
    _refuse_images(captchas.font)
    fonts = find_fonts(captchas.font)
    started += f", in {len(fonts)} fonts" if len(fonts) > 1 else f", font {Path(fonts[0]).name}"
    if data.renderer not in BUILT_IN_RENDERERS:
        renderer = RENDERERS.get(data.renderer)(fonts, data)
        log.info(started)
        return renderer, renderer
    check_glyphs(fonts, data.alphabet)
    log.info(started)  # before the renderers: importing what compiles them takes seconds
    return RENDERERS.get(data.renderer)(fonts, data), RENDERERS.get("captcha")(fonts, data)


def _refuse_settings_of_labelled_images(settings: Hyperparameters) -> None:
    given = _of_labelled_images(settings)
    if not settings.training.samples_per_epoch:
        given.append("samples_per_epoch 0")
    if given:
        raise InputError(
            f"{', '.join(given)}: for labelled images only, which --data names, or images of any size (--renderer "
            "wild); these are captchas of one size"
        )


def _of_labelled_images(settings: Hyperparameters) -> list[str]:
    """The settings that change how images are prepared; captchas of one size are rendered as the network reads them."""
    data = settings.data
    given = {
        "keep_ratio": data.keep_ratio,
        "letterbox": data.letterbox,
        "channels 3": data.channels == 3,
        f"ink {data.ink}": data.ink != "dark",
        f"writing {data.writing}": data.writing != "horizontal",
        f"crop {data.crop}": data.crop != "none",
        f"top_edge {data.top_edge}": data.top_edge != 0.0,
        f"bottom_edge {data.bottom_edge}": data.bottom_edge != 1.0,
        f"binarise {data.binarise}": data.binarise != "none",
        f"grey {data.grey}": data.grey != "luminance",
        f"normalise {data.normalise}": data.normalise != "fixed",
        "augment": settings.augmentation.augment,
    }
    return [name for name, is_given in given.items() if is_given]


def _refuse_images(font: str | Path | None) -> None:
    """Images where a font is expected: --data was forgotten."""
    if font is None:
        return
    path = Path(font)
    suffixes = {each.suffix.lower() for each in (path.iterdir() if path.is_dir() else [path])}
    if suffixes & {*IMAGE_SUFFIXES, ".csv", ".rec"} and not suffixes & set(FONT_SUFFIXES):
        raise InputError("expected a font, and these are images; to train on images, name them with --data", path)


# --- labelled images --------------------------------------------------------------------------------------------------


def _labelled(
    settings: Hyperparameters,
    data: LabelledImages,
    progress: bool,
    before: KnownImages | None,
    from_starter: bool,
    find_region: FindRegion | None,
) -> TrainingData:
    settings, train = chosen_images(settings, data, progress, from_starter, find_region)
    train, validation = _parts(settings, data, train, progress, before)
    frequencies = train.frequencies() + validation.frequencies()
    starters = starter_units() if from_starter and starter_fits(settings, frequencies) else ()
    missing = likely_missing(frequencies, starters)
    lengths = Lengths.of_labels(train.samples.samples.labels.lengths.tolist())
    if data.training_only_sources:
        known_digests = {*train.digests, *validation.digests}
        train = train.with_samples(_training_only(settings, data, progress, known_digests))
    known = _known(train, validation, before)
    alphabet = data.alphabet or _alphabet_of(train, validation, missing, starters)
    max_length = max(int(part.samples.samples.labels.lengths.max()) for part in (train, validation))
    log.info(
        "%d images for training, %d for validation; %d units, labels of up to %d",
        len(train.samples), len(validation.samples), len(alphabet.units), max_length,
    )  # fmt: skip
    held_out = _source(validation, alphabet, settings, max_length, shuffle=False)
    return TrainingData(
        hyperparameters=settings,
        alphabet=alphabet,
        train=_source(train, alphabet, settings, max_length, shuffle=True),
        samples_per_epoch=settings.training.samples_per_epoch or EPOCH_UPDATES * settings.training.batch_size,
        validation=held_out,
        num_validation=len(validation.samples),
        validation_names=[_name(validation.samples[index].sample) for index in held_out.order],
        fingerprint=_fingerprint(train, validation),
        known=known,
        facts=_facts(train, settings),
        lengths=lengths,
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
    return settings, _usable(settings, data, data.sources, checked)


def _parts(
    settings: Hyperparameters, data: LabelledImages, found: CheckResult, progress: bool, before: KnownImages | None
) -> tuple[CheckResult, CheckResult]:
    """The images to train on and to validate with: those of other sources, or a part of those that were found."""
    if not data.validation_sources:
        return _split(found, data.validation_fraction, before)
    checked = _checked(settings, data, data.validation_sources, progress)
    validation = _usable(settings, data, data.validation_sources, checked)
    _warn_of_shared_images(found, validation)
    return found, validation


def _known(train: CheckResult, validation: CheckResult, before: KnownImages | None) -> KnownImages:
    """The images of the run, and of the one before it."""
    known = KnownImages.of(train.digests, validation.digests)
    if before is None:
        return known
    _warn_of_changed_parts(train, validation, before)
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
    sources = data.training_only_sources
    checked = _usable(settings, data, sources, _checked(settings, data, sources, progress))
    return [each for each in checked.samples if each.digest not in known]


def _checked(settings: Hyperparameters, data: LabelledImages, sources: Sequence[str], progress: bool) -> CheckResult:
    """The samples of some sources; their labels may still need more time steps than the network makes."""
    with shown_progress(show=progress) as update:
        return check_sources(
            sources, data.options, alphabet=data.alphabet, region=Region.of(settings.data), max_units=data.max_units,
            only_alphabet=data.only_alphabet, progress=update,
        )  # fmt: skip


def _usable(
    settings: Hyperparameters, data: LabelledImages, sources: Sequence[str], checked: CheckResult
) -> CheckResult:
    """The samples that the network can be trained on. Logs what they are, and the others; raises RunError if those are
    too many."""
    source = ", ".join(sources)
    checked = checked.fitting(settings.geometry.steps_of)
    log.info("%s", "\n".join([f"{source}:", *summary_lines(checked)]))
    if "ink" not in (data.choose or ()):
        _warn_of_ink(checked, settings.data.ink)
    for kind, listed in (("Invalid", checked.invalid), ("Note", checked.notes)):
        for problem in listed[:MAX_LISTED]:
            log.warning("%s: %s", kind, problem)
        if len(listed) > MAX_LISTED:
            log.warning("%s: %d more; `ctc-ocr data check` lists all", kind, len(listed) - MAX_LISTED)
    _warn_of_long_labels(checked)
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


def _warn_of_long_labels(checked: CheckResult) -> None:
    """Lines of text in a network for words: it is told once what helps."""
    count = sum(problem.reason.startswith(LONG_LABEL) for problem in checked.invalid)
    if 2 * count > len(checked.invalid):
        log.warning(
            "%d labels need more time steps than the network makes: use --preset line for lines of text, or a larger "
            "--width",
            count,
        )


def _warn_of_ink(checked: CheckResult, ink: str) -> None:
    light, count = int(checked.samples.light_ink.sum()), len(checked.samples)
    if ink == "dark" and 2 * light > count:
        log.warning("%d of %d images seem to have light ink on dark paper: use --ink light", light, count)
    elif ink == "light" and 2 * light < count:
        log.warning("%d of %d images seem to have dark ink on light paper: use --ink dark", count - light, count)
    elif ink != "auto" and 0 < light < count:
        log.info("%d of %d images seem to have light ink on dark paper: consider --ink auto", light, count)


def _warn_of_shared_images(train: CheckResult, validation: CheckResult) -> None:
    shared = set(validation.digests).intersection(train.digests)
    count = sum(digest in shared for digest in validation.digests)
    if count:
        log.warning("%d validation images are also training images, pixel by pixel", count)


def _warn_of_changed_parts(train: CheckResult, validation: CheckResult, before: KnownImages) -> None:
    """Only images that the user names for validation, or of which too few are left, change their part."""
    for checked, part, was, now in (
        (validation, "training", "trained on", "now used for validation, which looks better than it is"),
        (train, "validation", "validated with", "now used for training"),
    ):
        count = sum(before.part(digest) == part for digest in checked.digests)
        if count:
            log.warning("%d images that the earlier model was %s are %s", count, was, now)


def _source(
    checked: CheckResult, alphabet: Alphabet, settings: Hyperparameters, max_length: int, shuffle: bool
) -> LabelledBatches:
    return LabelledBatches(ImageColumns.encoded(checked.samples, alphabet), settings, max_length, shuffle)


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
