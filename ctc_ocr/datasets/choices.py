"""What a network is given, chosen from the labelled images that it will be trained on.

Where the user does not say, the hyperparameters in CHOSEN follow from the images. All others are taken as they are,
those of a model to start from too.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from ctc_ocr.alphabet import required_steps
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.schema import MAX_SIZE
from ctc_ocr.config.taller_images import for_height
from ctc_ocr.datasets.checking import CheckedSample, CheckResult
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
from ctc_ocr.images.region import Region
from ctc_ocr.images.text_region import find_text
from ctc_ocr.runtime.threads import available_cores

ROWS = ("top_edge", "bottom_edge")
OF_REGION = (*ROWS, "grey", "straighten")  # which a model chooses
CHOSEN = ("crop", *OF_REGION, "ink", "height", "width", "views")  # in this order: each depends on those before it
NUM_READ = 100  # images in which text is looked for
TEXT_ROWS = 12  # pixels: least height of text that is read well
SMALL_TEXT = TEXT_ROWS / 40  # fraction of the image's height: lower text has fewer rows at the height of the presets
AGREE = 0.7  # of the images, so many must have text of about one height: else what was found is something else
RARE = 0.05  # a smaller fraction of images with another ink is taken for an error of has_light_ink
STEPS_PER_UNIT = 1.5  # at least, for most labels: with one step for each unit, all would have to be in their places
FEW, VIEWS_OF_FEW = 2000, 5  # a network that has learned from few images reads more of them in several views
MAX_HEIGHT, MAX_WIDTH = 96, 1200  # pixels: what is larger costs more time than it is worth
MULTIPLE = 8  # pixels: sizes are rounded up to a multiple
# A model to which the labels are less likely than HARD, in nats per unit, can hardly read the images. They are read at
# their own height then, but at most at one with which training takes 2.5 times as long as with the starter's.
HARD, MAX_TALLER = -0.8, 64


@dataclass(frozen=True)
class FoundRegion:
    """What a model finds the labels in. likelihood: their mean log probability there, per unit that it knows, in nats,
    if nothing else is read; None if too few can tell. ink: of all images; auto if it is decided for each. is_straight:
    whether the images are straightened."""

    region: Region
    likelihood: float | None = None
    ink: str = "auto"
    is_straight: bool = False


# Of samples, a region, their ink, a seed, the names of what is to be chosen, and whether the images are straightened in
# any case: the region with that.
FindRegion = Callable[[Sequence[CheckedSample], Region, str, int, Collection[str], bool], FoundRegion]

log = logging.getLogger(__name__)


def choose(
    settings: Hyperparameters, checked: CheckResult, names: Collection[str], find_region: FindRegion | None = None
) -> tuple[Hyperparameters, CheckResult]:
    """The hyperparameters with those of CHOSEN that are in `names` chosen from the samples, and the samples as they
    then are: with their sizes after cropping. What was chosen is logged. Equal samples give equal choices.

    `checked` has the samples as `settings` cut them. find_region: of the model that training starts from, what chooses
    top_edge and bottom_edge, if both are to be chosen, and grey; without it they stay. It finds the ink, too, whether
    to straighten, and may take whole images in place of a line of text that was found in them. With it, a greater
    height leaves the shapes of the network's weights as they are.
    """
    if settings.geometry.is_one_step:  # the size of an image says nothing about its one time step
        names = {*names} - {"height", "width"}
    if not names or not checked.samples:
        return settings, checked
    region = Region.of(settings.data)
    text_heights = [1.0]
    if settings.data.is_straightened and "straighten" not in names:  # lines are found among all rows
        names = {*names} - {"crop"}
    if {"crop", "height"} & {*names}:
        text_heights = _text_heights(checked.samples, settings.training.seed, region)
    if "crop" in names:
        crop = "text" if median(text_heights) < SMALL_TEXT and _agree(text_heights) else "none"
        settings, checked = _cut(settings, checked, replace(region, crop=crop))
    names = _found_by_model(names, settings.data.channels, find_region is not None)
    if len(checked.samples) >= FEW:  # to straighten them would take long
        names -= {"straighten"}
    if not names:
        return settings, checked
    ink = "auto"
    if find_region is not None and {"crop", *OF_REGION, "height", "ink"} & {*names}:
        settings, checked, ink = _chosen_by_model(settings, checked, names, find_region)
    if "ink" in names:
        settings = _with(settings, ink=_ink(checked.samples, settings.data.grey) if ink == "auto" else ink)
    if "height" in names and find_region is None:
        settings = _with(settings, height=_height(settings, checked.samples, median(text_heights)))
    if "width" in names:
        settings = _with(settings, width=_width(settings, checked.samples))
    if "views" in names:
        settings = _with(settings, views=VIEWS_OF_FEW if len(checked.samples) < FEW else 1)
    flags = ", ".join(f"--{name}" for name in CHOSEN if name in names)
    log.info("Input, chosen from the images: %s; %s would change it", description(settings), flags)
    return settings, checked


def _found_by_model(names: Collection[str], channels: int, is_there: bool) -> set[str]:
    """The names without what no model can choose: anything without a model, one edge alone, the grey of colours.
    Several views are for a network that starts from a model."""
    left = {*names}
    if not is_there or not {*ROWS} <= left:
        left -= {*ROWS, "straighten"}
    left -= {"grey"} if not is_there or channels != 1 else set()
    return left if is_there else left - {"views"}


def _chosen_by_model(
    settings: Hyperparameters, checked: CheckResult, names: Collection[str], find_region: FindRegion
) -> tuple[Hyperparameters, CheckResult, str]:
    """With the region and the height that a model chooses, and the ink that it finds. The region is that of the model's
    own height: at a greater one, the model prefers small characters in more rows, and networks that were trained on
    these read less."""
    ink = "auto" if "ink" in names else settings.data.ink
    is_straight = settings.data.is_straightened and "straighten" not in names
    found = find_region(checked.samples, Region.of(settings.data), ink, settings.training.seed, names, is_straight)
    settings, checked = _cut(settings, checked, found.region)
    if "straighten" in names:
        settings = _with(settings, straighten="starter" if found.is_straight else "none")
    if "height" not in names:
        return settings, checked, found.ink
    height = _height_from_start(settings, checked.samples, found.likelihood)
    return for_height(settings, height), checked, found.ink


def description(settings: Hyperparameters) -> str:
    """What a network is given, in a few words."""
    data = settings.data
    size = f"height {data.height}, {'up to ' if data.keep_ratio else ''}{data.width} wide"
    ink = "dark or light ink, decided per image" if data.ink == "auto" else f"{data.ink} ink"
    part = "the line of text cut out" if data.crop == "text" else "the whole image"
    if data.is_straightened:
        part += " with its line of text straightened"
    if (data.top_edge, data.bottom_edge) != (0.0, 1.0):
        part += f", its rows from {data.top_edge:.0%} to {data.bottom_edge:.0%}"
    if data.grey != "luminance":
        part += f", {data.grey} grey"
    if data.writing == "vertical":
        part += ", transposed"
    if data.views != 1:
        part += f", read in {data.views} views"
    return f"{size}, {ink}, {part}"


def _cut(settings: Hyperparameters, checked: CheckResult, region: Region) -> tuple[Hyperparameters, CheckResult]:
    """With this part of the images."""
    if region != Region.of(settings.data):
        checked = checked.cropped(region)
    return _with(settings, crop=region.crop, top_edge=region.top, bottom_edge=region.bottom, grey=region.grey), checked


def _with(settings: Hyperparameters, **values: Any) -> Hyperparameters:
    return replace(settings, data=replace(settings.data, **values))


def _text_heights(samples: Sequence[CheckedSample], seed: int, region: Region) -> list[float]:
    """`_text_height` of a random part of the images."""
    chosen = np.random.default_rng(seed).permutation(len(samples))[:NUM_READ]
    with ThreadPoolExecutor(available_cores()) as pool:
        return list(pool.map(lambda index: _text_height(samples[index].sample, region), chosen))


def _text_height(sample: Sample, region: Region) -> float:
    """Height of the text as a fraction of the whole image's; 1 if none stands out, or the image cannot be read."""
    try:
        image = region.turned(read_image(sample.read_bytes(), sample.place, channels=3))
    except InputError:
        return 1.0
    box = find_text(image, largest=1.0)
    return 1.0 if box is None else box.height / len(image)


