"""CSV files of predictions: image, text, confidence and status. No MXNet."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ctc_ocr.runtime.atomic_files import replacing

HEADER = ("image", "text", "confidence", "status")
READ, REJECTED, UNREADABLE = "read", "rejected", "unreadable"  # values of `status`

Write = Callable[[str, str, float | None, str], None]


@contextmanager
def predictions_file(path: Path) -> Iterator[Write]:
    """A function that writes a row: image, text, confidence (None: empty) and status.

    The file is in UTF-8, and is replaced once all rows are written. Raises RunError if it cannot be written.
    """
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)

        def write(image: str, text: str, confidence: float | None, status: str) -> None:
            image = image.replace("\0", "\\x00")  # CSV readers reject NUL
            writer.writerow((image, text, "" if confidence is None else f"{confidence:.6f}", status))

        yield write
