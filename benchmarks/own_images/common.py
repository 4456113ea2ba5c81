"""What these benchmarks have in common: running the package's commands with their times, downloads, tables."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont

ROOT = Path(__file__).resolve().parents[2]


def parser(description: str) -> argparse.ArgumentParser:
    """--work, --cpu, --quick and --json, which all of them take."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--work", type=Path, required=True, help="folder for data, runs and logs; new, or with --reuse")
    made.add_argument("--reuse", action="store_true", help="keep what is in the folder, and do what is missing")
    made.add_argument("--cpu", type=int, default=1, help="threads to train with (default: 1)")
    made.add_argument("--quick", action="store_true", help="try the commands, with figures of too few images")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    return made


class Work:
    """The folder of a benchmark, and the commands that are run in it."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.folder, self.cpu = arguments.work.resolve(), arguments.cpu
        if self.folder.exists() and not arguments.reuse:
            sys.exit(f"{self.folder} is there already: take another --work, or --reuse")
        self.folder.mkdir(parents=True, exist_ok=True)

    def missing(self, name: str) -> bool:
        return not (self.folder / name).exists()

    def command(self, *arguments: str) -> float:
        """Run `ctc-ocr` and return the seconds it took; its output goes into a log. Exits if it fails."""
        log = self.folder / "commands.log"
        with log.open("a", encoding="utf-8") as file:
            print(f"\n$ ctc-ocr {' '.join(arguments)}", file=file, flush=True)
            started = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "ctc_ocr", *arguments],
                cwd=self.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=file, stderr=file,
            )  # fmt: skip
        if done.returncode:
            sys.exit(f"ctc-ocr {' '.join(arguments)} ended with {done.returncode}: see {log}")
        return time.perf_counter() - started

    def train(self, prefix: str, *arguments: str) -> float:
        """Seconds of a training, start and checks included; of one that is there already, those that it took then."""
        taken = self.folder / f"{prefix}.seconds"
        if not taken.exists():
            fixed = ("--prefix", prefix, "--overwrite", f"--cpu={self.cpu}", "--num_proc=1")
            seconds = self.command("train", *fixed, *arguments)
            taken.write_text(str(seconds), encoding="utf-8")
        return float(taken.read_text(encoding="utf-8"))

    def evaluate(self, prefix: str, source: str, *arguments: str) -> dict[str, Any]:
        """The report of `ctc-ocr evaluate` with the best epoch by validation."""
        self.command("evaluate", prefix, source, "--epoch", "best", "--report", "report.json", *arguments)
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        return report

    def best_cer(self, prefix: str) -> list[tuple[int, float]]:
        """(epoch, validation CER) of every epoch."""
        lines = (self.folder / f"{prefix}-history.csv").read_text(encoding="utf-8").splitlines()
        names = lines[0].split(",")
        rows = [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]
        return [(int(row["epoch"]), float(row["validation_cer"])) for row in rows]

    def download(self, *command: str) -> None:
        """Run a package manager in the folder `downloads`."""
        folder = self.folder / "downloads"
        folder.mkdir(exist_ok=True)
        if shutil.which(command[0]) is None:
            sys.exit(f"{command[0]} is needed for this benchmark's data")
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}")

    def npm_fonts(self, package: str) -> list[str]:
        """The TTF and WOFF fonts of an npm package, as TTF files."""
        return self._fetched(package, lambda: self.download("npm", "pack", package), "*.tgz", _untar)

    def debian_files(self, package: str, pattern: str) -> list[str]:
        """The files of a Debian package whose names match."""
        unpack = self.folder / "downloads" / package

        def extract(archive: Path, folder: Path) -> None:
            subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)

        self._fetched(package, lambda: self.download("apt-get", "download", package), f"{package}_*.deb", extract)
        return sorted(str(path) for path in unpack.rglob(pattern) if path.is_file())

    def _fetched(
        self, package: str, download: Callable[[], None], archive: str, extract: Callable[[Path, Path], None]
    ) -> list[str]:
        folder = self.folder / "downloads" / package.replace("@", "").replace("/", "-")
        if not folder.exists():
            before = set((self.folder / "downloads").glob(archive))
            download()
            (new,) = set((self.folder / "downloads").glob(archive)) - before
            extract(new, folder)
        return sorted(str(path) for path in folder.rglob("*.ttf"))


def _untar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    for path in folder.rglob("*.woff"):
        font = TTFont(path)
        font.flavor = None
        font.save(path.with_suffix(".ttf"))


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def accuracy_cells(report: dict[str, Any], digits: int) -> tuple[str, str]:
    """Accuracy with so many digits, and its confidence interval."""
    low, high = report["confidence_interval"]
    return f"{report['accuracy']:.{digits}f}", f"{low:.3f} to {high:.3f}"


def finish(arguments: argparse.Namespace, shown: str, values: dict[str, Any]) -> None:
    """Print the table; write the figures."""
    print(shown)
    if arguments.json:
        arguments.json.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
