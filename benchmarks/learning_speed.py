"""Samples and seconds to an accuracy, for some seeds: `python -m benchmarks.learning_speed --out FILE.csv`.

The real command trains with a preset until the accuracy is reached, or to its end. Further flags of `ctc-ocr train`
follow `--`. A run's row is added to the file when it is finished, and a run whose row is there is skipped: what was
stopped goes on with the same command.
"""

import argparse
import csv
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from benchmarks import accuracy
from benchmarks.common import figure, table

TARGETS = {"lstm": 0.99, "crnn": 0.999}


@dataclass(frozen=True)
class Row:
    """A run until `target`: samples and seconds to it and to 0.99; infinite if they were not reached. `flags`: those
    that were added; `accuracy`: the last one."""

    preset: str
    flags: str
    seed: int
    target: float
    samples_to_99: float
    seconds_to_99: float
    samples_to_target: float
    seconds_to_target: float
    accuracy: float


def main(argv: list[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    flags, rows = tuple(options.flags), read(options.out)
    for name in options.presets:
        for seed in options.seeds:
            if any((each.preset, each.flags, each.seed) == (name, " ".join(flags), seed) for each in rows):
                continue
            _report(f"{name}, seed {seed}")
            rows.append(measured(name, seed, flags))
            write(options.out, rows)
    print(summary(rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.learning_speed", description="Samples and seconds to accuracies.")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.csv", help="file of the rows")
    parser.add_argument("--presets", nargs="+", choices=TARGETS, default=list(TARGETS), help="default: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)), help="default: 0 to 4")
    parser.add_argument("flags", nargs="*", metavar="-- FLAGS", help="further flags of ctc-ocr train")
    return parser


def measured(name: str, seed: int, flags: tuple[str, ...] = ()) -> Row:
    """Train once."""
    target = TARGETS[name]
    run = accuracy.train(name, target, _report, ("--seed", str(seed), *flags))
    return Row(
        name,
        " ".join(flags),
        seed,
        target,
        run.samples_to(0.99),
        run.seconds_to(0.99),
        run.samples_to(target),
        run.seconds_to(target),
        run.validations[-1].accuracy,
    )


def summary(rows: Sequence[Row]) -> str:
    """A Markdown table: medians over the seeds, and how many of them miss the target."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.preset, row.flags), []).append(row)
    lines = []
    for (name, flags), group in groups.items():
        names = ("samples_to_99", "seconds_to_99", "samples_to_target", "seconds_to_target")
        medians = [figure(statistics.median(getattr(row, each) for row in group)) for each in names]
        missed = sum(math.isinf(row.samples_to_target) for row in group)
        lines.append([f"{name} {flags}".strip(), str(len(group)), *medians, f"{group[0].target}", str(missed)])
    head = ("run", "seeds", "samples to 0.99", "s", "samples to target", "s", "target", "missed")
    return table(head, lines)


def read(path: Path) -> list[Row]:
    """The rows of a file; none if there is no file."""
    if not path.exists():
        return []
    kinds = {each.name: each.type for each in fields(Row)}
    with path.open(encoding="utf-8", newline="") as file:
        return [Row(**{n: kinds[n](value) for n, value in each.items()}) for each in csv.DictReader(file)]  # type: ignore[operator]


def write(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(Row)])
        writer.writeheader()
        writer.writerows(map(asdict, rows))


def _report(text: str) -> None:
    """Progress."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
