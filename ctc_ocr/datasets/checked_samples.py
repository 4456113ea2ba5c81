"""Valid samples with properties of their images: one, and many of them in little memory."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.datasets.columns import Array, compact
from ctc_ocr.datasets.digests import Digests
from ctc_ocr.datasets.sample_columns import SampleCollector, SampleColumns
from ctc_ocr.datasets.samples import Sample


@dataclass(frozen=True, slots=True)
class CheckedSample:
    """A valid sample and properties of its image: size (width, height) in pixels, a digest of the pixels, and whether
    it seems to have light ink on dark paper. Size and ink are those of the part that the network is given; the digest
    is that of the whole image. `stamp`: of its file; see stamps.py."""

    sample: Sample
    size: tuple[int, int]
    digest: bytes
    light_ink: bool
    stamp: int = 0

    @property
    def units(self) -> tuple[str, ...]:
        return self.sample.units


class CheckedSamples(Sequence[CheckedSample]):
    """Valid samples in columns; each is made when it is asked for. `sizes` (N, 2): width and height in pixels.
    `light_ink` (N,) bool. `stamps` (N,) uint32."""

    def __init__(
        self,
        samples: SampleColumns,
        sizes: Array,
        digests: Digests,
        light_ink: NDArray[np.bool_],
        stamps: NDArray[np.uint32],
    ) -> None:
        self.samples, self.sizes, self.digests, self.light_ink = samples, compact(sizes), digests, light_ink
        self.stamps = stamps

    @classmethod
    def of(cls, samples: Iterable[CheckedSample]) -> "CheckedSamples":
        found, sizes, digests, light_ink = SampleCollector(), array("i"), bytearray(), array("b")
        stamps = array("I")
        for each in samples:
            found.add(each.sample)
            sizes.extend(each.size)
            digests += each.digest
            light_ink.append(each.light_ink)
            stamps.append(each.stamp)
        return cls(
            found.columns(), np.array(sizes).reshape(-1, 2), Digests(digests), np.array(light_ink).astype(bool),
            np.array(stamps, np.uint32),
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CheckedSamples) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self.samples)

    @overload
    def __getitem__(self, index: int) -> CheckedSample: ...
    @overload
    def __getitem__(self, index: slice) -> "CheckedSamples": ...
    def __getitem__(self, index: int | slice) -> "CheckedSample | CheckedSamples":
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        sample = self.samples[index]
        width, height = self.sizes[index].tolist()
        ink, stamp = bool(self.light_ink[index]), int(self.stamps[index])
        return CheckedSample(sample, (width, height), self.digests[index], ink, stamp)

    def take(self, indices: Iterable[int]) -> "CheckedSamples":
        """Some of the samples."""
        chosen = np.fromiter(indices, np.intp)
        return CheckedSamples(
            self.samples.take(chosen), self.sizes[chosen], self.digests.take(chosen), self.light_ink[chosen],
            self.stamps[chosen],
        )  # fmt: skip
