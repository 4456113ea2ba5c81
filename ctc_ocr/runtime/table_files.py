"""Tables: CSV files with a header, replaced as a whole."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ctc_ocr.runtime.atomic_files import replacing

WriteRow = Callable[[Sequence[Any]], Any]


@contextmanager
def replacing_table(path: Path, columns: Sequence[str]) -> Iterator[WriteRow]:
    """A function that writes a row. The file replaces `path` once all rows are written.

    It is in UTF-8, but for file names that are not: their bytes stay as they are. Raises RunError if it cannot be
    written.
    """
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        yield table.writerow
