"""What a sample is made of: a character, a sequence, a line or a page."""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ctc_ocr.errors import InputError
from ctc_ocr.pages.boxes import Box, Rectangle
from ctc_ocr.pages.charsets import Charset
from ctc_ocr.pages.layout import Page
from ctc_ocr.pages.reading_order import DEFAULT_ORDER, lines_of

Boxes = Sequence[Box]
Wanted = Callable[[str], bool]  # whether samples may have a character
MAX_SEQUENCE = 1000
DEFAULT_LENGTHS = (3, 3)


@dataclass(frozen=True)
class ScopeOptions:
    """How samples are made of the boxes of pages.

    charset: characters that samples have, as Charset.parse reads it. seq_length: least and greatest length of a
    sequence; `seed` chooses among them. min_frequency: characters with fewer boxes are left out as those of no charset.
    """

    scope: str = "char"
    charset: str = "all"
    seq_length: tuple[int, int] = DEFAULT_LENGTHS
    min_frequency: int = 1
    reading_order: str = DEFAULT_ORDER
    seed: int = 0

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise InputError(f"no scope {self.scope!r}; accepted: {', '.join(SCOPES)}", "scope")
        least, most = self.seq_length
        if not 1 <= least <= most <= MAX_SEQUENCE:
            raise InputError(f"expected 1 to {MAX_SEQUENCE}, the smaller first, got {least}-{most}", "seq_length")


def samples_of(pages: Sequence[Page], options: ScopeOptions) -> Iterator[tuple[Page, Boxes]]:
    """The boxes of each sample, in the order of pages and of reading."""
    wanted = _wanted(pages, options)
    for page in pages:
        for boxes in SCOPES[options.scope](page, options, wanted):
            yield page, boxes


def frequencies(pages: Iterable[Page]) -> Counter[str]:
    """How many boxes each character has."""
    return Counter(box.character for page in pages for box in page.boxes)


def _wanted(pages: Iterable[Page], options: ScopeOptions) -> Wanted:
    charset = Charset.parse(options.charset)
    counts = frequencies(pages)
    known = {character for character, count in counts.items() if count >= options.min_frequency}
    chosen = {character for character in known if character in charset}
    return chosen.__contains__


def _characters(page: Page, options: ScopeOptions, wanted: Wanted) -> Iterator[Boxes]:
    return ([box] for box in page.boxes if wanted(box.character))


def _lines(page: Page, options: ScopeOptions, wanted: Wanted) -> Iterator[Boxes]:
    """Lines that have nothing but what is wanted: a label must say all that its image shows."""
    for line in lines_of(page, options.reading_order):
        if all(wanted(box.character) for box in line):
            yield line


def _pages(page: Page, options: ScopeOptions, wanted: Wanted) -> Iterator[Boxes]:
    if page.boxes and all(wanted(box.character) for box in page.boxes):
        yield page.boxes


def _sequences(page: Page, options: ScopeOptions, wanted: Wanted) -> Iterator[Boxes]:
    """Neighbours within a line, none in two sequences. Lengths depend on the seed and on the names of book and page."""
    least, most = options.seq_length
    generator = np.random.default_rng([options.seed, zlib.crc32(f"{page.book}/{page.name}".encode())])
    for line in lines_of(page, options.reading_order):
        for run in _runs(line, wanted):
            start = 0
            while len(run) - start >= least:
                length = min(int(generator.integers(least, most + 1)), len(run) - start)
                yield run[start : start + length]
                start += length


def _runs(line: Boxes, wanted: Wanted) -> Iterator[Boxes]:
    """The longest parts of a line in which all is wanted."""
    run = list[Box]()
    for box in line:
        if wanted(box.character):
            run.append(box)
        elif run:
            yield run
            run = []
    if run:
        yield run


SCOPES: dict[str, Callable[[Page, ScopeOptions, Wanted], Iterator[Boxes]]] = {
    "char": _characters,
    "seq": _sequences,
    "line": _lines,
    "page": _pages,
}


def neighbours(page: Page, cut: Rectangle, boxes: Boxes) -> list[Rectangle]:
    """The boxes of the page that overlap a rectangle and are none of `boxes`."""
    own = {id(box) for box in boxes}
    return [box.rectangle for box in page.boxes if id(box) not in own and box.rectangle.overlaps(cut)]
