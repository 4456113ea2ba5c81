"""The starter without any label, beside ddddocr on the same images: `python -m benchmarks.foreign.without_labels DIR`.

Both read the test images of each generator as they are. ddddocr, a pretrained reader of captchas, is installed in an
environment of its own below DIR.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.foreign import runs
from benchmarks.foreign.environments import DRIVERS, python_with
from benchmarks.foreign.generators import chosen
from benchmarks.foreign.images import read_rows
from benchmarks.foreign.measure import add_images, check_images
from benchmarks.own_images.common import table
from ctc_ocr.errors import InputError, RunError, UserError

PACKAGE = "ddddocr==1.6.1"


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 if a reader failed."""
    arguments = parser().parse_args(argv)
    folder: Path = arguments.folder.resolve()
    rows = []
    try:
        generators = chosen(arguments.generators)
        check_images(folder, generators)
    except InputError as error:
        parser().error(str(error))
    try:
        python = python_with((PACKAGE,), folder / "environments" / "ddddocr")
        for each in generators:
            images = folder / each.name
            starter = runs.untrained("starter", images, folder / "environments" / "starter").accuracy
            rows.append((each.name, starter, *read_by_ddddocr(python, images)))
            print(*rows[-1], file=sys.stderr, flush=True)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    means = (sum(column) / len(rows) for column in list(zip(*rows, strict=True))[1:])
    shown = [(name, *(f"{value:.3f}" for value in values)) for name, *values in [*rows, ("**mean**", *means)]]
    print(table(("generator", "starter", "ddddocr", "ddddocr, in any case"), shown))
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.foreign.without_labels", description="Read captchas without training."
    )
    add_images(made)
    return made


def read_by_ddddocr(python: Path, images: Path) -> tuple[float, float]:
    """The accuracy with the images of test.csv: of whole texts, and with letters in any case. Raises RunError."""
    rows = read_rows(images / "test.csv")
    paths = "\n".join(str(images / name) for name, _ in rows)
    done = subprocess.run(
        [str(python), str(DRIVERS / "ddddocr_reader.py")],
        input=paths, capture_output=True, text=True, env={**os.environ, **runs.THREADS},
    )  # fmt: skip
    texts = done.stdout.splitlines()
    if done.returncode or len(texts) != len(rows):
        raise RunError(f"ddddocr read {len(texts)} of {len(rows)}: {done.stderr.strip()[-300:]}", images)
    return accuracies(texts, [label for _, label in rows])


def accuracies(texts: Sequence[str], labels: Sequence[str]) -> tuple[float, float]:
    """The fraction of texts that are equal to their labels, and that are in any case."""
    pairs = list(zip(texts, labels, strict=True))
    exact = sum(text == label for text, label in pairs)
    return exact / len(pairs), sum(text.casefold() == label.casefold() for text, label in pairs) / len(pairs)


if __name__ == "__main__":
    sys.exit(main())
