"""What images without labels add: `python -m benchmarks.foreign.unlabelled DIR --out FILE.csv`.

So many labels of a generator are trained on alone, and then with other images of train.csv as `--unlabelled`. Finished
runs are skipped, as in `benchmarks.foreign.measure`.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.foreign import runs
from benchmarks.foreign.images import read_rows
from benchmarks.foreign.measure import DEFAULT, Benchmark, Run, add_common, each_seed, folder_of
from benchmarks.own_images.common import table
from ctc_ocr.errors import InputError


@dataclass(frozen=True)
class Row:
    """A pair of runs. alone, together: the accuracy of test.csv with the labels alone, and with the unlabelled images
    too; minutes_alone, minutes: of these trainings."""

    generator: str
    labels: int
    seed: int
    unlabelled: int
    alone: float
    together: float
    minutes_alone: float
    minutes: float
    options: str
    commit: str

    @property
    def run(self) -> Run:
        return self.generator, self.labels, self.seed, DEFAULT

    @property
    def figures(self) -> str:
        return f"accuracy {self.alone:.3f} alone, {self.together:.3f} together, {self.minutes:.1f} minutes"


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 if a run failed."""
    return Benchmark(parser(), Row, _check, each_seed, _measured, summary).main(argv)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.labels < 2 or arguments.unlabelled < 1:
        raise InputError("expected --labels of 2 or more, and --unlabelled of 1 or more")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.foreign.unlabelled", description="Train with and without unlabelled images."
    )
    add_common(made)
    made.add_argument("--labels", type=int, default=50, help="labelled images (default: 50)")
    made.add_argument("--unlabelled", type=int, default=950, help="images without labels (default: 950)")
    made.add_argument("--options", default="", help="further arguments of both trainings, as one word")
    return made


def _measured(arguments: argparse.Namespace, run: Run) -> Row:
    name, labels, seed, _ = run
    images, folder, others = arguments.folder.resolve() / name, folder_of(arguments.out, run), arguments.options.split()
    copy_others(images / "train.csv", folder / "unlabelled", labels, arguments.unlabelled, seed)
    alone = runs.trained(images, folder, labels, seed, None, *others)
    more = ("--unlabelled", str(folder / "unlabelled"))
    together = runs.trained(images, folder, labels, seed, None, *others, *more)
    figures = (alone.accuracy, together.accuracy, round(alone.minutes, 2), round(together.minutes, 2))
    return Row(name, labels, seed, arguments.unlabelled, *figures, arguments.options, runs.commit())


def copy_others(source: Path, target: Path, skip: int, count: int, seed: int) -> None:
    """So many images of a CSV file into a new folder: those that follow the `skip` ones of `runs.write_subset`. Raises
    InputError if there are too few."""
    rows = read_rows(source)
    if skip + count > len(rows):
        raise InputError(f"has {len(rows)} images, fewer than {skip} + {count}", source)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for index in np.random.default_rng(seed).permutation(len(rows))[skip : skip + count]:
        shutil.copy(source.parent / rows[index][0], target)


def summary(rows: Sequence[Row]) -> str:
    """A Markdown table: the accuracy without and with unlabelled images, for each run."""
    lines = [
        (row.generator, row.seed, row.labels, row.unlabelled, f"{row.alone:.3f}", f"{row.together:.3f}") for row in rows
    ]
    return table(("generator", "seed", "labels", "unlabelled", "labels alone", "together"), lines)


if __name__ == "__main__":
    sys.exit(main())
