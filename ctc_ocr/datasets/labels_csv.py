"""labels.csv: the labels of the images in its folder. Columns `image` (path from that folder) and `label`."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.runtime.input_files import MAX_TEXT_BYTES, check_size

LABELS_FILE = "labels.csv"
HEADER = ("image", "label")


def write_labels(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write (image, label) rows as UTF-8, with the header. If `rows` raises, no file is written.

    Raises RunError if the file cannot be written.
    """
    with replacing(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows)


def read_labels(path: Path) -> dict[str, str]:
    """{image: label} of a file that write_labels wrote. Raises InputError that names file and row."""
    labels: dict[str, str] = {}
    check_size(path, MAX_TEXT_BYTES)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            # Strict: a quote that is never closed would swallow all rows after it.
            rows = csv.reader(_without_nul(file), strict=True)
            header = next(rows, [])
            if tuple(header) != HEADER:
                raise InputError(f"expected the header {','.join(HEADER)}, got {','.join(header)!r}", "row 1")
            for number, row in enumerate(rows, start=2):
                if len(row) != len(HEADER):
                    raise InputError(f"expected {len(HEADER)} fields, got {len(row)}", f"row {number}")
                labels[row[0]] = row[1]
    except InputError as error:
        raise error.within(path) from None
    except OSError as error:
        raise InputError(str(error.strerror), path) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"not a UTF-8 CSV file ({error})", path) from None
    return labels


def _without_nul(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if "\0" in line:
            raise InputError("contains a NUL byte: not a text file, or a damaged one", f"row {number}")
        yield line
