"""Pages with a box for each character: a folder of books, of which characters, sequences, lines or pages are cut."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from ctc_ocr.datasets.page_samples import PageSample, Place
from ctc_ocr.datasets.samples import PAGE_OPTIONS, Problem, Rows, Sample, SourceOptions
from ctc_ocr.errors import InputError
from ctc_ocr.pages.boxes import Rectangle
from ctc_ocr.pages.cutting import CutSize, with_margin
from ctc_ocr.pages.layout import Book, Page, find_books, read_book
from ctc_ocr.pages.scopes import Boxes, ScopeOptions, neighbours, samples_of


def find_pages(path: Path, options: SourceOptions) -> list[Book]:
    """The books of a folder in the layout of pages with boxes; none of any other source. With a pattern, a folder is
    one of names."""
    return find_books(path) if path.is_dir() and options.pattern is None else []


def read_pages(folder: Path, books: list[Book], options: SourceOptions) -> Rows:
    """A sample for each character, sequence, line or page, as the options say; a problem for each bad row of a table.

    Raises InputError for a table or options that cannot be used.
    """
    scope, size = scope_options(options), _size(options)
    pages, problems = pages_and_problems(books, options.encoding)
    found = list(samples_of(pages, scope))

    def read() -> Iterator[Sample | Problem]:
        yield from problems
        for page, boxes in found:
            yield _sample(page, boxes, options, size)

    form = (
        f"boxes on {len(pages)} pages of {len(books)} books in {folder}; scope {scope.scope}, charset {scope.charset}"
    )
    if scope.scope != "char":
        form += f", reading order {scope.reading_order}"
    return Rows(form, len(found) + len(problems), read)


def pages_and_problems(books: list[Book], encoding: str | None = None) -> tuple[list[Page], list[Problem]]:
    """The pages of books, and a problem for each bad row. Raises InputError for a table that cannot be read."""
    rows = [row for book in books for row in read_book(book, encoding)]
    pages = [row for row in rows if isinstance(row, Page)]
    return pages, [Problem.of(row) for row in rows if isinstance(row, InputError)]


def page_samples(pages: Sequence[Page], options: SourceOptions) -> list[PageSample]:
    """The samples of these pages. Raises InputError for options that cannot be used."""
    size = _size(options)
    return [_sample(page, boxes, options, size) for page, boxes in samples_of(pages, scope_options(options))]


def _size(options: SourceOptions) -> CutSize:
    """Raises InputError also for a margin that is not accepted."""
    if not 0 <= options.margin <= 1:
        raise InputError(f"expected a number from 0 to 1, got {options.margin:g}", "margin")
    return CutSize.parse(options.cut_size or "")


def scope_options(options: SourceOptions) -> ScopeOptions:
    """Those of the options that say what a sample is; what is not given is as ScopeOptions has it."""
    given = {
        "scope": options.scope,
        "charset": options.charset,
        "seq_length": options.seq_length,
        "min_frequency": options.min_frequency,
        "reading_order": options.reading_order,
        "seed": options.seq_seed,
    }
    return ScopeOptions(**{name: value for name, value in given.items() if value})  # type: ignore[arg-type]


def refuse_page_options(source: str | Path, options: SourceOptions) -> None:
    """Raises InputError if an option is given that has an effect on pages only."""
    defaults = {field.name: field.default for field in fields(SourceOptions)}
    if given := [name for name in PAGE_OPTIONS if getattr(options, name) != defaults[name]]:
        raise InputError(f"{', '.join(given)} has no effect on a source without pages with boxes", source)


def _sample(page: Page, boxes: Boxes, options: SourceOptions, size: CutSize) -> PageSample:
    own = tuple(box.rectangle for box in boxes)
    whole = Rectangle.around(own)
    widths = sorted(each.width for each in own)
    rectangle = with_margin(whole, options.margin, widths[len(widths) // 2])
    masked = tuple(neighbours(page, rectangle, boxes)) if options.mask_neighbours else ()
    names = [f"{box.block} {box.name}".strip() or f"{box.rectangle.left},{box.rectangle.top}" for box in boxes]
    shown = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
    units = tuple(box.character for box in boxes)
    return PageSample(
        str(page.image), units, str(Place(page.book, page.name, shown)), None, rectangle, own, masked, size
    )
