"""Generated captchas for a run."""

import logging
from pathlib import Path

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.registries import RENDERERS
from ctc_ocr.config.renderers import BatchRenderer
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.datasets.generated_prepared import PreparedSource
from ctc_ocr.errors import InputError
from ctc_ocr.generation.seeds import TRAIN, VALIDATION
from ctc_ocr.images.files import SUFFIXES as IMAGE_SUFFIXES
from ctc_ocr.rendering.fonts import SUFFIXES as FONT_SUFFIXES
from ctc_ocr.rendering.fonts import check_glyphs, find_fonts
from ctc_ocr.rendering.renderer import Renderer
from ctc_ocr.rendering.wild import WildRenderer
from ctc_ocr.training.budget import samples_of_epoch
from ctc_ocr.training.run_data import ImageSource, TrainingData
from ctc_ocr.training.settings import Captchas

BUILT_IN_RENDERERS = ("fast", "captcha")

log = logging.getLogger(__name__)


def captcha_data(settings: Hyperparameters, captchas: Captchas) -> TrainingData:
    """Captchas that are rendered while the run trains. Raises InputError for fonts and hyperparameters that cannot be
    used for them."""
    training = settings.training
    settings.check_generated()
    if settings.data.straighten != "none":
        raise InputError("for labelled images only: generated images are not straightened", "straighten")
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
        samples_per_epoch=samples_of_epoch(training, is_generated=True),
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
