"""A sample that is cut out of a page."""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

from ctc_ocr.datasets.samples import Sample
from ctc_ocr.errors import InputError
from ctc_ocr.pages.boxes import Rectangle
from ctc_ocr.pages.cutting import PAGES, CutSize, cut, encode

WHERE = re.compile(r"(?P<book>[^/]+)/(?P<page>.+?): (?P<boxes>.+)")


class Place(NamedTuple):
    """Where a sample is: book, page, and the ids of its boxes, "B0001 C0003" or "B0001 C0003 to B0001 C0005"."""

    book: str
    page: str
    boxes: str

    def __str__(self) -> str:
        return f"{self.book}/{self.page}: {self.boxes}"


def parse_place(where: str) -> Place | None:
    """The place that is `where` of a PageSample; None for that of another sample."""
    match = WHERE.fullmatch(where)
    return Place(*match.groups()) if match else None


@dataclass(frozen=True, slots=True)
class PageSample(Sample):
    """A part of a page; `image` is the path of the whole page, and `where` a Place.

    rectangle: what is cut, in pixels of the page. own: the boxes of the label's characters. masked: other boxes that
    are painted over with paper.
    """

    rectangle: Rectangle = Rectangle(0, 0, 1, 1)
    own: tuple[Rectangle, ...] = ()
    masked: tuple[Rectangle, ...] = ()
    size: CutSize = CutSize()

    @property
    def identity(self) -> Hashable | None:
        """Equal for samples that are cut out alike."""
        return self.image, self.rectangle, self.own, self.masked

    def read_bytes(self) -> bytes:
        """A PNG file. Raises InputError with `where` for a page that cannot be read or does not have the boxes, or
        boxes that no file can have."""
        try:
            return encode(cut(PAGES.read(self.image), self.rectangle, self.own, self.masked), self.size)
        except InputError as error:
            raise InputError(str(error), self.where) from None
