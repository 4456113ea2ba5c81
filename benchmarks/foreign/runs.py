"""One run of the real commands: some labelled images of a generator, a training, and the test images."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.foreign.images import read_rows, write_rows
from benchmarks.own_images.common import ROOT
from ctc_ocr.errors import InputError, RunError

# One thread to train with, and one image process: the figures are those of a small machine.
THREADS = {"OMP_NUM_THREADS": "1"}
SMALL = ("--cpu", "1", "--num_proc", "1")


@dataclass(frozen=True)
class Measured:
    """accuracy, cer: of the test images; minutes: of training; epoch: the best by validation, 0 without training."""

    accuracy: float
    cer: float
    minutes: float
    epoch: int


def trained(images: Path, folder: Path, labels: int, seed: int, init_from: str | None, *options: str) -> Measured:
    """Train with all defaults but the options on so many images of train.csv, and read test.csv with the best epoch.

    images: what `make` wrote for a generator; folder: for this run's files, which are replaced. Raises RunError if a
    command fails, InputError if there are too few images.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_subset(images / "train.csv", folder / "train.csv", labels, seed)
    prefix = str(folder / "ocr")
    begin = ("--init_from", init_from) if init_from else ()
    fixed = ("--data", str(folder / "train.csv"), "--prefix", prefix, "--overwrite", "--seed", str(seed), *SMALL)
    started = time.perf_counter()
    command(folder, "train", *fixed, *begin, *options)
    minutes = (time.perf_counter() - started) / 60
    report = evaluated(prefix, images, folder, "--epoch", "best")
    return Measured(report["accuracy"], report["cer"], minutes, report["epoch"])


def untrained(model: str, images: Path, folder: Path) -> Measured:
    """Read test.csv with a model as it is: its newest epoch, unless it is the path of another. Raises RunError."""
    folder.mkdir(parents=True, exist_ok=True)
    report = evaluated(model, images, folder)
    return Measured(report["accuracy"], report["cer"], 0.0, 0)


def evaluated(model: str, images: Path, folder: Path, *options: str) -> dict[str, Any]:
    """The report of `ctc-ocr evaluate`. Labels with characters that the model does not know count as incorrect."""
    path = folder / "report.json"
    command(folder, "evaluate", model, str(images / "test.csv"), "--report", str(path), "--cpu", "1", *options)
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def write_subset(source: Path, target: Path, count: int, seed: int) -> None:
    """So many rows of a CSV file, by the seed: of two numbers, the fewer rows are among the more. Raises InputError."""
    rows = read_rows(source)
    if count > len(rows):
        raise InputError(f"has {len(rows)} images, fewer than {count}", source)
    order = np.random.default_rng(seed).permutation(len(rows))[:count]
    base = source.parent.resolve()
    write_rows(target, [("image", "label"), *((str(base / rows[index][0]), rows[index][1]) for index in order)])


def command(folder: Path, *arguments: str) -> None:
    """Run `ctc-ocr` with its output in a log. Raises RunError with the log's end if it fails."""
    log = folder / f"{arguments[0]}.log"
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(
            [sys.executable, "-m", "ctc_ocr", *arguments],
            env={**os.environ, **THREADS, "PYTHONPATH": str(ROOT)}, stdout=file, stderr=file,
        )  # fmt: skip
    if done.returncode:
        said = log.read_text(encoding="utf-8", errors="replace").strip()[-300:]
        raise RunError(f"ctc-ocr {arguments[0]} ended with {done.returncode}: {said}", log)


def commit() -> str:
    """The commit that is checked out, with -dirty if files of it are changed."""
    command = ("git", "describe", "--always", "--dirty", "--exclude", "*")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
