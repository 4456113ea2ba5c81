"""labels.csv: which text each image of a folder shows. Columns `image` (path beside the file) and `label`."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.atomic_files import replacing

LABELS_FILE = "labels.csv"
HEADER = ("image", "label")


def write_labels(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write (image, label) rows as UTF-8 under the header. The file appears whole or, if rows raises, not at all.

    Raises RunError where it cannot be written.
    """
    with replacing(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows)


def read_labels(path: Path) -> dict[str, str]:
    """{image: label} of a file that write_labels wrote. Raises InputError that names file and row."""
    labels: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(
                _refusing_nul(path, file), strict=True
            )  # a quote that is never closed would swallow all rows after it
            header = next(rows, [])
            if tuple(header) != HEADER:
                raise InputError(f"{path}, row 1: expected the header {','.join(HEADER)}, got {','.join(header)!r}")
            for number, row in enumerate(rows, start=2):
                if len(row) != len(HEADER):
                    raise InputError(f"{path}, row {number}: expected {len(HEADER)} fields, got {len(row)}")
                labels[row[0]] = row[1]
    except OSError as error:
        raise InputError(str(error.strerror), path) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"not a UTF-8 CSV file ({error})", path) from None
    return labels


def _refusing_nul(path: Path, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if "\0" in line:
            raise InputError(f"{path}, row {number}: a NUL byte in it: not a text file, or a damaged one")
        yield line
