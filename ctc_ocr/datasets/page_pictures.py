"""Write pictures of pages with boxes, and one HTML page that shows them."""

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ctc_ocr.datasets.page_samples import PageSample
from ctc_ocr.datasets.samples import Problem, SourceOptions
from ctc_ocr.datasets.sources import DEFAULT_OPTIONS
from ctc_ocr.datasets.sources.pages import find_pages, page_samples, pages_and_problems, scope_options
from ctc_ocr.errors import InputError, RunError, check_kind
from ctc_ocr.images.files import read_image
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.pages.cutting import PAGES
from ctc_ocr.pages.drawing import draw_frequencies, draw_grid, draw_page
from ctc_ocr.pages.glyph_font import find_glyph_font
from ctc_ocr.pages.layout import Page
from ctc_ocr.pages.reading_order import lines_of
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.runtime.output_files import refuse_existing
from ctc_ocr.runtime.progress import Progress

GRID, FREQUENCIES, INDEX = "samples.png", "frequencies.png", "index.html"
SAMPLES, MAX_CLASSES = 12, 100  # of the grid: images of a class, and classes


@dataclass(frozen=True)
class PagePictures:
    """What write_page_pictures wrote: files, the font of the glyphs, how often each character of the samples occurs,
    and what could not be shown."""

    files: tuple[Path, ...]
    font: Path
    counts: Counter[str]
    invalid: tuple[Problem, ...] = ()

    @property
    def majority(self) -> tuple[str, float]:
        """The most frequent character and its fraction."""
        character, count = self.counts.most_common(1)[0]
        return character, count / self.counts.total()


def write_page_pictures(
    source: str | Path,
    folder: str | Path,
    options: SourceOptions = DEFAULT_OPTIONS,
    *,
    pages: Sequence[str] = (),
    font: str | Path | None = None,
    as_html: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> PagePictures:
    """Write BOOK-PAGE.png with boxes and glyphs for each page, samples.png with images of each class and
    frequencies.png; with `as_html`, index.html shows them.

    The boxes are those of the charset and in the lines of the reading order that the options name. pages: names of
    pages (empty: all). font: None for an installed one that has the characters. Raises InputError for a source that
    is not of pages, unknown pages, and files that exist, unless `overwrite`; RunError if there are no boxes.
    """
    check_kind("a path", source=source, folder=folder)
    books = find_pages(Path(source), options)
    if not books:
        raise InputError(
            "not pages with boxes: expected a folder with BOOK/images and BOOK/BOOK_coordinate.csv", source
        )
    found, problems = pages_and_problems(books, options.encoding)
    shown = _named(pages, found, source)
    samples = page_samples(shown, options)
    counts = Counter(unit for sample in samples for unit in sample.units)
    if not counts:
        raise RunError("no boxes of this charset", source)
    chosen = find_glyph_font(counts, font)
    pictures = [Path(folder, f"{page.book}-{page.name}.png") for page in shown]
    files = [*pictures, Path(folder, GRID), Path(folder, FREQUENCIES), *([Path(folder, INDEX)] if as_html else [])]
    refuse_existing(files, overwrite)
    for number, (page, path) in enumerate(zip(shown, pictures, strict=True), start=1):
        problems += _write_page(path, page, samples, options, chosen)
        if progress is not None:
            progress(number, len(shown))
    _save(draw_grid(_by_class(samples), chosen), Path(folder, GRID))
    _save(draw_frequencies(counts, chosen), Path(folder, FREQUENCIES))
    written = PagePictures(
        tuple(path for path in files if path.name == INDEX or path.is_file()), chosen, counts, tuple(problems)
    )
    if as_html:
        with replacing(Path(folder, INDEX)) as unfinished:
            unfinished.write_text(_html(written), encoding="utf-8")
    return written


def _named(names: Sequence[str], found: Sequence[Page], source: str | Path) -> list[Page]:
    """The pages of these names; all if there are none. Raises InputError for a name that no page has."""
    if unknown := sorted(set(names) - {page.name for page in found}):
        raise InputError(f"no page {unknown[0]!r}; there are {', '.join(page.name for page in found[:5])}, ...", source)
    return [page for page in found if not names or page.name in names]


def _write_page(
    path: Path, page: Page, samples: Sequence[PageSample], options: SourceOptions, font: Path
) -> list[Problem]:
    """Write the picture of a page; returns why not, if it cannot be read."""
    try:
        _save(_drawn(page, samples, options, font), path)
    except InputError as error:
        return [Problem.of(error)]
    return []


def _drawn(page: Page, samples: Sequence[PageSample], options: SourceOptions, font: Path) -> Image.Image:
    """A page with the boxes that samples have."""
    used = {rectangle for sample in samples if sample.image == str(page.image) for rectangle in sample.own}
    lines = [
        [box for box in line if box.rectangle in used] for line in lines_of(page, scope_options(options).reading_order)
    ]
    return draw_page(PAGES.read(str(page.image)), lines, font)


def _by_class(samples: Sequence[PageSample]) -> dict[str, list[Pixels]]:
    """Some images of each of the most frequent labels, one after the other from all pages."""
    labels = Counter(sample.label for sample in samples)
    found: dict[str, list[Pixels]] = {label: [] for label, _ in labels.most_common(MAX_CLASSES)}
    steps = {label: max(1, labels[label] // SAMPLES) for label in found}
    seen = Counter[str]()
    for sample in samples:
        label = sample.label
        if label in found and len(found[label]) < SAMPLES:
            if seen[label] % steps[label] == 0:
                try:
                    found[label].append(read_image(sample.read_bytes(), sample.where, channels=3))
                except InputError:  # is reported with its page, or as a box outside of it
                    continue
            seen[label] += 1
    return found


def _save(image: Image.Image, path: Path) -> None:
    with replacing(path, sync=False) as unfinished:
        image.save(unfinished, format="PNG")


def _html(written: PagePictures) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(character)}<td>{count}<td>{count / written.counts.total():.2%}</tr>\n"
        for character, count in written.counts.most_common()
    )
    pictures = "".join(
        f"<h2>{html.escape(path.stem)}</h2>\n<img src='{html.escape(path.name, quote=True)}' loading='lazy' alt=''>\n"
        for path in written.files
        if path.suffix == ".png"
    )
    character, share = written.majority
    return (
        "<!doctype html>\n<meta charset='utf-8'>\n<title>Pages</title>\n"
        "<style>body { font-family: sans-serif; margin: 2em } img { max-width: 100% } td { padding: 0 1em }</style>\n"
        f"<p>{written.counts.total()} characters of {len(written.counts)} kinds. The most frequent is "
        f"{html.escape(character)}, {share:.2%}.</p>\n{pictures}"
        f"<h2>Frequencies</h2>\n<table>\n{rows}</table>\n"
    )
