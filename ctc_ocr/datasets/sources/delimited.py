"""CSV files: a path and a label in each row, among other columns. How they are read is in datasets/csv_files/."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ctc_ocr.datasets.csv_files.fields import is_empty_row
from ctc_ocr.datasets.csv_files.form import Form, Labelled, find_form
from ctc_ocr.datasets.csv_files.paths import locate
from ctc_ocr.datasets.csv_files.text import read_lines
from ctc_ocr.datasets.csv_files.units import split_units
from ctc_ocr.datasets.samples import Problem, Rows, Sample, SourceOptions
from ctc_ocr.errors import InputError

NOT_READ = ("rejected", "unreadable")  # values of the status of predictions without a text


def read_delimited(path: Path, options: SourceOptions) -> Rows:
    """Samples of a CSV file; relative paths start from its folder.

    Predictions that were rejected are skipped, and counted in the form, until somebody has filled in their text. Raises
    InputError for a file that is not text, and if it is open which columns have image and label.
    """
    form = find_form(path, options)
    total, rows, skipped = _count(path, form)
    if skipped and skipped.total() == rows:
        raise InputError(f"no row has a text: {_shown(skipped)}. Fill in the texts that are to be labels", path)

    def read() -> Iterator[Sample | Problem]:
        for number, line in enumerate(read_lines(path, form.encoding), start=1):
            if number < form.first or is_empty_row(line, form.delimiter):
                continue
            row = _row(path, number, line, form, options.unicode_form)
            if row is not None:
                yield row

    note = f"; skipped: {_shown(skipped)}" if skipped else ""
    return Rows(f"{path} ({form.description}){note}", total, read)


def _row(path: Path, number: int, line: str, form: Form, unicode_form: str) -> Sample | Problem | None:
    """None for a prediction without a text."""
    where = f"{path}, row {number}"
    try:
        row = form.parse(line)
        if _is_skipped(row):
            return None
        units = split_units(row.label, form.splitter, unicode_form)
        return Sample(str(locate(path.parent, row.path)), units, where)
    except ValueError as error:
        return Problem(where, str(error))


def _is_skipped(row: Labelled) -> bool:
    """A text in a row that was rejected has been filled in since."""
    return not row.label and _status(row) in NOT_READ


def _status(row: Labelled) -> str:
    return row.status.strip().lower()


def _count(path: Path, form: Form) -> tuple[int, int, Counter[str]]:
    """The numbers of all lines, of rows below the header, and of those rows that are skipped, by their status."""
    total, rows, skipped = 0, 0, Counter[str]()
    for total, line in enumerate(read_lines(path, form.encoding), start=1):
        if total < form.first or is_empty_row(line, form.delimiter):
            continue
        rows += 1
        if form.status is None:
            continue
        try:
            row = form.parse(line)
        except ValueError:
            continue
        if _is_skipped(row):
            skipped[_status(row)] += 1
    return total, rows, skipped


def _shown(skipped: Counter[str]) -> str:
    """Such as: 3 rejected, 1 unreadable."""
    return ", ".join(f"{skipped[status]} {status}" for status in NOT_READ if skipped[status])
