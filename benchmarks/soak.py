"""Do memory, open files and threads stay as they are? `python -m benchmarks.soak train|serve|watch DIR [--minutes 30]`.

`train`: a `crnn` on captchas, with one image process. `serve`: a server under loads of 8, 64 and one connection in
turns, so that its batches have all sizes, with the model of `--model`. `watch`: the process `--pid`, which runs
already. A process and all that it has started are looked at every few seconds, by /proc, so that this runs on Linux
only. Written to DIR: NAME.csv with all values and NAME.png. Printed: the medians of the first quarter after the warm-up
(the first sixth of the time) and of the last quarter.
"""

import argparse
import csv
import itertools
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.common import FONT, table
from benchmarks.processes import children, pss
from benchmarks.serving.load import load
from benchmarks.serving.servers import ours
from ctc_ocr.checkpoint.starter import starter_path

CTC_OCR = [sys.executable, "-m", "ctc_ocr"]
MIB = 2**20
WARM_UP = 1 / 6  # of the time
CONNECTIONS, REQUESTS = (8, 64, 1), 1_000  # of the turns of the load


@dataclass(frozen=True)
class Look:
    """Of a process and all below it, together: PSS in MiB, open files, threads, and the number of processes."""

    minutes: float
    memory: float
    files: int
    threads: int
    processes: int


NAMES = {"memory": "PSS, MiB", "files": "open files", "threads": "threads", "processes": "processes"}


def look(pid: int, minutes: float) -> Look:
    """Processes that end meanwhile do not count."""
    values = [value for value in map(_values, [pid, *children(pid)]) if value is not None]
    memory, files, threads = map(sum, zip(*values, strict=True)) if values else (0.0, 0, 0)
    return Look(minutes, memory, int(files), int(threads), len(values))


def _values(pid: int) -> tuple[float, int, int] | None:
    folder = Path(f"/proc/{pid}")
    try:
        return pss(pid) / MIB, len(list((folder / "fd").iterdir())), len(list((folder / "task").iterdir()))
    except OSError:
        return None


def watch(pid: int, minutes: float, every: float, goes_on: Callable[[], bool]) -> list[Look]:
    """Look at a process until the minutes are over or it has ended."""
    start, looks = time.monotonic(), list[Look]()
    while (now := (time.monotonic() - start) / 60) < minutes and goes_on():
        looks.append(look(pid, now))
        time.sleep(every)
    return [each for each in looks if each.processes]


def train(folder: Path, minutes: float, every: float) -> list[Look]:
    """A training, ended as by Ctrl-C."""
    flags = ["--preset", "crnn", "--num_epoch", "100000", "--keep", "2", "--overwrite", "--workers", "1"]
    flags += ["--cpu", "1", "--num_proc", "1", "--validation_samples", "500", "--samples_per_epoch", "2000"]
    command = [*CTC_OCR, "train", *flags, "--prefix", str(folder / "soak"), FONT]
    with (folder / "train.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            return watch(process.pid, minutes, every, lambda: process.poll() is None)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def serve(folder: Path, minutes: float, every: float, model: Path) -> list[Look]:
    """A server that answers without a pause."""
    images = folder / "images"
    flags = ["--count", "64", "--output_dir", str(images), "--overwrite"]
    subprocess.run([*CTC_OCR, "generate", *flags, FONT], check=True, stdout=subprocess.DEVNULL)
    over, turns = threading.Event(), list[int]()

    def ask(port: int) -> None:
        for connections in itertools.cycle(CONNECTIONS):
            if over.is_set():
                return
            turns.append(sum(load(port, images, connections, REQUESTS).statuses.values()))

    with ours(model) as server:
        asking = threading.Thread(target=ask, args=(server.port,))
        asking.start()
        try:
            looks = watch(server.process.pid, minutes, every, asking.is_alive)
        finally:
            over.set()
            asking.join()
    print(f"{sum(turns)} requests answered")
    return looks


def compared(looks: Sequence[Look]) -> str:
    """The first quarter after the warm-up beside the last one."""
    after = looks[int(WARM_UP * len(looks)) :]
    quarter = max(1, len(after) // 4)
    rows = []
    for name, shown in NAMES.items():
        values = [getattr(each, name) for each in after]
        first, last = statistics.median(values[:quarter]), statistics.median(values[-quarter:])
        rows.append([shown, *(f"{value:.0f}" for value in (first, last, max(values)))])
    return table(("", "first quarter", "last quarter", "most"), rows)


def write(looks: Sequence[Look], folder: Path, name: str) -> None:
    """All values as CSV, and a plot of them."""
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Look)])
        writer.writerows(astuple(each) for each in looks)
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(8, 6), layout="constrained")
        for axes, (value, shown) in zip(figure.subplots(len(NAMES), 1, sharex=True), NAMES.items(), strict=True):
            axes.plot([each.minutes for each in looks], [getattr(each, value) for each in looks], linewidth=1)
            axes.set_ylim(bottom=0)
            axes.set_ylabel(shown)
        axes.set_xlabel("minutes")
        figure.savefig(folder / f"{name}.png", dpi=100)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description="Memory, files and threads over a long time.")
    parser.add_argument("what", choices=("train", "serve", "watch"))
    parser.add_argument("folder", type=Path, metavar="DIR", help="for models, images, values and plots; they are kept")
    parser.add_argument("--minutes", type=float, default=30, help="how long (default: 30)")
    parser.add_argument("--every", type=float, default=5, help="seconds between two looks (default: 5)")
    parser.add_argument("--model", type=Path, default=starter_path(), help="for serve (default: the starter)")
    parser.add_argument("--pid", type=int, help="for watch: the process")
    options = parser.parse_args(argv)
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.what == "train":
        looks = train(options.folder, options.minutes, options.every)
    elif options.what == "serve":
        looks = serve(options.folder, options.minutes, options.every, options.model)
    elif options.pid is None:
        parser.error("watch needs --pid")
    else:
        looks = watch(options.pid, options.minutes, options.every, Path(f"/proc/{options.pid}").exists)
    write(looks, options.folder, options.what)
    print(compared(looks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
