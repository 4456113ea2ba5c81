"""What a model is best shown of labelled images: the rows, the grey and the ink in which it finds their labels, and
whether their lines are straightened; what makes the labels likeliest, of a few.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from ctc_ocr.datasets.checking import CheckedSample
from ctc_ocr.datasets.choices import OF_REGION, ROWS, FoundRegion
from ctc_ocr.images.region import WHOLE, Region
from ctc_ocr.inference.label_likelihood import LabelLikelihood, Shown

FEWEST = 8  # images: fewer say nothing
HEIGHTS = (1.15, 1.0, 0.8, 0.65, 0.5, 0.4, 0.33, 0.25)  # of the rows, as fractions of the image's height
MIDDLES = (0.5, 0.42, 0.58)  # of the rows
WIDER = (1.6, 1.45, 1.3, 1.2, 1.1)  # rows around the likeliest, as fractions of their height
MIN_GAIN = 0.1  # nats per unit: for less, the rows and the ink stay as they are
# Nats per unit: a guess among 62 units and the blank. Where nothing makes the labels likelier, the model reads other
# text than that of the labels, and finds those likeliest where it can read least.
GUESSED = -4.0
MIN_CROP_GAIN = 0.5  # nats per unit: a line of text that was found is one, unless whole images are so much likelier
GREYS = ("luminance", "max", "min", "unsaturated", "paper")
OF_GREY_IMAGES = ("luminance", "paper")  # all others are the same without colours
ROUNDS = 2  # in which rows and grey are chosen: other rows may be best in another grey
MIN_GREY_GAIN = 0.2  # nats per unit: of several greys of images that can hardly be read, one is likelier by chance
# Lines that are straightened have rows of these heights. It is tried where labels are less likely than CROOKED, in nats
# per unit, and other heights where the first one makes them likelier at all, since it takes long.
STRAIGHT_HEIGHTS, CROOKED, MIN_STRAIGHT_GAIN = (0.5, 0.65, 0.4), -1.5, 0.5
INKS = ("dark", "light")  # of all images; auto decides for each, and errs where most of it is not paper


def likely_region(
    model: str | Path,
    samples: Sequence[CheckedSample],
    start: Region = WHOLE,
    ink: str = "auto",
    seed: int = 0,
    names: Collection[str] = OF_REGION,
    is_straight: bool = False,
) -> FoundRegion:
    """`start` with the crop, the rows and the grey that make the labels likeliest to the model, if they are among the
    `names` of hyperparameters, and clearly better than those of `start`; the ink, if one for all images is clearly
    better than a decision for each, and else the given one; and how likely the labels then are.

    Where `start` cuts out a line of text, whole images are tried; then rows of several heights in the middle of the
    images, others of about the best height, and other greys of the best rows; in another grey, rows are chosen once
    more, and the grey of these. The ink is chosen before and after. At last, straightened images are tried where the
    labels are still unlikely, or taken if `is_straight`. Nothing is chosen where the labels stay less likely than by a
    guess. The measure is the mean log probability of a label, per unit: see LabelLikelihood.
    """
    likelihood = LabelLikelihood(model, samples, seed)
    if likelihood.num_images < FEWEST:
        return FoundRegion(start, ink=ink)
    found = Shown(start, ink)
    if "crop" in names and start.crop == "text":
        found = likelihood.better(found, Shown(replace(start, crop="none")), MIN_CROP_GAIN)
    if "ink" in names:
        found = _with_ink(found, likelihood)
    for _ in range(ROUNDS):
        last_grey = found.region.grey
        if {*ROWS} <= {*names}:
            found = _with_rows(found, likelihood)
        if "grey" in names:
            found = _with_grey(found, likelihood)
        if found.region.grey == last_grey:
            break
    if "ink" in names:
        found = _with_ink(found, likelihood)
    if is_straight:
        found = max(_straight(found, names), key=likelihood.of)
    elif "straighten" in names and likelihood.of(found) < CROOKED:
        found = _straightened(found, likelihood, names)
    if likelihood.of(found) < GUESSED:
        found = Shown(start, ink, is_straight)
    return FoundRegion(found.region, likelihood.of_known_units(found), found.ink, found.is_straight)


def _straightened(shown: Shown, likelihood: LabelLikelihood, names: Collection[str]) -> Shown:
    """With rows in the middle of straightened images. These are found without the labels, so that they make them no
    likelier by chance. A line that was cut out has been looked for where lines are level, and may be another."""
    region = shown.region
    is_cut = region.crop != "none" and "crop" not in names
    if is_cut or region.vertical or not likelihood.knows_all_units:
        return shown
    tried = _straight(replace(shown, region=replace(region, crop="none")), ROWS)
    if likelihood.of(tried[0]) < likelihood.of(shown):
        return shown
    return likelihood.better(shown, max(tried, key=likelihood.of), MIN_STRAIGHT_GAIN)


def _straight(shown: Shown, names: Collection[str]) -> list[Shown]:
    """Straightened, with rows of several heights if these are among the names."""
    straight = replace(shown, is_straight=True)
    return [_rows(straight, MIDDLES[0], height) for height in STRAIGHT_HEIGHTS] if {*ROWS} <= {*names} else [straight]


def _with_ink(shown: Shown, likelihood: LabelLikelihood) -> Shown:
    inks = [replace(shown, ink=each) for each in INKS]
    return likelihood.better(shown, max(inks, key=likelihood.of), MIN_GAIN)


def _with_grey(shown: Shown, likelihood: LabelLikelihood) -> Shown:
    kinds = GREYS if likelihood.has_colours else OF_GREY_IMAGES
    greys = [replace(shown, region=replace(shown.region, grey=each)) for each in kinds]
    return likelihood.better(shown, max(greys, key=likelihood.of), MIN_GREY_GAIN)


def _with_rows(shown: Shown, likelihood: LabelLikelihood) -> Shown:
    """With the likeliest rows, and a margin around them."""
    tried = [shown, *(_rows(shown, MIDDLES[0], height) for height in HEIGHTS)]
    height = _height(max(tried, key=likelihood.of))
    others = (_rows(shown, middle, factor * height) for middle in MIDDLES[1:] for factor in (0.8, 1.0, 1.25))
    best = max([*tried, *filter(_is_within, others)], key=likelihood.of)
    return _with_margin(likelihood.better(shown, best, MIN_GAIN), likelihood)


def _with_margin(shown: Shown, likelihood: LabelLikelihood) -> Shown:
    """With the most rows around its own that are not clearly worse: fewer may cut a text, which then cannot be read,
    while more only make it smaller. This is the one-standard-error rule of Breiman et al., "Classification and
    regression trees", 1984."""
    middle, height = (shown.region.top + shown.region.bottom) / 2, _height(shown)
    wider = filter(_is_within, (_rows(shown, middle, factor * height) for factor in WIDER))
    return next((each for each in wider if likelihood.as_good(each, shown)), shown)


def _rows(shown: Shown, middle: float, height: float) -> Shown:
    top, bottom = round(middle - height / 2, 3), round(middle + height / 2, 3)
    return replace(shown, region=replace(shown.region, top=top, bottom=bottom))


def _height(shown: Shown) -> float:
    return shown.region.bottom - shown.region.top


def _is_within(shown: Shown) -> bool:
    return shown.region.top >= 0 and shown.region.bottom <= 1
