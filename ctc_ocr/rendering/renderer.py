"""The base class of users' own renderers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.config.sections import Data
from ctc_ocr.errors import InputError
from ctc_ocr.images.grey import grey
from ctc_ocr.images.pixels import resize


class Renderer(ABC):
    """Renders texts one by one: derive a class and write its method `render`.

    `fonts` are the paths of the font files that were given, `data` the hyperparameters of the images: `alphabet`,
    `draw_width` and `draw_height` say what to render, `width` and `height` what the network reads. Objects travel to
    the image processes, so their attributes must be picklable.
    """

    def __init__(self, fonts: Sequence[str] = (), data: Data | None = None) -> None:
        self.fonts = tuple(fonts)
        self.data = data or Data()

    @abstractmethod
    def render(self, text: str, generator: np.random.Generator) -> NDArray[np.uint8]:
        """An image of the text, (H, W) or (H, W, 3) RGB uint8 of any size, dark ink on light paper.

        All random numbers must come from the generator, so that the same seed gives the same images.
        """

    def render_batch(self, texts: Sequence[str], seeds: NDArray[np.uint64], out: NDArray[np.uint8]) -> None:
        """Render texts[n] with seeds[n] into out[n], (N, height, width) uint8, resized to its size."""
        height, width = out.shape[1:3]
        for text, seed, target in zip(texts, seeds.tolist(), out, strict=True):
            target[:] = resize(grey(self.render_seeded(text, seed)), width, height)

    def render_seeded(self, text: str, seed: int) -> NDArray[np.uint8]:
        """The image of a 64-bit seed, of the size and channels that `render` gives. Raises InputError for what is not
        an image."""
        image: Any = self.render(text, np.random.Generator(np.random.Philox(key=seed)))
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim not in (2, 3):
            given = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise InputError(
                f"expected an image (H, W) or (H, W, 3) uint8, got {given}", f"{type(self).__name__}.render"
            )
        return image