def _agree(text_heights: Sequence[float]) -> bool:
    """Whether most are within a factor of two of the median."""
    middle = median(text_heights)
    return sum(middle / 2 <= each <= 2 * middle for each in text_heights) >= AGREE * len(text_heights)


def _ink(samples: Sequence[CheckedSample], grey: str) -> str:
    if grey == "paper":  # in which all ink is dark
        return "dark"
    light = sum(each.light_ink for each in samples) / len(samples)
    return "dark" if light < RARE else "light" if light > 1 - RARE else "auto"


def _height(settings: Hyperparameters, samples: Sequence[CheckedSample], text_height: float) -> int:
    """At least that of the settings; more if text that is not cut out would be too small, or if images that keep their
    aspect ratio have too few time steps for most labels. `text_height` is a fraction of the image's."""
    data, columns = settings.data, settings.geometry.columns_per_step
    for_text = 0.0 if data.crop == "text" else TEXT_ROWS / text_height
    if not data.keep_ratio:
        return max(data.height, min(_rounded(for_text), MAX_HEIGHT))
    heights = [_steps(each) * columns * each.size[1] / each.size[0] for each in samples]
    for_labels = float(np.percentile(heights, 90))
    return max(data.height, min(_rounded(max(for_text, for_labels)), MAX_HEIGHT))


def _height_from_start(settings: Hyperparameters, samples: Sequence[CheckedSample], likelihood: float | None) -> int:
    """That of the settings; more if the images have more pixels, and the model can hardly read them."""
    if likelihood is None or likelihood > HARD:
        return settings.data.height
    own = MULTIPLE * round(median(each.size[1] for each in samples) / MULTIPLE)
    return max(settings.data.height, min(own, MAX_TALLER))


def _width(settings: Hyperparameters, samples: Sequence[CheckedSample]) -> int:
    """At least that of the settings; more if images are wider at their height, or need the time steps."""
    data, columns = settings.data, settings.geometry.columns_per_step
    needed = [_steps(each) * columns for each in samples]
    if not data.keep_ratio:
        return max(data.width, min(_rounded(max(needed)), MAX_SIZE))
    widths = [each.size[0] * data.height / each.size[1] for each in samples]
    widest = max(widths)
    if settings.augmentation.augment:  # images that are widened at random are not squeezed again
        change = settings.augmentation
        widest = (1 + change.max_scale) * widest + 2 * change.max_padding * data.height
    # Wider images are squeezed, but none so much that its label has too few time steps.
    for_labels = max(min(pair) for pair in zip(needed, widths, strict=True))
    return max(data.width, min(_rounded(widest), MAX_WIDTH), min(_rounded(for_labels), MAX_SIZE))


def _steps(each: CheckedSample) -> float:
    """Time steps that a label should have."""
    return max(required_steps(each.units), STEPS_PER_UNIT * len(each.units))


def _rounded(size: float) -> int:
    return -(-round(size) // MULTIPLE) * MULTIPLE
