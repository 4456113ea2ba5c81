"""The images that batches are made of: one, and many of them in little memory."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.datasets.checked_samples import CheckedSamples
from ctc_ocr.datasets.columns import Array, Ragged, compact
from ctc_ocr.datasets.sample_columns import SampleCollector, SampleColumns
from ctc_ocr.datasets.samples import Sample


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A sample, the codes of its label, the size (width, height) of its image in pixels, and the stamp of its file."""

    sample: Sample
    codes: tuple[int, ...]
    size: tuple[int, int]
    stamp: int = 0


class ImageColumns(Sequence[LabelledImage]):
    """Images in columns; each is made when it is asked for. `codes` are those of the labels, `sizes` (N, 2) the widths
    and heights of the images in pixels, `stamps` (N,) uint32 those of their files."""

    def __init__(self, samples: SampleColumns, codes: Ragged, sizes: Array, stamps: NDArray[np.uint32]) -> None:
        self.samples, self.codes, self.sizes, self.stamps = samples, codes, compact(sizes), stamps

    @classmethod
    def of(cls, images: Iterable[LabelledImage]) -> "ImageColumns":
        samples, codes, lengths, sizes = SampleCollector(), array("i"), array("i"), array("i")
        stamps = array("I")
        for each in images:
            samples.add(each.sample)
            codes.extend(each.codes)
            lengths.append(len(each.codes))
            sizes.extend(each.size)
            stamps.append(each.stamp)
        labels = Ragged.of_lengths(np.array(codes), np.array(lengths))
        return cls(samples.columns(), labels, np.array(sizes).reshape(-1, 2), np.array(stamps, np.uint32))

    @classmethod
    def encoded(cls, checked: CheckedSamples, alphabet: Alphabet) -> "ImageColumns":
        """Valid samples whose units are in the alphabet. Raises InputError for one that is not."""
        samples = checked.samples
        used = samples.frequencies()
        table = [alphabet.encode([unit])[0] if unit in used else 0 for unit in samples.units]
        return cls(samples, samples.labels.mapped(table), checked.sizes, checked.stamps)

    def read_as(self, samples: Sequence[Sample]) -> "ImageColumns":
        """The same images, read as these samples do. Whether a file was changed is not looked at any more."""
        return ImageColumns(SampleColumns.of(samples), self.codes, self.sizes, np.zeros_like(self.stamps))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImageColumns) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self.samples)

    @overload
    def __getitem__(self, index: int) -> LabelledImage: ...
    @overload
    def __getitem__(self, index: slice) -> "ImageColumns": ...
    def __getitem__(self, index: int | slice) -> "LabelledImage | ImageColumns":
        if isinstance(index, slice):
            chosen = np.arange(len(self))[index]
            samples, labels = self.samples.take(chosen), self.codes.take(chosen)
            return ImageColumns(samples, labels, self.sizes[chosen], self.stamps[chosen])
        sample = self.samples[index]
        width, height = self.sizes[index].tolist()
        codes = tuple(self.codes.row(range(len(self))[index]))
        return LabelledImage(sample, codes, (width, height), int(self.stamps[index]))
