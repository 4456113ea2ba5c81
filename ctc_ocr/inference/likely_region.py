"""The part of labelled images in which a model finds their labels: the rows that are the likeliest, of a few."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.datasets.checking import CheckedSample
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.images.region import Region
from ctc_ocr.inference.predictor import Predictor

NUM_READ = 32  # images
FEWEST = 8  # images: fewer say nothing
HEIGHTS = (1.15, 0.8, 0.65, 0.5, 0.4, 0.33, 0.25)  # of the rows, as fractions of the image's height
MIDDLES = (0.5, 0.42, 0.58)  # of the rows
LEAST = -10.0  # nats per unit: an image that cannot be read at all does not count more
MIN_GAIN = 0.1  # nats per unit: for less, the region stays as it is


def likely_region(model: str | Path, samples: Sequence[CheckedSample], crop: str = "none", seed: int = 0) -> Region:
    """The rows that make the labels likeliest to the model; all of them, unless others are clearly better.

    Rows of several heights are tried in the middle of the images, then others of about the best height. The measure is
    the mean log probability of a label, per unit, over a random part of the samples. Those with units that the model
    does not know in either case are left out.
    """
    whole = Region(crop)
    likelihood = _Likelihood(Predictor(model), samples, seed)
    if likelihood.num_images < FEWEST:
        return whole
    scores = {whole: likelihood.of(whole)}
    for height in HEIGHTS:
        _add(scores, likelihood, crop, MIDDLES[0], height)
    best = max(scores, key=scores.__getitem__)
    height = best.bottom - best.top
    for middle in MIDDLES[1:]:
        for factor in (0.8, 1.0, 1.25):
            _add(scores, likelihood, crop, middle, factor * height)
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] > scores[whole] + MIN_GAIN else whole


class _Likelihood:
    """Of the labels of some images, given a region of them."""

    def __init__(self, predictor: Predictor, samples: Sequence[CheckedSample], seed: int) -> None:
        self._predictor = predictor
        self._images, self._labels = list[Pixels](), list[list[int]]()
        for index in np.random.default_rng(seed).permutation(len(samples)):
            codes = _codes(samples[index].units, predictor.alphabet)
            if codes is None or len(self._images) == NUM_READ:
                continue
            sample = samples[index].sample
            try:
                self._images.append(read_image(sample.read_bytes(), sample.place, channels=3))
            except InputError:
                continue
            self._labels.append(codes)

    @property
    def num_images(self) -> int:
        return len(self._images)

    def of(self, region: Region) -> float:
        """Mean log probability of a label per unit, in nats."""
        prepared = [self._predictor.prepare(region.cut(each)) for each in self._images]
        found = self._predictor.label_log_probabilities(prepared, self._labels)
        return float(np.maximum(found / [len(each) for each in self._labels], LEAST).mean())


def _add(scores: dict[Region, float], likelihood: _Likelihood, crop: str, middle: float, height: float) -> None:
    """Rows within the image, or, in its middle, beyond it."""
    top, bottom = round(middle - height / 2, 3), round(middle + height / 2, 3)
    if middle != MIDDLES[0] and (top < 0 or bottom > 1):
        return
    region = Region(crop, top, bottom)
    if region not in scores:
        scores[region] = likelihood.of(region)


def _codes(units: Sequence[str], alphabet: Alphabet) -> list[int] | None:
    """The codes of a label, of letters in the other case if need be; None if there are none."""
    known = set(alphabet.units)
    found = [unit if unit in known else unit.swapcase() for unit in units]
    return list(alphabet.encode(found)) if found and known.issuperset(found) else None
