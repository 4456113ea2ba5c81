"""Samples whose images are straightened when they are read."""

from dataclasses import dataclass

from ctc_ocr.datasets.samples import Sample
from ctc_ocr.images.files import read_image
from ctc_ocr.images.placement import Placement
from ctc_ocr.images.png import encode_png


@dataclass(frozen=True, slots=True)
class StraightenedSample(Sample):
    """A sample, and where the line of text lies in its image. `channels`: in which that is read, 1 or 3."""

    of: Sample | None = None
    placement: Placement = Placement()
    channels: int = 1

    @classmethod
    def made(cls, sample: Sample, placement: Placement, channels: int) -> "StraightenedSample":
        return cls(sample.image, sample.units, sample.where, sample.record, sample, placement, channels)

    def read_bytes(self) -> bytes:
        """The straightened image as a PNG file. Raises InputError with `place`."""
        assert self.of is not None
        image = read_image(self.of.read_bytes(), self.of.place, self.channels)
        return encode_png(self.placement.straightened(image))
