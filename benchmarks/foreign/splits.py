"""A generator's images in parts: to train on, to test with, and without labels."""

from pathlib import Path

from benchmarks.foreign.images import read_rows, write_rows

TRAIN, TEST = 1500, 500
FILES = ("train.csv", "test.csv", "unlabelled.csv")


def write_splits(folder: Path) -> None:
    """Write train.csv, test.csv and unlabelled.csv beside the folder `all`, with paths from there.

    The first 1,500 images are to train on, the last 500 to test with; of fewer than 2,500, three fifths and one fifth.
    The images between have no labels in unlabelled.csv. The generator's images are independent, so their order is one
    as good as any.
    """
    rows = [(f"all/{image}", label) for image, label in read_rows(folder / "all" / "labels.csv")]
    train, test = min(TRAIN, 3 * len(rows) // 5), min(TEST, len(rows) // 5)
    write_rows(folder / "train.csv", [("image", "label"), *rows[:train]])
    write_rows(folder / "test.csv", [("image", "label"), *rows[len(rows) - test :]])
    between = [(image,) for image, _ in rows[train : len(rows) - test]]
    write_rows(folder / "unlabelled.csv", [("image",), *between])


def is_split(folder: Path) -> bool:
    return all((folder / name).exists() for name in FILES)
