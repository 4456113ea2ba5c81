"""What few labels say about more: `python -m benchmarks.foreign.curve DIR --init_from MODEL --out FILE.csv`.

`ctc-ocr data curve` says from so many labels of a generator what more of them will give; then as many are trained on,
and read test.csv. Finished runs are skipped, as in `benchmarks.foreign.measure`.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.foreign import runs
from benchmarks.foreign.measure import DEFAULT, Benchmark, Run, add_common, each_seed, folder_of
from benchmarks.own_images.common import table
from ctc_ocr.errors import InputError


@dataclass(frozen=True)
class Row:
    """One prediction. labels: those that it was made from; target: those that it is for. predicted, low, high: the
    accuracy and its 95 % interval. reached: that of test.csv. minutes: of the curve. options: of both commands."""

    generator: str
    labels: int
    seed: int
    init_from: str
    target: int
    predicted: float
    low: float
    high: float
    reached: float
    minutes: float
    options: str
    commit: str

    @property
    def run(self) -> Run:
        return self.generator, self.labels, self.seed, self.init_from

    @property
    def figures(self) -> str:
        said = f"{self.predicted:.3f} ({self.low:.3f} to {self.high:.3f})"
        return f"predicted {said}, reached {self.reached:.3f}, {self.minutes:.1f} minutes"


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 if a run failed."""
    return Benchmark(parser(), Row, _check, each_seed, _measured, summary).main(argv)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.target <= arguments.labels:
        raise InputError(f"--target: expected more than {arguments.labels}, the --labels")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.foreign.curve", description="Predict what more labels will give, and try it."
    )
    add_common(made)
    made.add_argument("--labels", type=int, default=200, help="labels to predict from (default: 200)")
    made.add_argument("--target", type=int, default=1000, help="labels to predict for (default: 1000)")
    made.add_argument(
        "--init_from", default=DEFAULT, metavar="MODEL", help="model to begin with, or none (default: no flag)"
    )
    made.add_argument("--options", default="", help="further arguments of both commands, as one word")
    return made


def _measured(arguments: argparse.Namespace, run: Run) -> Row:
    name, labels, seed, model = run
    images, folder = arguments.folder.resolve() / name, folder_of(arguments.out, run)
    folder.mkdir(parents=True, exist_ok=True)
    runs.write_subset(images / "train.csv", folder / "few.csv", labels, seed)
    begin = () if model == DEFAULT else ("--init_from", model)
    others = arguments.options.split()
    report = folder / "curve.json"
    started = time.perf_counter()
    runs.command(
        folder, "data", "curve", str(folder / "few.csv"), "--more", str(arguments.target - labels), "--report",
        str(report), "--overwrite", "--seed", str(seed), *runs.SMALL, *begin, *others,
    )  # fmt: skip
    minutes = (time.perf_counter() - started) / 60
    expected = json.loads(report.read_text(encoding="utf-8"))["expected"][-1]
    start = None if model == DEFAULT else model
    reached = runs.trained(images, folder, arguments.target, seed, start, *others).accuracy
    figures = (expected["accuracy"], expected["low"], expected["high"], reached, round(minutes, 2))
    return Row(name, labels, seed, model, arguments.target, *figures, arguments.options, runs.commit())


def summary(rows: Sequence[Row]) -> str:
    """A Markdown table: what was predicted and what was reached, for each run."""
    lines = [
        (
            row.generator, row.seed, f"{row.labels} to {row.target}", f"{row.predicted:.3f}",
            f"{row.low:.3f} to {row.high:.3f}", f"{row.reached:.3f}",
        )
        for row in rows
    ]  # fmt: skip
    return table(("generator", "seed", "labels", "predicted", "95 % interval", "reached"), lines)


if __name__ == "__main__":
    sys.exit(main())
