"""labels.csv: which text each image of a folder shows. Columns `image` (path beside the file) and `label`."""

import csv
from collections.abc import Iterable
from pathlib import Path

LABELS_FILE = "labels.csv"
HEADER = ("image", "label")


def write_labels(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write (image, label) rows as UTF-8 under the header. The file appears whole or, if rows raises, not at all."""
    unfinished = path.with_name(path.name + ".part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADER)
            writer.writerows(rows)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
