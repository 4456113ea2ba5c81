"""Batches of labelled images, in which neighbours have about the same width."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import pad_labels, required_steps
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.balance import drawn, sample_weights
from ctc_ocr.datasets.batch_specs import batch_specs
from ctc_ocr.datasets.image_columns import ImageColumns
from ctc_ocr.datasets.image_columns import LabelledImage as LabelledImage
from ctc_ocr.datasets.stamps import refuse_changed
from ctc_ocr.generation.pool import Arrays, ArraySpec
from ctc_ocr.generation.rows import ALL_ROWS, Rows
from ctc_ocr.images.augmentation import augment
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.images.preparation import fit, load, paste

WINDOW = 16  # batches whose samples are sorted by width: enough to keep the widest apart from the narrowest
MAX_CACHE = 256 * 2**20  # bytes of prepared images that a process keeps
CACHED_SETS = 4  # times MAX_CACHE: of larger sets, no images are kept


@dataclass(frozen=True)
class LabelledBatches:
    """Batches of labelled images.

    A batch is `images` (N, H, W) or (N, H, W, 3) uint8, and `labels` (N, max_length) float32, codes padded with 0. With
    keep_ratio there are also `steps` (N,) float32, the time steps of each image without padding, and `width` (1,)
    int64, the number of columns to which the batch can be cut.

    With `shuffle`, the batches are endless: pass after pass over all images, each in a new order, augmented as the
    hyperparameters demand; the last batch of a pass is filled with its first images. Without, there is one pass, not
    augmented, from narrow to wide images; the last batch is filled with copies of the last image. Batch i depends on
    the seed and on i alone. With `rows`, only these of each batch are read; it is cut to the width that they need.
    Where the hyperparameters balance the units, a pass has some images several times, and others not at all.
    """

    images: Sequence[LabelledImage]
    hyperparameters: Hyperparameters
    max_length: int
    shuffle: bool
    rows: Rows = ALL_ROWS
    _cache: "ImageCache" = field(default_factory=lambda: ImageCache(MAX_CACHE), compare=False, repr=False)
    _passes: dict[int, NDArray[np.uint32]] = field(default_factory=dict, compare=False, repr=False)  # balanced ones

    def __post_init__(self) -> None:
        if not isinstance(self.images, ImageColumns):  # each image process holds a copy
            object.__setattr__(self, "images", ImageColumns.of(self.images))

    @property
    def batch_size(self) -> int:
        return self.hyperparameters.training.batch_size

    @property
    def _columns(self) -> ImageColumns:
        assert isinstance(self.images, ImageColumns)
        return self.images

    def specs(self) -> Mapping[str, ArraySpec]:
        """Shapes and dtypes of a batch."""
        return batch_specs(self.hyperparameters, self.rows.number(self.batch_size), self.max_length)

    def fill(self, number: int, arrays: Arrays) -> None:
        """Read, prepare and augment the images of batch `number`. Raises InputError if one cannot be read
        or was changed after it was checked."""
        samples = [self._sample(position) for position in self.rows.of(self._positions(number))]
        images = [image for image, _ in samples]
        paste(images, arrays["images"], self.hyperparameters.network.input_mean)
        if "steps" in arrays:
            arrays["steps"][:] = [self._steps(image) for image in images]
            arrays["width"][:] = self.hyperparameters.geometry.batch_width(max(image.shape[1] for image in images))
        pad_labels([codes for _, codes in samples], arrays["labels"])

    def _positions(self, number: int) -> list[int]:
        """Positions in the endless stream of images (with `shuffle`), or indices, of the images of a batch."""
        if not self.shuffle:
            places = range(number * self.batch_size, (number + 1) * self.batch_size)
            return [int(self.order[min(place, len(self.order) - 1)]) for place in places]
        pass_number, place = divmod(number, self._batches_per_pass)
        window = next(each for each in self._windows if place in each)
        first = pass_number * self._batches_per_pass + window.start
        stream = range(first * self.batch_size, (first + len(window)) * self.batch_size)
        widths = self._widths([self._index(position) for position in stream])
        shuffled = np.random.default_rng([self._seed, 1, first]).permutation(len(window))
        start = int(shuffled[place - window.start]) * self.batch_size
        return [stream[int(each)] for each in _by_width(widths)[start : start + self.batch_size]]

    @property
    def _batches_per_pass(self) -> int:
        return -(-len(self.images) // self.batch_size)

    @cached_property
    def _windows(self) -> list[range]:
        """The batches of a pass whose images are sorted by width together: at most WINDOW, of about equal numbers, and
        never of two passes, which would place both occurrences of an image side by side."""
        parts = np.array_split(np.arange(self._batches_per_pass), -(-self._batches_per_pass // WINDOW))
        return [range(int(part[0]), int(part[-1]) + 1) for part in parts]

    def _index(self, position: int) -> int:
        """The index of the image at a position of the stream."""
        if not self.shuffle:
            return position
        pass_number, place = divmod(position, self._batches_per_pass * self.batch_size)
        return int(self._of_pass(pass_number)[place % len(self.images)])

    def _of_pass(self, number: int) -> NDArray[np.uint32]:
        """The indices of the images of a pass, in their order."""
        if not self.hyperparameters.training.balance:
            return _permutation(self._seed, number, len(self.images))
        if number not in self._passes:
            while len(self._passes) > 1:  # the batches of two passes may be asked for in turns
                self._passes.pop(next(iter(self._passes)))
            self._passes[number] = drawn(self._weights, np.random.default_rng([self._seed, 0, number]))
        return self._passes[number]

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        return sample_weights(self._columns.codes, self.hyperparameters.training.balance)

    def _sample(self, position: int) -> tuple[Pixels, Sequence[int]]:
        """An image and the codes of its label."""
        index = self._index(position)
        image, codes = self._prepared(index), self._columns.codes.row(index)
        if not self.shuffle or not self.hyperparameters.augmentation.augment:
            return image, codes
        generator = np.random.default_rng([self._seed, 2, position])
        augmented = fit(augment(image, self.hyperparameters.augmentation, generator), self.hyperparameters)
        # Nothing can be learned from an image that has become too narrow for its label.
        return (augmented if self._steps(augmented) >= required_steps(codes) else image), codes

    def _steps(self, image: Pixels) -> int:
        return self.hyperparameters.geometry.steps_of(image.shape[1], image.shape[0])

    def _prepared(self, index: int) -> Pixels:
        image = self._cache.get(index)
        if image is None:
            sample = self._columns.samples[index]
            encoded = sample.read_bytes()
            refuse_changed(sample, int(self._columns.stamps[index]))
            image = load(encoded, sample.place, self.hyperparameters)
            # Of a set that is many times larger, what is kept would hardly be used again.
            fits = len(self.images) * image.nbytes < CACHED_SETS * MAX_CACHE
            if fits:
                self._cache.add(index, image)
        return image

    def _widths(self, indices: Sequence[int]) -> NDArray[np.intp]:
        resized_width = self.hyperparameters.geometry.resized_width
        return np.array([resized_width(*size) for size in self._columns.sizes[indices].tolist()])

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Without `shuffle`: the indices of the images in the order in which they come."""
        return _by_width(self._widths(range(len(self.images))))

    @property
    def _seed(self) -> int:
        return self.hyperparameters.training.seed

    def __getstate__(self) -> dict[str, Any]:
        # Found here once: an image process does not know the architectures that a user has registered.
        _ = self.hyperparameters.geometry.columns_per_step
        return {**self.__dict__, "_cache": ImageCache(MAX_CACHE), "_passes": {}}


class ImageCache:
    """Prepared images by their indices, up to so many bytes in all."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._images: dict[int, Pixels] = {}

    def __len__(self) -> int:
        return len(self._images)

    def get(self, index: int) -> Pixels | None:
        return self._images.get(index)

    def add(self, index: int, image: Pixels) -> None:
        """Keep an image if there is room for it."""
        if image.nbytes < self._left:
            self._left -= image.nbytes
            self._images[index] = image


def _by_width(widths: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.argsort(widths, kind="stable")


@lru_cache(maxsize=2)  # the batches of two passes may be asked for in turns
def _permutation(seed: int, pass_number: int, count: int) -> NDArray[np.uint32]:
    """Of `count` images, fewer than 2**32: a set of millions takes half the memory of the generator's integers."""
    return np.random.default_rng([seed, 0, pass_number]).permutation(count).astype(np.uint32)
