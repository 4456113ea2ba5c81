"""A set of a million images: `python -m benchmarks.large_sets DIR [--images N] [--shards N] [--minutes M]`.

Captchas are drawn into a pack in shards, unless it is there. Then a network is trained on it from disk, with the memory
of the process that trains and of its image process looked at again and again, and for comparison on captchas that are
drawn while it is trained. One thread and one image process each. Memory is read from /proc, so that this runs on Linux
only: PSS, in which a page that several processes share counts for each in equal parts.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import FONT, figure, seconds, table
from benchmarks.processes import pss

CTC_OCR = [sys.executable, "-m", "ctc_ocr"]
NETWORK = ["--preset", "crnn", "--cpu", "1", "--num_proc", "1", "--num_epoch", "1000", "--overwrite"]
TRAINS = "images for training"  # in the log, once all images are checked
MIB = 2**20


@dataclass(frozen=True)
class Memory:
    """PSS in bytes of the process that trains and of its image processes together, `seconds` after its start."""

    seconds: float
    trainer: int
    image_processes: int


@dataclass(frozen=True)
class Training:
    """Seconds until the first image was trained on, what the memory was, and the median speed of the epochs."""

    start: float
    memory: tuple[Memory, ...]
    speed: float  # samples/s


def draw(pack: Path, images: int, shards: int) -> float:
    """Seconds for drawing a pack."""
    flags = ["--renderer", "fast", "--count", str(images), "--pack", str(pack), "--shards", str(shards), "--seed", "1"]
    command = [*CTC_OCR, "generate", FONT, *flags]
    return seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))


def train(data: Sequence[str], prefix: Path, epoch: int, minutes: float, every: float) -> Training:
    """Train on images, `epoch` samples at a time, for some minutes after they are checked; look at the memory every
    so many seconds."""
    flags = ["--prefix", str(prefix), "--samples_per_epoch", str(epoch), "--max_minutes", str(minutes)]
    log = Path(f"{prefix}.log")
    started, start, memory = time.perf_counter(), 0.0, list[Memory]()
    with log.open("wb") as errors:
        process = subprocess.Popen([*CTC_OCR, "train", *data, *NETWORK, *flags], stdout=errors, stderr=errors)
        while process.poll() is None:
            if not start and TRAINS in log.read_text(encoding="utf-8"):
                start = time.perf_counter() - started
            memory += _memory(process.pid, time.perf_counter() - started)
            _wait(process, every)
    if process.returncode:
        raise RuntimeError(f"the training failed:\n{log.read_text(encoding='utf-8')[-2000:]}")
    with Path(f"{prefix}-history.csv").open(encoding="utf-8", newline="") as file:
        speeds = [epoch / float(row["seconds"]) for row in csv.DictReader(file)]
    return Training(start, tuple(memory), statistics.median(speeds))


def _wait(process: subprocess.Popen[bytes], most: float) -> None:
    try:
        process.wait(most)
    except subprocess.TimeoutExpired:
        return


def _memory(pid: int, now: float) -> list[Memory]:
    """Of a process and its children; nothing if it has ended."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return [Memory(now, pss(pid), sum(pss(int(each)) for each in children if _fills_batches(int(each))))]
    except OSError:
        return []


def _fills_batches(pid: int) -> bool:
    """Whether it is an image process, and not what watches over shared memory."""
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _shown(memory: Sequence[Memory], start: float) -> str:
    rows = [
        [f"{each.seconds:.0f} s", "checks" if each.seconds < start else "trains",
         *(f"{value / MIB:.0f} MB" for value in (each.trainer, each.image_processes))]
        for each in memory
    ]  # fmt: skip
    return table(("since the start", "what it does", "trainer", "image process"), rows)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.large_sets", description="A pack of a million images.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="for the pack and the models; they are kept")
    parser.add_argument("--images", type=int, default=1_000_000, help="number of images (default: 1000000)")
    parser.add_argument("--shards", type=int, default=8, help="number of shards (default: 8)")
    parser.add_argument("--epoch", type=int, default=10_000, help="samples of an epoch (default: 10000)")
    parser.add_argument("--minutes", type=float, default=5, help="of training on the pack (default: 5)")
    parser.add_argument("--every", type=float, default=60, help="seconds between looks at the memory (default: 60)")
    options = parser.parse_args(argv)
    options.folder.mkdir(parents=True, exist_ok=True)
    print(f"Load of the machine before: {os.getloadavg()[0]:.1f}\n")
    pack = options.folder / "captchas"
    if not Path(f"{pack}.json").exists():
        print(f"drawn and packed in {figure(draw(pack, options.images, options.shards))} s", flush=True)
    size = sum(path.stat().st_size for path in options.folder.glob("captchas-*"))
    print(f"on disk: {size / MIB:,.0f} MB, {size / options.images:,.0f} bytes for each image", flush=True)
    from_disk = ["--data", str(pack), "--init_from", "none"]
    packed = train(from_disk, options.folder / "packed", options.epoch, options.minutes, options.every)
    print(f"checked in {figure(packed.start)} s, with the start of the command\n")
    print(f"{_shown(packed.memory, packed.start)}\n", flush=True)
    drawn = train([FONT], options.folder / "drawn", options.epoch, options.minutes / 2, options.every)
    print(f"trained: {figure(packed.speed)} samples/s from disk, {figure(drawn.speed)} samples/s drawn")
    return 0


if __name__ == "__main__":
    sys.exit(main())
