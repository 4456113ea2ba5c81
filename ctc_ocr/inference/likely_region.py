"""The part of labelled images in which a model finds their labels, and the grey in which it does: the rows and the
grey that make the labels likeliest, of a few.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.datasets.checking import CheckedSample
from ctc_ocr.datasets.choices import OF_REGION, ROWS, FoundRegion
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
from ctc_ocr.images.pixels import Pixels, grey, resize
from ctc_ocr.images.region import WHOLE, Region
from ctc_ocr.inference.predictor import Predictor

NUM_READ = 64  # images
FEWEST = 8  # images: fewer say nothing
HEIGHTS = (1.15, 1.0, 0.8, 0.65, 0.5, 0.4, 0.33, 0.25)  # of the rows, as fractions of the image's height
MIDDLES = (0.5, 0.42, 0.58)  # of the rows
MAX_ROWS = 400  # of an image that is kept: ten times what the starter is given
LEAST = -10.0  # nats per unit: an image that cannot be read at all does not count more
MIN_GAIN = 0.1  # nats per unit: for less, the rows stay as they are
MIN_CROP_GAIN = 0.5  # nats per unit: a line of text that was found is one, unless whole images are so much likelier
GREYS = ("luminance", "max", "min", "unsaturated", "paper")
ROUNDS = 2  # in which rows and grey are chosen: other rows may be best in another grey
MIN_GREY_GAIN = 0.2  # nats per unit: of several greys of images that can hardly be read, one is likelier by chance
STANDARD_ERRORS = 2.0  # of the mean difference between two regions: a smaller gain may be chance


def likely_region(
    model: str | Path,
    samples: Sequence[CheckedSample],
    start: Region = WHOLE,
    seed: int = 0,
    names: Collection[str] = OF_REGION,
) -> FoundRegion:
    """`start` with the crop, the rows and the grey that make the labels likeliest to the model, if they are among the
    `names` of hyperparameters, and clearly better than those of `start`; and how likely they then are.

    Where `start` cuts out a line of text, whole images are tried; then rows of several heights in the middle of the
    images, others of about the best height, and other greys of the best rows; in another grey, rows are chosen once
    more, and the grey of these. The measure is the mean log probability of a label, per unit, over a random part of the
    samples. Those with units that the model does not know in either case are left out.
    """
    likelihood = _Likelihood(Predictor(model, decoder=Decoder(views=1)), samples, seed)
    if likelihood.num_images < FEWEST:
        return FoundRegion(start)
    found = start
    if "crop" in names and start.crop == "text":
        found = likelihood.better(found, replace(start, crop="none"), MIN_CROP_GAIN)
    for _ in range(ROUNDS):
        last_grey = found.grey
        if {*ROWS} <= {*names}:
            found = likelihood.better(found, _likely_rows(found, likelihood), MIN_GAIN)
        if "grey" in names and likelihood.has_colours:
            greys = [replace(found, grey=each) for each in GREYS]
            found = likelihood.better(found, max(greys, key=likelihood.of), MIN_GREY_GAIN)
        if found.grey == last_grey:
            break
    return FoundRegion(found, likelihood.of(found))


def _likely_rows(start: Region, likelihood: "_Likelihood") -> Region:
    """The likeliest rows of those that are tried."""
    tried = [start, *(_rows(start, MIDDLES[0], height) for height in HEIGHTS)]
    best = max(tried, key=likelihood.of)
    height = best.bottom - best.top
    others = (_rows(start, middle, factor * height) for middle in MIDDLES[1:] for factor in (0.8, 1.0, 1.25))
    return max([*tried, *filter(_is_within, others)], key=likelihood.of)


def _rows(start: Region, middle: float, height: float) -> Region:
    return replace(start, top=round(middle - height / 2, 3), bottom=round(middle + height / 2, 3))


def _is_within(region: Region) -> bool:
    return region.top >= 0 and region.bottom <= 1


class _Likelihood:
    """Of the labels of some images, given a region of them."""

    def __init__(self, predictor: Predictor, samples: Sequence[CheckedSample], seed: int) -> None:
        self._predictor = predictor
        self._found = dict[Region, NDArray[np.float64]]()
        self._images, self._labels = list[Pixels](), list[list[int]]()
        for index in np.random.default_rng(seed).permutation(len(samples)):
            codes = _codes(samples[index].units, predictor.alphabet)
            if codes is None or len(self._images) == NUM_READ:
                continue
            sample = samples[index].sample
            try:
                self._images.append(_shrunk(read_image(sample.read_bytes(), sample.place, channels=3)))
            except InputError:
                continue
            self._labels.append(codes)

    @property
    def num_images(self) -> int:
        return len(self._images)

    @property
    def has_colours(self) -> bool:
        """Whether any image is more than grey."""
        return any(np.ptp(each.astype(np.int16), axis=2).any() for each in self._images)

    def better(self, region: Region, other: Region, gain: float) -> Region:
        """The other region if it is better by more than the gain, and not by chance."""
        gains = self._of_each(other) - self._of_each(region)
        by_chance = STANDARD_ERRORS * gains.std(ddof=1) / np.sqrt(len(gains))
        return other if gains.mean() > max(gain, by_chance) else region

    def of(self, region: Region) -> float:
        """Mean log probability of a label per unit, in nats."""
        return float(self._of_each(region).mean())

    def _of_each(self, region: Region) -> NDArray[np.float64]:
        if region not in self._found:
            prepared = [self._predictor.prepare(grey(region.cut(each), region.grey)) for each in self._images]
            found = self._predictor.label_log_probabilities(prepared, self._labels)
            self._found[region] = np.maximum(found / [len(each) for each in self._labels], LEAST)
        return self._found[region]


def _shrunk(image: Pixels) -> Pixels:
    """(H, W, 3), with at most MAX_ROWS rows (columns, of vertical text, are not fewer): photographs are large."""
    height, width = image.shape[:2]
    factor = MAX_ROWS / min(height, width)
    return image if factor >= 1 else resize(image, round(width * factor), round(height * factor))


def _codes(units: Sequence[str], alphabet: Alphabet) -> list[int] | None:
    """The codes of a label, of letters in the other case if need be; None if there are none."""
    known = set(alphabet.units)
    found = [unit if unit in known else unit.swapcase() for unit in units]
    return alphabet.encode(found) if found and known.issuperset(found) else None
