"""Books in a folder: BOOK_coordinate.csv with the boxes, and the pages in a folder `images` beside it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.images.files import SUFFIXES
from ctc_ocr.pages.boxes import Box
from ctc_ocr.pages.tables import read_table

TABLE_END = "_coordinate.csv"
IMAGES = "images"
MAX_BOXES = 5000  # of a page: ten times as many as on the fullest ones, and lines are found in seconds


@dataclass(frozen=True)
class Book:
    """A table of boxes, and the folder of its pages. `name` is what stands before _coordinate.csv."""

    name: str
    table: Path

    @property
    def images(self) -> Path:
        return self.table.parent / IMAGES


@dataclass(frozen=True)
class Page:
    """A page of a book with its boxes in the order of the table."""

    book: str
    name: str
    image: Path
    boxes: list[Box] = field(default_factory=list)


def find_books(folder: Path) -> list[Book]:
    """The books of a folder, which is that of one book, or has one in each subfolder; sorted by their tables. Tables
    without a folder of images beside them are passed over. Raises InputError for a folder that cannot be read."""
    try:
        places = [folder, *sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))]
        tables = [path for place in places for path in sorted(place.glob(f"*{TABLE_END}"))]
    except OSError as error:
        raise InputError(error.strerror or str(error), folder) from None
    books = [Book(path.name.removesuffix(TABLE_END), path) for path in tables if path.is_file()]
    return [book for book in books if book.images.is_dir()]


def read_book(book: Book, encoding: str | None = None) -> Iterator[Page | InputError]:
    """The pages of a book in the order of its table; an InputError for each bad row, and for each row whose page has
    no image. Raises InputError for a table that cannot be read."""
    images = _images(book)
    pages: dict[str, Page] = {}
    for row in read_table(book.table, encoding):
        if isinstance(row, InputError):
            yield row
            continue
        name, box, where = row
        if name not in images:
            yield InputError(f"no image {name[:100]!r} in {book.images}", where)
            continue
        image = images[name]
        page = pages.setdefault(image.name, Page(book.name, image.stem, image))
        if len(page.boxes) < MAX_BOXES:
            page.boxes.append(box)
        else:
            yield InputError(f"more than {MAX_BOXES} boxes on the page {page.name}", where)
    yield from pages.values()


def _images(book: Book) -> dict[str, Path]:
    """{name: path}, with and without the suffix, since tables have either."""
    try:
        paths = sorted(path for path in book.images.iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise InputError(error.strerror or str(error), book.images) from None
    return {path.stem: path for path in paths} | {path.name: path for path in paths}
