"""Captchas of random texts, rendered when they are needed: no image is seen twice."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.config.renderers import BatchRenderer
from ctc_ocr.config.sections import Data
from ctc_ocr.generation.pool import Arrays, ArraySpec
from ctc_ocr.generation.rows import ALL_ROWS, Rows
from ctc_ocr.generation.seeds import sample_words


@dataclass(frozen=True)
class GeneratedSource:
    """Endless batches of captchas. Sample i depends on seed, stream and i alone, whatever the batch size.

    A batch is `images` (N, height, width) uint8 and `labels` (N, max_length) float32, codes padded with 0. All lengths
    are equally likely, and so are all units. With `rows`, only these of each batch are rendered.
    """

    renderer: BatchRenderer
    data: Data
    batch_size: int
    seed: int
    stream: int
    rows: Rows = ALL_ROWS

    def specs(self) -> Mapping[str, ArraySpec]:
        """Shapes and dtypes of a batch."""
        count = self.rows.number(self.batch_size)
        return {
            "images": ArraySpec((count, self.data.height, self.data.width), "uint8"),
            "labels": ArraySpec((count, self.data.max_length), "float32"),
        }

    def fill(self, number: int, arrays: Arrays) -> None:
        """Render batch `number`: the samples from number * batch_size on."""
        texts, labels, seeds = random_texts(self.data, self.seed, self.stream, number, self.batch_size)
        arrays["labels"][:] = self.rows.of(labels)
        self.renderer.render_batch(self.rows.of(texts), self.rows.of(seeds), arrays["images"])


def random_texts(
    data: Data, seed: int, stream: int, number: int, count: int
) -> tuple[list[str], NDArray[np.float32], NDArray[np.uint64]]:
    """The texts of batch `number`, their codes (N, max_length), and the seeds (N,) of their images; N is `count`.

    Batch n has the samples from n * N on.
    """
    # A word for the length, one for the image, one per unit. With 64 bits the bias of % is negligible.
    words = sample_words(seed, stream, number * count, count, 2 + data.max_length)
    lengths = data.min_length + (words[:, 0] % np.uint64(data.max_length - data.min_length + 1)).astype(np.intp)
    units = (words[:, 2:] % np.uint64(len(data.alphabet))).astype(np.intp)
    labels = np.where(np.arange(data.max_length) < lengths[:, None], units + 1, 0)
    rows = zip(units.tolist(), lengths.tolist(), strict=True)
    texts = ["".join(data.alphabet[unit] for unit in row[:length]) for row, length in rows]
    return texts, labels.astype(np.float32), words[:, 1]
