"""Captchas of random texts, drawn as they are needed: no image is ever seen twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.config.sections import Data
from ctc_ocr.generation.pool import Arrays, ArraySpec
from ctc_ocr.generation.seeds import sample_words


class Renderer(Protocol):
    """Draws texts[n], with seeds[n] (N,) uint64, into out[n], (N, height, width) uint8, ink dark on light."""

    def render_batch(self, texts: Sequence[str], seeds: NDArray[np.uint64], out: NDArray[np.uint8]) -> None: ...


@dataclass(frozen=True)
class GeneratedSource:
    """Batches of captchas. Sample i depends on seed, stream and i alone, whatever the batch it comes in.

    A batch is `images` (N, height, width) uint8 and `labels` (N, max_length) float32, codes padded with 0. Every
    length and every unit is equally likely.
    """

    renderer: Renderer
    data: Data
    batch_size: int
    seed: int
    stream: int

    def specs(self) -> Mapping[str, ArraySpec]:
        """Shapes and dtypes of a batch."""
        return {
            "images": ArraySpec((self.batch_size, self.data.height, self.data.width), "uint8"),
            "labels": ArraySpec((self.batch_size, self.data.max_length), "float32"),
        }

    def fill(self, number: int, arrays: Arrays) -> None:
        """Draw batch `number`: the samples from number * batch_size on."""
        data, first = self.data, number * self.batch_size
        # A word for the length, one for the image, and one for each unit. 64 bits leave no bias to speak of.
        words = sample_words(self.seed, self.stream, first, self.batch_size, 2 + data.max_length)
        lengths = data.min_length + (words[:, 0] % np.uint64(data.max_length - data.min_length + 1)).astype(np.intp)
        units = (words[:, 2:] % np.uint64(len(data.alphabet))).astype(np.intp)
        arrays["labels"][:] = np.where(np.arange(data.max_length) < lengths[:, None], units + 1, 0)
        rows = zip(units.tolist(), lengths.tolist(), strict=True)
        texts = ["".join(data.alphabet[unit] for unit in row[:length]) for row, length in rows]
        self.renderer.render_batch(texts, words[:, 1], arrays["images"])
