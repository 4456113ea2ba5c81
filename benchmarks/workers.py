"""Two training workers beside one: `python -m benchmarks.workers DIR [--rounds N] [--presets NAME ...]`.

Samples per second of the training command, generation or reading of the images and metrics included, without
validation; the first epoch is not counted. Each training is a run of its own, and both sides take turns. A figure is
the median of the rounds. `word` trains on labelled captchas, `line` on longer texts, which are made in DIR.
With `--example`, the pipeline of MXNet's example is another side for its network, `lstm`. With `--apart`, so are two
trainings at once that do not wait for each other, each with half of a batch: workers cannot be faster on this machine.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import ctc_ocr
from benchmarks.common import Row, comparison, in_turns, row

TARGET, TARGET_OF_EXAMPLE = 1.7, 6.0
EPOCHS = 3
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MXNET_OMP_MAX_THREADS": "1"}
TRAIN = """
import sys
import ctc_ocr
from ctc_ocr.training.events import EpochEnd
preset, folder, workers, prefix, samples, epochs, batch_size = sys.argv[1:]
settings = ctc_ocr.preset(preset, training={
    "workers": int(workers), "num_epoch": int(epochs), "samples_per_epoch": int(samples), "validation_samples": 64,
    "batch_size": int(batch_size), "stop_patience": 0, "schedule": "constant",
})
data = ctc_ocr.LabelledImages(folder, validation_fraction=0.05) if folder else None
speeds = []
def note(event):
    if isinstance(event, EpochEnd):
        speeds.append(event.speed)
ctc_ocr.train(settings, data, prefix, [note], cpu=1, num_proc=int(workers), init_from="none", progress=False)
print(*speeds[1:])
"""
EXAMPLE = """
from benchmarks import feeding, queue_feed, training
with queue_feed.QueueFeed(feeding.NUM_PROC) as feed:
    baseline = training.Baseline(feed, 128)
    baseline.samples_per_second(2)
    print(baseline.samples_per_second(20))
"""
LINES = ctc_ocr.Data("abcdefghijklmnopqrst", min_length=10, max_length=18, draw_width=600, draw_height=48)


def measure(
    folder: Path,
    presets: Sequence[str],
    rounds: int,
    samples: int,
    batch_size: int | None,
    example: bool = False,
    apart: bool = False,
) -> list[Row]:
    """Rows of samples/s, two workers beside one."""
    rows = []
    for name in presets:
        size = batch_size or ctc_ocr.preset(name).training.batch_size
        images = _images(folder, name)
        jobs = [partial(_train, name, images, workers, samples, size) for workers in (2, 1)]
        with_example = example and name == "lstm"
        if with_example:
            jobs.append(partial(_output, [sys.executable, "-c", EXAMPLE]))
        if apart:
            jobs.append(partial(_train_apart, name, images, samples, size // 2))
        two, one, *others = in_turns(rounds, *jobs)
        rows.append(row(f"{name}, {size} samples per batch, 2 workers beside 1", "samples/s", two, one, TARGET))
        if with_example:
            rows.append(row("beside the example's pipeline", "samples/s", two, others[0], TARGET_OF_EXAMPLE))
        if apart:
            rows.append(row("two trainings apart, beside 1", "samples/s", others[-1], one, TARGET))
    return rows


def _images(folder: Path, name: str) -> str:
    """The folder of labelled images to train on; "" for captchas."""
    if name not in ("word", "line"):
        return ""
    path = folder / name
    if not path.is_dir():
        data = LINES if name == "line" else ctc_ocr.Data()
        ctc_ocr.CaptchaWriter.create(data, seed=5).write_folder(path, 600)
    return str(path)


def _train(name: str, images: str, workers: int, samples: int, batch_size: int) -> float:
    with tempfile.TemporaryDirectory(prefix="ctc_ocr-workers-") as folder:
        given = (name, images, workers, Path(folder) / "ocr", samples, EPOCHS, batch_size)
        return _output([sys.executable, "-c", TRAIN, *map(str, given)])


def _train_apart(name: str, images: str, samples: int, batch_size: int) -> float:
    """The sum of two trainings at once."""
    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(lambda _: _train(name, images, 1, samples, batch_size), range(2)))


def _output(command: Sequence[str]) -> float:
    """The median of the numbers that a command prints."""
    done = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    return statistics.median(map(float, done.stdout.split()))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.workers", description="Two training workers beside one.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="for images; they are kept")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each measurement (default: 3)")
    parser.add_argument("--presets", nargs="+", default=["lstm", "crnn", "word", "line"], help="default: all four")
    parser.add_argument("--samples", type=int, default=3200, help="of an epoch (default: 3200)")
    parser.add_argument("--batch_size", type=int, help="samples per batch (default: the preset's)")
    parser.add_argument("--example", action="store_true", help="also the pipeline of MXNet's example")
    parser.add_argument("--apart", action="store_true", help="also two trainings at once, without the sum")
    options = parser.parse_args(argv)
    options.folder.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(f"Load of the machine before: {load:.1f}\n")
    given = (options.presets, options.rounds, options.samples, options.batch_size)
    print(comparison(measure(options.folder, *given, options.example, options.apart)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
