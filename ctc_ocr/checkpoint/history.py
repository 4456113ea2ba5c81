"""PREFIX-history.csv: losses, accuracies and duration of each epoch of a run, one row per epoch. No MXNet."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

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
    validation_samples: int = 0  # 0: not known, in the histories of version 0.2

    @property
    def num_wrong(self) -> float:
        """Validation samples whose text was not read."""
        return (1 - self.validation_accuracy) * self.validation_samples


COLUMNS = tuple(each.name for each in fields(Row))
LOSS_FACTOR, LOSS_MARGIN = 1.5, 0.05  # nats per sample: overfitting raises the loss long before more texts are wrong
ONE_SAMPLE = 3.0  # nats, about the loss of a wrong one: the mean over few samples differs by less than one by chance
FALLEN = 0.05  # of the highest learning rate: a lower one has fallen to nothing


def rank(cer: float, loss: float) -> tuple[float, float]:
    """A key that sorts validations, the best first: by CER, and where it is equal by loss. NaN comes last.

    The loss orders epochs within the all-blank plateau, where every CER is 1.
    """
    return (math.inf if math.isnan(cer) else cer, math.inf if math.isnan(loss) else loss)


def best_row(rows: Sequence[Row]) -> Row:
    """The row of the epoch that is used: of at least one row, the first by rank; but a later one whose learning rate
    had fallen to nothing, if its validation is not clearly worse.

    Weights read other images better once the rate has fallen, and which of the epochs before it was the best of few
    validation images is mostly chance.
    """
    best = min(rows, key=lambda row: rank(row.validation_cer, row.validation_loss))
    low = FALLEN * max(row.learning_rate for row in rows)
    later = (row for row in reversed(rows) if row.epoch > best.epoch and row.learning_rate <= low)
    return next((row for row in later if _is_as_good(row, best)), best)


def _is_as_good(row: Row, best: Row) -> bool:
    """Whether chance explains that more samples are wrong (McNemar's test, as if no sample were wrong in both, at one
    standard error), and the loss is not much higher. False if the number of samples is not known."""
    if row.validation_samples == 0 or row.validation_samples != best.validation_samples:
        return False
    more, all_wrong = row.num_wrong - best.num_wrong, row.num_wrong + best.num_wrong
    margin = max(LOSS_MARGIN, ONE_SAMPLE / row.validation_samples)
    return more <= math.sqrt(all_wrong) + 1e-6 and row.validation_loss <= LOSS_FACTOR * best.validation_loss + margin


def row_of(values: Sequence[Any]) -> Row:
    """The row of its values, in the order of the columns; those of version 0.2 lack the last one. Raises TypeError or
    ValueError for others."""
    epoch, samples, *others = values
    seconds, rate, *measures = map(float, others[:8])
    train_loss, train_accuracy, train_cer, loss, accuracy, cer = measures
    (count,) = others[8:] or (0,)
    return Row(
        int(epoch), int(samples), seconds, rate, train_loss, train_accuracy, train_cer, loss, accuracy, cer, int(count)
    )  # fmt: skip


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
    if tuple(header) not in (COLUMNS, COLUMNS[:-1]):
        raise InputError(f"expected the columns {', '.join(COLUMNS)}", f"{where}, row 1")
    return [_row(f"{where}, row {number}", values, len(header)) for number, values in enumerate(body, start=2)]


def _row(where: str, values: Sequence[str], count: int) -> Row:
    try:
        if len(values) != count:
            raise ValueError
        return row_of(values)
    except (ValueError, TypeError):
        raise InputError(f"expected {count} numbers, got {','.join(values)!r}", where) from None
