"""Generated images of any size, prepared and augmented as labelled images are."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import required_steps
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.batch_specs import batch_specs
from ctc_ocr.datasets.generated import random_texts
from ctc_ocr.generation.pool import Arrays, ArraySpec
from ctc_ocr.generation.rows import ALL_ROWS, Rows
from ctc_ocr.images.augmentation import augment
from ctc_ocr.images.pixels import Pixels, resize
from ctc_ocr.images.preparation import fit, paste, prepare
from ctc_ocr.rendering.renderer import Renderer

# Batches that are sorted by width together. An image process renders a whole window for each of its batches that it
# fills: more would save little padding, and leave little to gain from many processes.
WINDOW = 4
Window = tuple[list[Pixels], NDArray[np.float32], NDArray[np.intp]]  # images, labels, indices (WINDOW, N)


@dataclass(frozen=True)
class PreparedSource:
    """Endless batches of images that a renderer draws in sizes of its own, brought to the form of the network's input.

    Texts and seeds are those of GeneratedSource: sample i depends on seed, stream and i alone. A batch has the arrays
    of LabelledBatches, with `steps` and `width` where the hyperparameters keep the aspect ratio. An image that is too
    narrow for its label is widened.

    With `training`, images are augmented as the hyperparameters demand, and of WINDOW batches at a time the samples are
    sorted by width, so that less padding is computed; the batches then come in a random order. With `rows`, only these
    of each batch are given; where they are sorted, the whole window is rendered for them.
    """

    renderer: Renderer
    hyperparameters: Hyperparameters
    seed: int
    stream: int
    training: bool
    rows: Rows = ALL_ROWS
    _window: dict[int, Window] = field(default_factory=dict, compare=False, repr=False)  # the newest, by its number

    def specs(self) -> Mapping[str, ArraySpec]:
        """Shapes and dtypes of a batch."""
        settings = self.hyperparameters
        return batch_specs(settings, self.rows.number(settings.training.batch_size), settings.data.max_length)

    def fill(self, number: int, arrays: Arrays) -> None:
        """Render, prepare and augment the images of batch `number`."""
        settings = self.hyperparameters
        images, arrays["labels"][:] = self._sorted(number) if self._sorts else self._drawn(number, self.rows)
        paste(images, arrays["images"], settings.network.input_mean)
        if "steps" in arrays:
            arrays["steps"][:] = [settings.geometry.steps_of(image.shape[1], image.shape[0]) for image in images]
            arrays["width"][:] = settings.geometry.batch_width(max(image.shape[1] for image in images))

    @property
    def _sorts(self) -> bool:
        return self.training and self.hyperparameters.data.keep_ratio

    def _drawn(self, number: int, rows: Rows) -> tuple[list[Pixels], NDArray[np.float32]]:
        """Images and labels of these rows of batch `number`, in the order of the samples."""
        data = self.hyperparameters.data
        count = self.hyperparameters.training.batch_size
        texts, labels, seeds = random_texts(data, self.seed, self.stream, number, count)
        images = [self._image(text, seed) for text, seed in zip(rows.of(texts), rows.of(seeds).tolist(), strict=True)]
        return images, rows.of(labels)

    def _sorted(self, number: int) -> tuple[list[Pixels], NDArray[np.float32]]:
        """Images and labels of the rows of a batch of similar widths."""
        window, place = divmod(number, WINDOW)
        if window not in self._window:
            self._window.clear()
            parts = [self._drawn(window * WINDOW + each, ALL_ROWS) for each in range(WINDOW)]
            images = list(itertools.chain.from_iterable(part[0] for part in parts))
            by_width = np.argsort([image.shape[1] for image in images], kind="stable").reshape(WINDOW, -1)
            shuffled = np.random.default_rng([self.seed, self.stream, window]).permutation(WINDOW)
            self._window[window] = images, np.concatenate([part[1] for part in parts]), by_width[shuffled]
        images, labels, order = self._window[window]
        chosen = self.rows.of(order[place])
        return [images[index] for index in chosen], labels[chosen]

    def _image(self, text: str, seed: int) -> Pixels:
        settings = self.hyperparameters
        image = self._widened(prepare(self.renderer.render_seeded(text, seed), settings), text)
        if not (self.training and settings.augmentation.augment):
            return image
        # Another key than that of the renderer's random numbers.
        generator = np.random.Generator(np.random.Philox(key=(1 << 64) | seed))
        return self._widened(fit(augment(image, settings.augmentation, generator), settings), text)

    def _widened(self, image: Pixels, text: str) -> Pixels:
        """The image, or one resized to the least width that has enough time steps for the text."""
        height, width = image.shape[:2]
        geometry = self.hyperparameters.geometry
        needed = required_steps(text)
        if geometry.steps_of(width, height) >= needed:
            return image
        return resize(image, min(needed * geometry.columns_per_step, self.hyperparameters.data.width), height)

    def __getstate__(self) -> dict[str, Any]:
        # Found here once: an image process does not know the architectures that a user has registered.
        _ = self.hyperparameters.geometry.columns_per_step
        return {**self.__dict__, "_window": {}}
