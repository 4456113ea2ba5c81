"""Cut pages with boxes into an image folder, whose labels.csv says where on its page each image was."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.datasets.labels_csv import HEADER, LABELS_FILE
from ctc_ocr.datasets.page_samples import PageSample, parse_place
from ctc_ocr.datasets.samples import Problem, Rows, Sample, SourceOptions
from ctc_ocr.datasets.sources import DEFAULT_OPTIONS, not_empty, open_source
from ctc_ocr.errors import InputError, RunError, check_kind
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.runtime.home_folder import refuse_tilde
from ctc_ocr.runtime.progress import Progress
from ctc_ocr.runtime.thread_map import in_threads

COLUMNS = (*HEADER, "book", "page", "boxes", "x", "y", "width", "height")
MAX_NAME = 80  # characters of the name of a folder or a file, without its suffix
# Groups of images that were cut, for SplitOptions.group: a page is BOOK/PAGE.
GROUPS = {"page": r"(?P<group>[^/]+/[^/]+)/[^/]+$", "book": r"(?P<group>[^/]+)/[^/]+/[^/]+$"}


@dataclass(frozen=True)
class Cut:
    """What cut_pages wrote: the file of labels, the number of images, and what could not be cut."""

    labels: Path
    num_samples: int
    invalid: tuple[Problem, ...] = ()


def cut_pages(
    source: str | Path,
    folder: str | Path,
    options: SourceOptions = DEFAULT_OPTIONS,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Cut:
    """Write FOLDER/BOOK/PAGE/BOX.png for each sample of pages with boxes, and FOLDER/labels.csv with the columns of
    COLUMNS: x, y, width and height are those of what was cut, in pixels of the page.

    Images are cut by as many threads as there are cores. overwrite: the images of an earlier cut are removed first.
    progress: called with the number of images that are cut, and of all. Raises InputError for a source that is not of
    pages and for a folder that is not empty, RunError if nothing could be cut or a file cannot be written.
    """
    check_kind("a path", folder=folder)
    folder = Path(folder)
    rows = open_source(source, options)
    _require_one(rows, source)
    _prepare(folder, overwrite)
    problems, written = list[Problem](), list[tuple[str, PageSample]]()
    for row in _reported(_cut(rows, source, folder), rows, progress):
        if isinstance(row, Problem):
            problems.append(row)
        else:
            written.append(row)
    if not written:
        raise _none_of(problems, source)
    labels = folder / LABELS_FILE
    with replacing(labels) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_row(name, sample) for name, sample in written)
    return Cut(labels, len(written), tuple(problems))


def _require_one(rows: Rows, source: str | Path) -> None:
    """Raises InputError or RunError if there is nothing to cut: before what was cut earlier is removed."""
    problems = list[Problem]()
    for _, row in _named(not_empty(rows, source), source):
        if not isinstance(row, Problem):
            return
        problems.append(row)
    raise _none_of(problems, source)


def _none_of(problems: list[Problem], source: str | Path) -> RunError:
    return RunError(f"none of its {len(problems)} samples can be cut; the first: {problems[0]}", source)


def _cut(rows: Rows, source: str | Path, folder: Path) -> Iterator[tuple[str, PageSample] | Problem]:
    """The name of each image that was written, with its sample, in the order of the source."""

    def cut(named: tuple[str, PageSample | Problem]) -> tuple[str, PageSample] | Problem:
        name, row = named
        return row if isinstance(row, Problem) else _write(name, row, folder)

    return in_threads(cut, _named(not_empty(rows, source), source))


def _named(rows: Iterable[Sample | Problem], source: str | Path) -> Iterator[tuple[str, PageSample | Problem]]:
    """Samples with names of their own, BOOK/PAGE/BOX.png: a table may have the same ids twice, or any text as an id."""
    used = dict[str, int]()  # names, and how often each was wanted
    for row in rows:
        if isinstance(row, Problem):
            yield "", row
            continue
        place = parse_place(row.where)
        if not isinstance(row, PageSample) or place is None:
            raise InputError(
                "not pages with boxes: expected a folder with BOOK/images and BOOK/BOOK_coordinate.csv", source
            )
        name = "/".join(re.sub(r"[^\w-]+", "_", part)[:MAX_NAME] for part in place)
        numbered = name
        while numbered in used:
            used[name] += 1
            numbered = f"{name}-{used[name]}"
        used[numbered] = 1
        yield f"{numbered}.png", row


def _write(name: str, sample: PageSample, folder: Path) -> tuple[str, PageSample] | Problem:
    try:
        image = sample.read_bytes()
    except InputError as error:
        return Problem.of(error)
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image)
    except OSError as error:
        raise RunError(f"cannot be written: {error.strerror}", path) from None
    return name, sample


def _row(name: str, sample: PageSample) -> tuple[str | int, ...]:
    place, part = parse_place(sample.where), sample.rectangle
    assert place is not None
    return name, sample.label, *place, part.left, part.top, part.width, part.height


def _reported(
    found: Iterator[tuple[str, PageSample] | Problem], rows: Rows, progress: Progress | None
) -> Iterator[tuple[str, PageSample] | Problem]:
    for number, row in enumerate(found, start=1):
        yield row
        if progress is not None:
            progress(number, rows.total)


def _prepare(folder: Path, overwrite: bool) -> None:
    """Make the folder. One that is not empty is refused, or the images that its labels.csv names are removed."""
    refuse_tilde(folder)
    labels = folder / LABELS_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            if not overwrite or not labels.is_file():
                hint = ", or replace it with --overwrite" if labels.is_file() else ""
                raise InputError(f"is not empty: use another folder{hint}", folder)
            for path in _images_of(labels):
                path.unlink(missing_ok=True)
            labels.unlink()
    except OSError as error:
        raise InputError(f"not a folder that can be written to ({error.strerror})", folder) from None


def _images_of(labels: Path) -> list[Path]:
    """The images that an earlier cut wrote, none of them outside of its folder. Raises InputError for another file."""
    try:
        with labels.open(encoding="utf-8", newline="") as file:
            header, *rows = [tuple(row) for row in csv.reader(file)] or [()]
    except (csv.Error, UnicodeDecodeError):  # not even a CSV file in UTF-8
        header, rows = (), []
    if header != COLUMNS:
        raise InputError("was not written by this command: use another folder", labels)
    names = [row[0] for row in rows if row]
    return [labels.parent / name for name in names if re.fullmatch(r"[\w-]+/[\w-]+/[\w-]+\.png", name)]
