"""Labels by the image files that they belong to."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.datasets.samples import Problem, Sample, SourceOptions
from ctc_ocr.datasets.sources import DEFAULT_OPTIONS, read_source
from ctc_ocr.errors import InputError


@dataclass(frozen=True)
class ImageLabels:
    """The labels of a source, by the real paths of the image files. `problems`: what gave no label, and why."""

    labels: dict[str, str]
    problems: Sequence[Problem] = ()

    def of(self, image: str | os.PathLike[str]) -> str | None:
        """The label of an image file, whatever path names it; None if there is none."""
        return self.labels.get(os.path.realpath(image))


def read_image_labels(source: str | Path, options: SourceOptions = DEFAULT_OPTIONS) -> ImageLabels:
    """The labels of any source of image files. Raises InputError for a source that cannot be read or is empty, and for
    one whose images are not files, such as a pack."""
    samples, problems = read_source(source, options)
    if not all(each.is_file for each in samples):
        raise InputError("its images are not files; measure how they are read with ctc-ocr evaluate", source)
    return ImageLabels(_by_real_path(samples), problems)


def _by_real_path(samples: Sequence[Sample]) -> dict[str, str]:
    return {os.path.realpath(each.image): each.label for each in samples}
