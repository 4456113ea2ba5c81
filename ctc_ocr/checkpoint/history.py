"""PREFIX-history.csv: what each epoch of a run cost and brought, one row an epoch."""

import csv
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.atomic_files import replacing


@dataclass(frozen=True)
class Row:
    """One epoch. Losses are nats a sample, accuracies shares of samples, CER edits a unit of the labels."""

    epoch: int  # the number of its checkpoint: the first is 1
    samples: int  # trained on since the run began
    seconds: float  # of this epoch's training, without validation
    learning_rate: float  # of the epoch's last step
    train_loss: float
    train_accuracy: float
    train_cer: float
    validation_loss: float
    validation_accuracy: float
    validation_cer: float


COLUMNS = tuple(each.name for each in fields(Row))


def rank(cer: float, loss: float) -> tuple[float, float]:
    """What orders validations, the better first: the lower CER, and of equal ones the lower loss.

    The loss tells runs apart that still read nothing. What is not a number comes last.
    """
    return (math.inf if math.isnan(cer) else cer, math.inf if math.isnan(loss) else loss)


def path_of(prefix: str | Path) -> Path:
    """The file of the run under a prefix."""
    return Path(f"{prefix}-history.csv")


def write(prefix: str | Path, rows: Sequence[Row]) -> None:
    """Replace the run's history. Raises RunError if the disk refuses."""
    with replacing(path_of(prefix)) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(map(astuple, rows))


def read(prefix: str | Path) -> list[Row]:
    """The run's history; empty if it has none. Raises InputError that names the file and row of what is no history."""
    path = path_of(prefix)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *body = csv.reader(file)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(str(error.strerror), path) from None
    except (ValueError, csv.Error):
        raise InputError("not the history of a run", path) from None
    if tuple(head) != COLUMNS:
        raise InputError(f"{path}, row 1: expected the columns {', '.join(COLUMNS)}")
    return [_row(f"{path}, row {number}", values) for number, values in enumerate(body, start=2)]


def _row(where: str, values: Sequence[str]) -> Row:
    try:
        epoch, samples, *others = values
        return Row(int(epoch), int(samples), *map(float, others))
    except (ValueError, TypeError):
        raise InputError(f"expected {len(COLUMNS)} numbers, got {','.join(values)!r}", where) from None
