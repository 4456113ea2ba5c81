"""A page with what a model reads on it: each character where it was found."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from ctc_ocr.datasets.page_samples import PageSample, parse_place
from ctc_ocr.datasets.samples import Problem, Sample
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.pages.boxes import Box, Rectangle
from ctc_ocr.pages.cutting import PAGES
from ctc_ocr.pages.drawing import draw_page

if TYPE_CHECKING:
    from ctc_ocr.inference.prediction import Character
    from ctc_ocr.inference.predictor import Predictor


def draw_readings(
    predictor: "Predictor", rows: Iterable[Sample | Problem], page: str, font: str | Path
) -> Image.Image:  # fmt: skip
    """A page as an RGB image: the samples of a source of pages that are on it, read, with each character in the font
    beside the place where the model found it. A sample has a colour of its own. page: PAGE, or BOOK/PAGE.

    The samples are as large as on the page: no `cut_size`. Raises InputError if the source has no page of this name
    with samples, or several, and for an image that cannot be read.
    """
    samples = list(_on_page(rows, page))
    if not samples:
        raise InputError(f"no samples on a page {page!r}", "page")
    books = sorted({place.book for each in samples if (place := parse_place(each.where)) is not None})
    if len(books) > 1:
        raise InputError(f"several books have a page {page!r}: {', '.join(books)}; write {books[0]}/{page}", "page")
    images: list[Pixels] = [read_image(each.read_bytes(), each.place, 3) for each in samples]
    predictions = predictor.predict(images)
    lines = [_boxes(sample, reading.characters or []) for sample, reading in zip(samples, predictions, strict=True)]
    return draw_page(PAGES.read(samples[0].image), lines, font)


def _on_page(rows: Iterable[Sample | Problem], page: str) -> Iterator[PageSample]:
    for row in rows:
        if isinstance(row, PageSample):
            place = parse_place(row.where)
            if place is not None and page in (place.page, f"{place.book}/{place.page}"):
                yield row


def _boxes(sample: PageSample, characters: "Sequence[Character]") -> list[Box]:
    """The characters of a reading, on the page. Samples are not resized, see `draw_readings`."""
    left, top, right, bottom = sample.rectangle
    found = []
    for each in characters:
        if each.top is not None and each.bottom is not None:
            place = Rectangle(left, top + round(each.top), right, top + round(each.bottom))
        elif each.left is not None and each.right is not None:
            place = Rectangle(left + round(each.left), top, left + round(each.right), bottom)
        else:
            place = sample.rectangle
        found.append(Box(each.unit, place))
    return found
