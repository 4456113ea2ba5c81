"""One Predictor shared by threads: images per second of 1, 2 and 8, and whether the texts are those of one thread.

    python -m benchmarks.threads [--images 2000] [--rounds 3]

The example's network, trained for some seconds, reads PNG files one at a time, as a server does; MXNet has one thread.
Threads share one executor: what can run side by side is reading and preparing the files, and decoding.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.common import isolated
from benchmarks.reading import trained
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.captcha_files import CaptchaWriter
from ctc_ocr.inference.predictor import Predictor

THREADS = (1, 2, 8)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.threads", description="One Predictor for several threads.")
    parser.add_argument("--images", type=int, default=2000, help="images (default: 2000)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each number of threads (default: 3)")
    options = parser.parse_args()
    print("\n".join(table(isolated(1, "threads", options.images, options.rounds, 12_800))))


def measure(images: int, rounds: int, samples: int) -> dict[str, list[float]]:
    """{threads: images/s of each turn}, and under "other texts" how many texts differed from those of one thread.

    The network is trained on `samples` samples.
    """
    with tempfile.TemporaryDirectory() as folder:
        trained(str(Path(folder) / "ocr"), samples)
        predictor = Predictor(Path(folder) / "ocr")
        CaptchaWriter.create(Data(), seed=1).write_folder(Path(folder) / "captchas", images)
        paths = sorted((Path(folder) / "captchas").glob("*.png"))
        expected, _ = texts_and_speed(predictor, paths, 1)
        measured: dict[str, list[float]] = {"other texts": [0.0]}
        for _, count in itertools.product(range(rounds), THREADS):
            found, speed = texts_and_speed(predictor, paths, count)
            measured.setdefault(str(count), []).append(speed)
            measured["other texts"][0] += sum(one != other for one, other in zip(expected, found, strict=True))
        return measured


def texts_and_speed(predictor: Predictor, paths: Sequence[Path], count: int) -> tuple[list[str], float]:
    """What each image shows, read one at a time by so many threads, and images/s."""
    start = time.perf_counter()
    with ThreadPoolExecutor(count) as threads:
        texts = [prediction.text for prediction in threads.map(predictor.read, paths)]
    return texts, len(paths) / (time.perf_counter() - start)


def table(measured: dict[str, list[float]]) -> list[str]:
    medians = {count: statistics.median(measured[str(count)]) for count in THREADS}
    lines = ["| threads | images/s | beside one thread |", "| ---: | ---: | ---: |"]
    lines += [f"| {count} | {speed:,.0f} | {speed / medians[1]:.2f}x |" for count, speed in medians.items()]
    return [*lines, "", f"texts that differ from those of one thread: {measured['other texts'][0]:.0f}"]


if __name__ == "__main__":
    main()
