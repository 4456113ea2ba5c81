"""PREFIX-history.csv: losses, accuracies and duration of each epoch of a run, one row per epoch. No MXNet."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.atomic_files import replace_content
from ctc_ocr.runtime.input_files import read_bytes
from ctc_ocr.runtime.text_files import parse_text


@dataclass(frozen=True)
class Row:
    """One epoch. Losses are in nats per sample, accuracies are 0 to 1, CER is edits per unit of the labels."""

    epoch: int  # the number of its checkpoint: the first is 1
    samples: int  # trained on since the run began
    seconds: float  # of this epoch's training, without validation
    learning_rate: float  # of the epoch's last update
    train_loss: float
    train_accuracy: float
    train_cer: float
    validation_loss: float
    validation_accuracy: float
    validation_cer: float


COLUMNS = tuple(each.name for each in fields(Row))


def rank(cer: float, loss: float) -> tuple[float, float]:
    """A key that sorts validations, the best first: by CER, and where it is equal by loss. NaN comes last.

    The loss orders epochs within the all-blank plateau, where every CER is 1.
    """
    return (math.inf if math.isnan(cer) else cer, math.inf if math.isnan(loss) else loss)


def history_path(prefix: str | Path) -> Path:
    return Path(f"{prefix}-history.csv")


def write(prefix: str | Path, rows: Sequence[Row]) -> None:
    """Replace the run's history. Raises RunError if it cannot be written."""
    replace_content(history_path(prefix), _content(rows))


def read(prefix: str | Path) -> list[Row]:
    """The run's history; empty if the file does not exist. Raises InputError that names the file and row if it is
    broken."""
    path = history_path(prefix)
    return _parse(read_bytes(path), path) if path.exists() else []


def row_of_epoch(content: bytes, where: Path, epoch: int) -> bytes | None:
    """The content of a history with this epoch alone; None if it is not in it. Raises InputError as read, with `where`
    as the file's name."""
    rows = [row for row in _parse(content, where) if row.epoch == epoch]
    return _content(rows[-1:]) if rows else None


def _content(rows: Sequence[Row]) -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(map(astuple, rows))
    return text.getvalue().encode()


def _parse(content: bytes, where: Path) -> list[Row]:
    try:
        header, *body = csv.reader(io.StringIO(parse_text(content, where), newline=""))
    except (ValueError, csv.Error):
        raise InputError("not the history of a run", where) from None
    if tuple(header) != COLUMNS:
        raise InputError(f"expected the columns {', '.join(COLUMNS)}", f"{where}, row 1")
    return [_row(f"{where}, row {number}", values) for number, values in enumerate(body, start=2)]


def _row(where: str, values: Sequence[str]) -> Row:
    try:
        epoch, samples, *others = values
        return Row(int(epoch), int(samples), *map(float, others))
    except (ValueError, TypeError):
        raise InputError(f"expected {len(COLUMNS)} numbers, got {','.join(values)!r}", where) from None
