"""A picture of labelled images as the network sees them in training: prepared and augmented."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets import choices
from ctc_ocr.datasets.checking import CheckedSample, check
from ctc_ocr.datasets.labelled import LabelledBatches, LabelledImage
from ctc_ocr.datasets.samples import Problem, SourceOptions
from ctc_ocr.datasets.sources import DEFAULT_OPTIONS, read_source
from ctc_ocr.images.contact_sheet import contact_sheet
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.images.region import Region
from ctc_ocr.rendering.fonts import find_fonts
from ctc_ocr.runtime.progress import Progress


@dataclass(frozen=True)
class Preview:
    """The picture, and the samples that could not be shown."""

    image: Image.Image
    invalid: tuple[Problem, ...] = ()


def preview(
    source: str | Path,
    hyperparameters: Hyperparameters,
    source_options: SourceOptions = DEFAULT_OPTIONS,
    *,
    count: int = 40,
    font: str | Path | None = None,
    choose: Collection[str] = (),
    progress: Progress | None = None,
) -> Preview:
    """An RGB picture of `count` samples with their labels, chosen at random by the seed of the hyperparameters.

    A source with fewer samples is shown repeatedly, augmented in different ways. `font`: for the labels; characters
    that it lacks are drawn in the captcha package's font. `choose`: names of hyperparameters that are chosen from the
    images, as in training; here from those that are drawn. Raises InputError for a source or a font that cannot be
    read, RunError if no sample is valid.
    """
    fonts = [*(find_fonts(font) if font else ()), *find_fonts(None)]
    samples, problems = read_source(source, source_options)
    generator = np.random.default_rng(hyperparameters.training.seed)
    chosen = [samples[index] for index in generator.permutation(len(samples))[:count]]
    result = check(chosen, problems, region=Region.of(hyperparameters.data), progress=progress)
    hyperparameters, result = choices.choose(hyperparameters, result, choose)
    result = result.fitting(hyperparameters.geometry.steps_of)
    result.require_valid(source)
    shown = [result.samples[number % len(result.samples)] for number in range(count)]
    images = images_in_training(shown, hyperparameters)
    return Preview(contact_sheet(images, [each.sample.label for each in shown], fonts), result.invalid)


def images_in_training(samples: Sequence[CheckedSample], hyperparameters: Hyperparameters) -> list[Pixels]:
    """An image (H, W) or (H, W, 3) uint8 for each sample, as wide as in a batch of its own."""
    single = replace(hyperparameters, training=replace(hyperparameters.training, batch_size=1))
    images = []
    for number, each in enumerate(samples):
        codes = tuple(Alphabet.from_labels([each.units]).encode(each.units))
        # A source for each, so that each is shown; batches of different numbers are augmented in different ways.
        batches = LabelledBatches([LabelledImage(each.sample, codes, each.size)], single, len(codes), shuffle=True)
        arrays = {name: np.empty(spec.shape, spec.dtype) for name, spec in batches.specs().items()}
        batches.fill(number, arrays)
        width = int(arrays["width"][0]) if "width" in arrays else hyperparameters.data.width
        images.append(arrays["images"][0][:, :width])
    return images
