"""The form of a CSV file of labelled images, and what a row of it says."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.datasets.csv_files.columns import MAX_SHOWN, Columns
from ctc_ocr.datasets.csv_files.fields import parse_row
from ctc_ocr.datasets.csv_files.layout import Layout, find_layout
from ctc_ocr.datasets.csv_files.units import SPLITTER, is_split
from ctc_ocr.datasets.samples import SourceOptions
from ctc_ocr.errors import InputError

NEARLY_ALL = 0.9  # of the rows: so many say what is true of all columns; the others are bad rows


@dataclass(frozen=True)
class Labelled:
    """A row: its path as it is written, its label, and the status of a prediction ("": it has none)."""

    path: str
    label: str
    status: str


@dataclass(frozen=True)
class Form:
    """How the rows of a file are written.

    `image`, `label`, `status` are indices of columns, of `width`. `trailing`: rows may end with empty fields beyond
    these. An empty splitter: each character of the label is a unit. Rows start at the number `first`, from 1.
    """

    encoding: str
    delimiter: str
    splitter: str
    width: int
    trailing: bool
    image: int
    label: int
    status: int | None
    first: int
    description: str

    def parse(self, line: str) -> Labelled:
        """Raises ValueError for a row of another form."""
        fields = parse_row(line, self.delimiter, self.encoding)
        if self.trailing and not any(fields[self.width :]):
            fields = fields[: self.width]
        # Spreadsheets leave out empty fields at the end of a row.
        if not max(self.image, self.label) < len(fields) <= self.width:
            hint = f"; a field that contains {self.delimiter!r} must be quoted" if len(fields) > self.width else ""
            raise ValueError(f"expected {self.width} fields separated by {self.delimiter!r}, got {len(fields)}{hint}")
        if not fields[self.image]:
            raise ValueError("no path")
        status = fields[self.status] if self.status is not None and self.status < len(fields) else ""
        return Labelled(fields[self.image], fields[self.label], status)


def find_form(path: Path, options: SourceOptions) -> Form:
    """Raises InputError for a file that cannot be read, whose rows have one field each, or of which it is open which
    columns have image and label."""
    layout = find_layout(path, options)
    if layout.rows and all(len(row) == 1 for row in layout.rows):
        raise _only_one_field(layout, options).within(path)
    width, trailing = _width(layout, is_named=options.image_column is not None or options.label_column is not None)
    columns = Columns(layout.header, width, [row[:width] for row in layout.rows if _fits(row, width, trailing)])
    try:
        image = columns.image(options.image_column, options.label_column)
        label = columns.label(options.label_column, image, options.splitter)
    except InputError as error:
        raise error.within(path) from None
    splitter = options.splitter
    if splitter is None:
        splitter = _splitter(layout, [row[label] for row in columns.rows])
    return Form(
        encoding=layout.encoding,
        delimiter=layout.delimiter,
        splitter=splitter,
        width=width,
        trailing=trailing,
        image=image,
        label=label,
        status=layout.header.status if layout.header else None,
        first=layout.first,
        description=_description(layout, columns, image, label, splitter),
    )


def _only_one_field(layout: Layout, options: SourceOptions) -> InputError:
    by = repr(layout.delimiter)
    hint = "" if options.delimiter is not None else "; --delimiter (delimiter in Python) names another delimiter"
    if hint and layout.header:
        by += " as in the header"
    field = layout.rows[0][0][:MAX_SHOWN]
    return InputError(f"expected rows of an image and a label, separated by {by}, got one field: {field!r}{hint}")


def _fits(row: list[str], width: int, trailing: bool) -> bool:
    return len(row) == width or trailing and len(row) > width and not any(row[width:])


def _width(layout: Layout, is_named: bool) -> tuple[int, bool]:
    """The number of columns, and whether empty fields may follow them.

    Without a header there are more than two columns only if nearly all rows have them. One row says nothing: its label
    may contain the delimiter. `is_named`: a column is named by an option, so the rows are not guessed to have two.
    """
    rows = layout.rows
    if layout.header:
        return _width_of_header(layout.header.names, rows)
    length, count = Counter(map(len, rows)).most_common(1)[0] if rows else (2, 0)
    if is_named:
        return max(2, length), False
    if count < NEARLY_ALL * len(rows):
        return 2, False
    width = max(2, length)
    while width > 2 and _nearly_all([not row[width - 1] for row in rows if len(row) == length]):
        width -= 1
    return (2, False) if width > 2 and len(rows) == 1 else (width, width < length)


def _width_of_header(names: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[int, bool]:
    """Without columns at the end that have neither a name nor anything else. A third one without a name is none: what
    is in it is a piece of a label with a delimiter."""
    width = len(names)
    while width > 2 and not names[width - 1] and (width == 3 or not any(any(row[width - 1 :]) for row in rows)):
        width -= 1
    followed = _nearly_all([len(row) > width and not any(row[width:]) for row in rows])
    return max(2, width), followed or width < len(names)


def _nearly_all(true: list[bool]) -> bool:
    return sum(true) >= NEARLY_ALL * len(true) and any(true)


def _splitter(layout: Layout, labels: list[str]) -> str:
    """The header's, or else the usual one if most labels are split by it."""
    if layout.header and (layout.header.splitter or layout.header.is_plain):
        return layout.header.splitter
    separated = sum(is_split(label, SPLITTER) for label in labels)
    return SPLITTER if layout.delimiter != SPLITTER and 2 * separated > len(labels) else ""


def _description(layout: Layout, columns: Columns, image: int, label: int, splitter: str) -> str:
    """Such as: delimiter ',', each character a unit."""
    parts = []
    if (columns.width, image, label) != (2, 0, 1):
        parts.append(f"images in {columns.describe(image)}, labels in {columns.describe(label)}")
    parts.append(f"delimiter {layout.delimiter!r}")
    parts.append(f"units separated by {splitter!r}" if splitter else "each character a unit")
    if layout.encoding != "utf-8":
        parts.append(layout.encoding.upper())
    return ", ".join(parts)
