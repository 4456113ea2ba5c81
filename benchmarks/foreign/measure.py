"""Train on few labelled images of each generator: `python -m benchmarks.foreign.measure DIR --out FILE.csv`.

DIR is that of `benchmarks.foreign.make`. A run's row is added to the file when it is finished, and a run whose row is
there is skipped: what was stopped goes on with the same command. Take another file for another commit. The runs' own
files are in FILE-runs beside it.
"""

import argparse
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from benchmarks.foreign import results, runs
from benchmarks.foreign.generators import Generator, chosen
from benchmarks.foreign.results import Row
from benchmarks.foreign.splits import is_split
from ctc_ocr.errors import InputError, UserError

DEFAULT = "default"  # no flag: what a user gets who says nothing
Run = tuple[str, int, int, str]


class RunRow(Protocol):
    """The row of a run: what makes it another run than the others of a file, and its figures in words."""

    @property
    def run(self) -> Run: ...

    @property
    def figures(self) -> str: ...


AnyRow = TypeVar("AnyRow", bound=RunRow)


@dataclass(frozen=True)
class Benchmark(Generic[AnyRow]):
    """A command of this folder. check: raises InputError for bad arguments. planned: its runs, in their order.
    measured: does one. summary: a table of the rows."""

    parser: argparse.ArgumentParser
    row: type[AnyRow]
    check: Callable[[argparse.Namespace], None]
    planned: Callable[[argparse.Namespace, list[Generator]], Iterable[Run]]
    measured: Callable[[argparse.Namespace, Run], AnyRow]
    summary: Callable[[Sequence[AnyRow]], str]

    def main(self, argv: list[str] | None) -> int:
        """Do the runs that have no row yet; returns the exit status: 1 if one failed."""
        arguments = self.parser.parse_args(argv)
        try:
            generators = chosen(arguments.generators)
            _check_common(arguments, generators)
            self.check(arguments)
            rows = results.read(arguments.out, self.row)
        except InputError as error:
            self.parser.error(str(error))
        planned = self.planned(arguments, generators)
        rows, failed = continued(arguments.out, planned, rows, lambda run: self.measured(arguments, run))
        print(f"\n{self.summary(rows)}" if rows else "no figures")
        return 1 if failed else 0


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 if a run failed."""
    return Benchmark(parser(), Row, _check, _planned, _measured, results.summary).main(argv)


def continued(
    out: Path, planned: Iterable[Run], rows: list[AnyRow], measured: Callable[[Run], AnyRow]
) -> tuple[list[AnyRow], int]:
    """Measure the runs that have no row yet, and add their rows to the file. Returns all rows, and how many failed."""
    runs_planned, found, failed = list(planned), list(rows), 0
    for number, run in enumerate(runs_planned, 1):
        if run in {row.run for row in found}:
            continue
        try:
            row = measured(run)
        except UserError as error:
            failed += 1
            print(f"{name_of(run)}: failed: {error}", file=sys.stderr, flush=True)
            continue
        results.append(out, row)
        found.append(row)
        print(f"{number} of {len(runs_planned)}: {name_of(run)}: {row.figures}", flush=True)
    return found, failed


def folder_of(out: Path, run: Run) -> Path:
    """A run's own folder."""
    own = name_of(run).replace(" ", "").replace(",", "-").replace("/", "_")
    return out.resolve().with_name(f"{out.stem}-runs") / own


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.foreign.measure", description="Train on a few images of each generator, and test."
    )
    add_common(made)
    made.add_argument("--labels", type=int, nargs="+", default=[100, 500], help="labelled images (default: 100 500)")
    made.add_argument(
        "--init_from", default=DEFAULT, metavar="MODEL", help="model to begin with, or none (default: no flag)"
    )
    made.add_argument("--model_only", action="store_true", help="only test that model, without training")
    return made


def add_images(made: argparse.ArgumentParser) -> None:
    """Which images."""
    made.add_argument("folder", type=Path, metavar="DIR", help="folder that benchmarks.foreign.make filled")
    made.add_argument(
        "--generators", nargs="+", default=["development"], metavar="NAME",
        help="names, development, held_out or all (default: development)",
    )  # fmt: skip


def add_common(made: argparse.ArgumentParser) -> None:
    """Which images, which seeds, and the file for the rows."""
    add_images(made)
    made.add_argument("--out", type=Path, required=True, metavar="FILE.csv", help="file for the rows; it is continued")
    made.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of images and training (default: 0 1 2)")


def _check(arguments: argparse.Namespace) -> None:
    if min(arguments.labels) < 2:
        raise InputError("--labels: 2 or more, of which one is held out for validation")
    if arguments.model_only and arguments.init_from == DEFAULT:
        raise InputError("--model_only needs a model: --init_from MODEL")


def _check_common(arguments: argparse.Namespace, generators: list[Generator]) -> None:
    """Raises InputError for what is missing."""
    if not arguments.out.resolve().parent.is_dir():
        raise InputError("--out: its folder does not exist", arguments.out)
    check_images(arguments.folder, generators)


def check_images(folder: Path, generators: list[Generator]) -> None:
    """Raises InputError if `make` has not made the images of a generator."""
    missing = [each.name for each in generators if not is_split(folder / each.name)]
    if missing:
        raise InputError(f"no images of {', '.join(missing)}: run benchmarks.foreign.make first", folder)


def each_seed(arguments: argparse.Namespace, generators: list[Generator]) -> Iterator[Run]:
    """A run for each generator and seed, with one number of labels."""
    model = getattr(arguments, "init_from", DEFAULT)
    for seed, each in itertools.product(arguments.seeds, generators):
        yield each.name, arguments.labels, seed, model


def _planned(arguments: argparse.Namespace, generators: list[Generator]) -> Iterator[Run]:
    """Every generator with the first seed before any with the next, so that what is stopped has something of each."""
    model = arguments.init_from
    if arguments.model_only:
        yield from ((each.name, 0, 0, model) for each in generators)
        return
    for seed, labels, each in itertools.product(arguments.seeds, arguments.labels, generators):
        yield each.name, labels, seed, model


def _measured(arguments: argparse.Namespace, run: Run) -> Row:
    name, labels, seed, model = run
    images, begin = arguments.folder.resolve() / name, None if model == DEFAULT else model
    folder = folder_of(arguments.out, run)
    if arguments.model_only:
        measured = runs.untrained(model, images, folder)
    else:
        measured = runs.trained(images, folder, labels, seed, begin)
    found = (measured.accuracy, measured.cer, round(measured.minutes, 2), measured.epoch)
    return Row(name, labels, seed, model, *found, runs.commit())


def name_of(run: Run) -> str:
    name, labels, seed, model = run
    return f"{name}, {labels} labels, seed {seed}, {model}"


if __name__ == "__main__":
    sys.exit(main())
