"""Batches of labelled images, with neighbours of about the same width, from worker processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import required_steps
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.generation.pool import Arrays, ArraySpec
from ctc_ocr.images.augmentation import augment
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.images.preparation import fit, load, paste

WINDOW = 16  # batches whose samples are sorted by width: enough that the widest and the narrowest do not meet
REMEMBERED = 256 * 2**20  # bytes of prepared images that a process keeps


@dataclass(frozen=True)
class LabelledSource:
    """Batches of samples; `codes` and `sizes` (width, height) are those of the samples, in their order.

    A batch is `images` (N, H, W) uint8 or (N, H, W, 3), and `labels` (N, max_length) float32, codes padded with 0.
    With keep_ratio there are also `steps` (N,) float32, the time steps that are an image's own, and `width` (1,) int64,
    the columns to which the batch can be cut.

    With `shuffle`, the samples come in turn after turn without end: in each, all of them once in a new order, changed
    at random as the hyperparameters say, and the last batch filled up with the first of them. Without, they come once,
    unchanged, the narrow ones first; the last batch is filled up with its last sample. Batch i depends on the seed and
    on i alone.
    """

    samples: Sequence[Sample]
    codes: Sequence[Sequence[int]]
    sizes: Sequence[tuple[int, int]]
    hyperparameters: Hyperparameters
    max_length: int
    shuffle: bool
    _memory: dict[int, Pixels] = field(default_factory=dict, compare=False, repr=False)

    @property
    def batch_size(self) -> int:
        return self.hyperparameters.training.batch_size

    def specs(self) -> Mapping[str, ArraySpec]:
        """Shapes and dtypes of a batch."""
        data = self.hyperparameters.data
        colours = (3,) if data.channels == 3 else ()
        specs = {
            "images": ArraySpec(
                (self.batch_size, data.height, self.hyperparameters.geometry.full_width, *colours), "uint8"
            ),
            "labels": ArraySpec((self.batch_size, self.max_length), "float32"),
        }
        if data.keep_ratio:
            specs |= {"steps": ArraySpec((self.batch_size,), "float32"), "width": ArraySpec((1,), "int64")}
        return specs

    def fill(self, number: int, arrays: Arrays) -> None:
        """Read, change and place the samples of batch `number`."""
        positions = self._positions(number)
        images = [self._image(position) for position in positions]
        paste(images, arrays["images"], self.hyperparameters.network.input_mean)
        if "steps" in arrays:
            arrays["steps"][:] = [self._steps(image) for image in images]
            arrays["width"][:] = self.hyperparameters.geometry.batch_width(max(image.shape[1] for image in images))
        arrays["labels"][:] = 0
        for row, position in zip(arrays["labels"], positions, strict=True):
            codes = self.codes[self._sample(position)]
            row[: len(codes)] = codes

    def _positions(self, number: int) -> list[int]:
        """Places in the stream (with `shuffle`), or numbers of samples, of a batch's images."""
        if not self.shuffle:
            places = range(number * self.batch_size, (number + 1) * self.batch_size)
            return [int(self.order[min(place, len(self.order) - 1)]) for place in places]
        turn, place = divmod(number, self._batches)
        window = next(each for each in self._windows if place in each)
        first = turn * self._batches + window.start
        stream = range(first * self.batch_size, (first + len(window)) * self.batch_size)
        widths = self._widths([self._sample(position) for position in stream])
        shuffled = np.random.default_rng([self._seed, 1, first]).permutation(len(window))
        start = int(shuffled[place - window.start]) * self.batch_size
        return [stream[int(each)] for each in _by_width(widths)[start : start + self.batch_size]]

    @property
    def _batches(self) -> int:
        """Batches of a turn."""
        return -(-len(self.samples) // self.batch_size)

    @cached_property
    def _windows(self) -> list[range]:
        """The batches of a turn whose samples are sorted by width together: at most WINDOW, of about the same number,
        and never of two turns, which would bring a sample's two places side by side."""
        parts = np.array_split(np.arange(self._batches), -(-self._batches // WINDOW))
        return [range(int(part[0]), int(part[-1]) + 1) for part in parts]

    def _sample(self, position: int) -> int:
        """The number of the sample that comes at a place of the stream."""
        if not self.shuffle:
            return position
        turn, place = divmod(position, self._batches * self.batch_size)
        return int(_permutation(self._seed, turn, len(self.samples))[place % len(self.samples)])

    def _image(self, position: int) -> Pixels:
        image = self._prepared(self._sample(position))
        if not self.shuffle or not self.hyperparameters.augmentation.augment:
            return image
        generator = np.random.default_rng([self._seed, 2, position])
        changed = fit(augment(image, self.hyperparameters.augmentation, generator), self.hyperparameters)
        # One that became too narrow for its label would teach nothing.
        return changed if self._steps(changed) >= required_steps(self.codes[self._sample(position)]) else image

    def _steps(self, image: Pixels) -> int:
        return self.hyperparameters.geometry.steps_of(image.shape[1], image.shape[0])

    def _prepared(self, sample: int) -> Pixels:
        image = self._memory.get(sample)
        if image is None:
            chosen = self.samples[sample]
            image = load(chosen.read_bytes(), chosen.where, self.hyperparameters)
            if (len(self._memory) + 1) * image.nbytes < REMEMBERED:
                self._memory[sample] = image
        return image

    def _widths(self, samples: Sequence[int]) -> NDArray[np.intp]:
        return np.array([self.hyperparameters.geometry.resized_width(*self.sizes[sample]) for sample in samples])

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Without `shuffle`: the samples (by number) as they come."""
        return _by_width(self._widths(range(len(self.samples))))

    @property
    def _seed(self) -> int:
        return self.hyperparameters.training.seed

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_memory": {}}


def _by_width(widths: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.argsort(widths, kind="stable")


@lru_cache(maxsize=4)
def _permutation(seed: int, turn: int, count: int) -> NDArray[np.intp]:
    return np.random.default_rng([seed, 0, turn]).permutation(count)
