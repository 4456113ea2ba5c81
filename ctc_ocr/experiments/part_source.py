"""Some samples of a source as a source of their own, which a training can be given. They are in memory."""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ctc_ocr.datasets.samples import Rows, Sample, SourceOptions
from ctc_ocr.datasets.sources import register_source

NAME = "_part"

_parts: dict[str, Rows] = {}
_numbers = itertools.count(1)


@contextmanager
def part_source(samples: Iterable[Sample], name: str, form: str) -> Iterator[str]:
    """What `open_source` gives these samples for, within the block and this process. Messages call them `name`, and
    say that their labels come from `form`."""
    key, kept = str(next(_numbers)), tuple(samples)
    # The options were used when the samples were found.
    _parts[key] = Rows(form, len(kept), lambda: iter(kept), is_final=True, name=name)
    try:
        yield f"{NAME}:{key}"
    finally:
        del _parts[key]


@register_source(NAME)
def _open(argument: str, options: SourceOptions) -> Rows:
    return _parts[argument]
