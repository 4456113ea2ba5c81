"""How many planted label errors are found: `python -m benchmarks.foreign.audit DIR --init_from MODEL --out FILE.csv`.

Of so many labels of a generator, 2 % are made wrong: a character changed or missing, or two labels swapped. Then
`ctc-ocr data audit` looks for them. Finished runs are skipped, as in `benchmarks.foreign.measure`.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.foreign import runs
from benchmarks.foreign.images import read_rows, write_rows
from benchmarks.foreign.measure import Benchmark, Run, add_common, each_seed, folder_of
from benchmarks.foreign.planting import plant
from benchmarks.own_images.common import table
from ctc_ocr.errors import InputError

WRONG = 0.02  # of the labels
LOOKED_AT = 1.5  # suspects for each planted label


@dataclass(frozen=True)
class Row:
    """One audit. planted: wrong labels. found_first: of them among the first 1.5 times as many suspects. found: among
    all suspects. options: further arguments of the command."""

    generator: str
    labels: int
    seed: int
    init_from: str
    planted: int
    found_first: int
    found: int
    suspects: int
    minutes: float
    options: str
    commit: str

    @property
    def run(self) -> Run:
        return self.generator, self.labels, self.seed, self.init_from

    @property
    def figures(self) -> str:
        return f"{self.found_first} of {self.planted} found first, {self.minutes:.1f} minutes"


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 if a run failed."""
    return Benchmark(parser(), Row, _check, each_seed, _measured, summary).main(argv)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.labels * WRONG < 1:
        raise InputError(f"--labels: {int(1 / WRONG)} or more, of which one is wrong")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.foreign.audit", description="Plant wrong labels, and look for them."
    )
    add_common(made)
    made.add_argument("--labels", type=int, default=1000, help="labelled images (default: 1000)")
    made.add_argument(
        "--init_from", required=True, metavar="MODEL", help="MODEL of the audit: each fold begins with it"
    )
    made.add_argument("--options", default="", help="further arguments of ctc-ocr data audit, as one word")
    return made


def _measured(arguments: argparse.Namespace, run: Run) -> Row:
    name, labels, seed, model = run
    folder = folder_of(arguments.out, run)
    folder.mkdir(parents=True, exist_ok=True)
    planted = write_planted(arguments.folder.resolve() / name / "train.csv", folder / "train.csv", labels, seed)
    options = (*runs.SMALL, "--seed", str(seed), "--overwrite", *arguments.options.split())
    started = time.perf_counter()
    runs.command(
        folder, "data", "audit", model, str(folder / "train.csv"), "--out", str(folder / "suspects.csv"), *options
    )
    minutes = (time.perf_counter() - started) / 60
    suspects = [str((folder / row[0]).resolve()) for row in read_rows(folder / "suspects.csv")]
    first = suspects[: int(LOOKED_AT * len(planted))]
    figures = (len(planted), len(planted & set(first)), len(planted & set(suspects)), len(suspects), round(minutes, 2))
    return Row(name, labels, seed, model, *figures, arguments.options, runs.commit())


def write_planted(source: Path, target: Path, count: int, seed: int) -> set[str]:
    """Write so many rows of a CSV file with wrong labels among them. Returns the paths of those."""
    runs.write_subset(source, target, count, seed)
    images, labels = zip(*read_rows(target), strict=True)
    wrong, planted = plant(labels, round(WRONG * count), seed)
    write_rows(target, [("image", "label"), *zip(images, wrong, strict=True)])
    return {str(Path(images[index]).resolve()) for index in planted}


def summary(rows: Sequence[Row]) -> str:
    """A Markdown table: for each generator the planted labels that were found, over all its seeds."""
    lines = []
    for name in dict.fromkeys(row.generator for row in rows):
        own = [row for row in rows if row.generator == name]
        planted, first, found, suspects = (
            sum(getattr(row, column) for row in own) for column in ("planted", "found_first", "found", "suspects")
        )
        lines.append((name, len(own), planted, f"{first / planted:.3f}", f"{found / planted:.3f}", suspects))
    head = ("generator", "runs", "planted", f"among the first {LOOKED_AT} times as many", "among all", "suspects")
    return table(head, lines)


if __name__ == "__main__":
    sys.exit(main())
