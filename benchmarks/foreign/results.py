"""The figures of runs as a CSV file that grows by a row with each, and as a table."""

import csv
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, overload

from benchmarks.own_images.common import table
from ctc_ocr.errors import InputError


@dataclass(frozen=True)
class Row:
    """One run. init_from: the flag of the training, or default without it; labels and epoch are 0 for a model as it is.

    accuracy: the fraction of the test images whose whole text is correct, in letters of the right case. cer: edits per
    character. minutes: of the training, its start included. commit: what was measured, with -dirty if files differ.
    """

    generator: str
    labels: int
    seed: int
    init_from: str
    accuracy: float
    cer: float
    minutes: float
    epoch: int
    commit: str

    @property
    def run(self) -> tuple[str, int, int, str]:
        """What makes it another run than the others of a file."""
        return self.generator, self.labels, self.seed, self.init_from

    @property
    def figures(self) -> str:
        """In words."""
        return f"accuracy {self.accuracy:.3f}, {self.minutes:.1f} minutes"


COLUMNS = tuple(each.name for each in fields(Row))
Kind = TypeVar("Kind")  # a dataclass of strings and numbers


def append(path: Path, row: Any) -> None:
    """Add the row, a dataclass, to the file, and the header to a new one."""
    new = not path.exists() or not path.stat().st_size
    head = [tuple(each.name for each in fields(row))] if new else []
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([*head, astuple(row)])


@overload
def read(path: Path) -> list[Row]: ...


@overload
def read(path: Path, kind: type[Kind]) -> list[Kind]: ...


def read(path: Path, kind: type[Any] = Row) -> list[Any]:
    """The file's rows; none without a file. Raises InputError with file and row if it was not written by `append`."""
    columns = [each.name for each in fields(kind)]
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        head, *lines = list(csv.reader(file)) or [columns]
    if head != columns:
        raise InputError(f"expected the columns {', '.join(columns)}", path)
    return [_row(kind, values, f"{path}: row {number}") for number, values in enumerate(lines, 2)]


def _row(kind: type[Kind], values: list[str], where: str) -> Kind:
    try:
        types: list[Any] = [each.type for each in fields(kind)]  # type: ignore[arg-type]
        return kind(*(of(value) for of, value in zip(types, values, strict=True)))
    except ValueError as error:
        raise InputError(str(error), where) from None


def summary(rows: Sequence[Row]) -> str:
    """A Markdown table: for each generator the accuracy, the mean over its seeds, in a column for each number of labels
    and each model to begin with; below, mean and minimum over the generators."""
    cells: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        cells[row.init_from, row.labels][row.generator].append(row.accuracy)
    columns = sorted(cells, key=lambda column: (column[1] > 0, column))  # models as they are come first
    means = {column: {name: statistics.fmean(found) for name, found in cells[column].items()} for column in columns}
    names = dict.fromkeys(row.generator for row in rows)
    lines = [(name, *(_shown(means[column].get(name)) for column in columns)) for name in names]
    for title, of in (("mean", statistics.fmean), ("minimum", min)):
        lines.append((f"**{title}**", *(_shown(of(list(means[column].values()))) for column in columns)))
    return table(("generator", *map(_title, columns)), lines)


def _title(column: tuple[str, int]) -> str:
    init_from, labels = column
    begun = "" if init_from == "default" else f", from {init_from}"
    return f"{labels} labels{begun}" if labels else f"untrained{begun}"


def _shown(accuracy: float | None) -> str:
    return "-" if accuracy is None else f"{accuracy:.3f}"
