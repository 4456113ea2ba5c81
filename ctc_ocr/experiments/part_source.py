"""Some samples of a source as a source of their own, which a training can be given. They are in memory."""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ctc_ocr.datasets.samples import Rows, Sample, SourceOptions
from ctc_ocr.datasets.sources import register_source

NAME = "_part"

_parts: dict[str, tuple[Sample, ...]] = {}
_numbers = itertools.count(1)


@contextmanager
def part_source(samples: Iterable[Sample]) -> Iterator[str]:
    """The name by which `open_source` gives these samples, within the block and this process."""
    key = str(next(_numbers))
    _parts[key] = tuple(samples)
    try:
        yield f"{NAME}:{key}"
    finally:
        del _parts[key]


@register_source(NAME)
def _open(argument: str, options: SourceOptions) -> Rows:
    """The options were used when the samples were found."""
    samples = _parts[argument]
    return Rows("a part of the images", len(samples), lambda: iter(samples), is_final=True)
