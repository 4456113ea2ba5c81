"""Captchas of random texts, drawn as they are needed: no image is ever seen twice."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.generation.pool import Arrays, ArraySpec
from ctc_ocr.generation.seeds import sample_generator
from ctc_ocr.hyperparameters import Data
from ctc_ocr.rendering.text import random_text


class Renderer(Protocol):
    """Draws a text: (height, width) uint8, ink dark on light."""

    def render(self, text: str, generator: np.random.Generator) -> npt.NDArray[np.uint8]: ...


@dataclass(frozen=True)
class GeneratedSource:
    """Batches of captchas. Sample i depends on seed, stream and i alone, whatever the batch it comes in.

    A batch is `images` (N, height, width) uint8 and `labels` (N, max_length) float32, codes padded with 0.
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
        alphabet = Alphabet(tuple(self.data.alphabet))
        arrays["labels"][:] = 0
        for row in range(self.batch_size):
            generator = sample_generator(self.seed, self.stream, number * self.batch_size + row)
            units = random_text(generator, alphabet.units, self.data.min_length, self.data.max_length)
            arrays["images"][row] = self.renderer.render("".join(units), generator)
            arrays["labels"][row, : len(units)] = alphabet.encode(units)
