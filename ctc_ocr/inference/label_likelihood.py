"""How likely the labels of some images are to a model, by what it is shown of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.datasets.checking import CheckedSample
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.decoding.likelihood import ANYTHING
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
from ctc_ocr.images.grey import grey
from ctc_ocr.images.pixels import Pixels, shrunk
from ctc_ocr.images.region import Region
from ctc_ocr.inference.predictor import Predictor, predictor_of_lines
from ctc_ocr.inference.straightening import Straightener
from ctc_ocr.lengths import Lengths

NUM_READ = 64  # images
LEAST = -10.0  # nats per unit: an image that cannot be read at all does not count more
STANDARD_ERRORS = 2.0  # of the mean difference between two inputs: a smaller gain may be chance


@dataclass(frozen=True)
class Shown:
    """What a model is shown of images: a part of each, in a grey, their ink as `data.ink` names it, and whether they
    are straightened first."""

    region: Region
    ink: str = "auto"
    is_straight: bool = False


class LabelLikelihood:
    """The log probabilities of labels, in nats per unit, of a random part of the samples by a seed.

    For units that the model does not know in either case, anything may be read. Imports MXNet.
    """

    def __init__(self, model: str | Path, samples: Sequence[CheckedSample], seed: int) -> None:
        self._model, self._predictor = model, _predictor(model, "auto")
        self._with_ink = {"auto": self._predictor}
        self._found = dict[Shown, NDArray[np.float64]]()
        self._images, self._labels = list[Pixels](), list[list[int]]()
        self._parts = dict[Region, list[Pixels]]()
        for index in np.random.default_rng(seed).permutation(len(samples)):
            codes = _codes(samples[index].units, self._predictor.alphabet)
            if codes is None or len(self._images) == NUM_READ:
                continue
            sample = samples[index].sample
            try:
                self._images.append(shrunk(read_image(sample.read_bytes(), sample.place, channels=3)))
            except InputError:
                continue
            self._labels.append(codes)

    @property
    def knows_all_units(self) -> bool:
        """Whether the model knows each unit of the labels."""
        return not any(ANYTHING in each for each in self._labels)

    @property
    def num_images(self) -> int:
        return len(self._images)

    @property
    def has_colours(self) -> bool:
        """Whether any image is more than grey."""
        return any(np.ptp(each.astype(np.int16), axis=2).any() for each in self._images)

    def better(self, shown: Shown, other: Shown, gain: float) -> Shown:
        """The other one if it is better by more than the gain, and not by chance."""
        gains = self._of_each(other) - self._of_each(shown)
        return other if gains.mean() > max(gain, STANDARD_ERRORS * _standard_error(gains)) else shown

    def as_good(self, shown: Shown, other: Shown) -> bool:
        """Whether it is worse than another one by no more than a standard error, or better."""
        losses = self._of_each(other) - self._of_each(shown)
        return bool(losses.mean() <= _standard_error(losses))

    def of(self, shown: Shown) -> float:
        """Mean over the images."""
        return float(self._of_each(shown).mean())

    def of_known_units(self, shown: Shown) -> float:
        """Mean over the images, of reading what the model knows of a label and nothing else: a unit that it does not
        know is one more that the network has to learn."""
        if self.knows_all_units:
            return self.of(shown)
        labels = [[code for code in each if code != ANYTHING] for each in self._labels]
        return float(self._per_unit(shown, labels).mean())

    def _of_each(self, shown: Shown) -> NDArray[np.float64]:
        if shown not in self._found:
            self._found[shown] = self._per_unit(shown, self._labels)
        return self._found[shown]

    def _per_unit(self, shown: Shown, labels: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        prepare = self._preparing(shown.ink).prepare
        rows = replace(shown.region, crop="none", vertical=False)  # of images that are turned and cut already
        images = self._straightened(shown) if shown.is_straight else self._cut(shown.region)
        prepared = [prepare(grey(rows.cut(each), rows.grey)) for each in images]
        found = self._predictor.label_log_probabilities(prepared, labels)
        return np.maximum(found / [_num_known(each) for each in labels], LEAST)

    def _straightened(self, shown: Shown) -> list[Pixels]:
        lengths = Lengths.of_labels([len(each) for each in self._labels])
        straightener = Straightener(predictor_of_lines(self._model, lengths, shown.ink), shown.region, lengths)
        return [straightener.straightened(each) for each in self._images]

    def _cut(self, region: Region) -> list[Pixels]:
        """The images as a region turns them, and cuts out their line of text, with all rows. A line is searched once in
        each image, and not again for other rows, greys and inks."""
        whole = Region(region.crop, vertical=region.vertical)
        if whole not in self._parts:
            self._parts[whole] = [whole.cut(each) for each in self._images]
        return self._parts[whole]

    def _preparing(self, ink: str) -> Predictor:
        if ink not in self._with_ink:
            self._with_ink[ink] = _predictor(self._model, ink)
        return self._with_ink[ink]


def _predictor(model: str | Path, ink: str) -> Predictor:
    return Predictor(model, decoder=Decoder(views=1), ink=ink)


def _standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _codes(units: Sequence[str], alphabet: Alphabet) -> list[int] | None:
    """The codes of a label, of letters in the other case if need be, and ANYTHING for units that the model does not
    know, such as the dash of a plate: it reads nothing there, or other units. None if these are more than half."""
    known = set(alphabet.units)
    codes = list[int]()
    for unit in units:
        form = unit if unit in known else unit.swapcase()
        if form in known:
            codes.append(alphabet.encode([form])[0])
        elif codes[-1:] != [ANYTHING]:
            codes.append(ANYTHING)
    found = _num_known(codes)
    return codes if found and 2 * found >= len(units) else None


def _num_known(codes: Sequence[int]) -> int:
    """Those that the model knows."""
    return len(codes) - codes.count(ANYTHING)
