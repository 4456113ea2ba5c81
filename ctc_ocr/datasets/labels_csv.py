"""labels.csv: the labels of the images in its folder. Columns `image` (path from that folder) and `label`."""

import csv
from collections.abc import Iterable
from pathlib import Path

from ctc_ocr.runtime.atomic_files import replacing

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
