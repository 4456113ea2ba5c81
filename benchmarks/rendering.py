# ruff: noqa: E402 (the threads are limited before NumPy is loaded)
"""Captcha images a second on one core: the fast renderer against the way of MXNet's example.

The baseline draws at 160x60 with the captcha library, encodes PNG, decodes it to grey and shrinks it to 80x30, one
image after the other. Both are measured in turns, and the ratio is that of the medians.

    python benchmarks/rendering.py [--rounds 15] [--font fonts/Ubuntu-M.ttf]
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import cv2
import numpy as np
from captcha.image import ImageCaptcha

from ctc_ocr.rendering.fast import FastRenderer

BASELINE_IMAGES = 60
FAST_IMAGES = 1280
BATCH = 128


def baseline(captcha: ImageCaptcha, texts: list[str]) -> None:
    for text in texts:
        png = np.frombuffer(captcha.generate(text).getvalue(), np.uint8)
        cv2.resize(cv2.imdecode(png, cv2.IMREAD_GRAYSCALE), (80, 30))


def fast(renderer: FastRenderer, texts: list[str], generator: np.random.Generator, out: np.ndarray) -> None:
    for first in range(0, len(texts), BATCH):
        batch = texts[first : first + BATCH]
        seeds = generator.integers(0, 2**64, size=len(batch), dtype=np.uint64)
        renderer.render_batch(batch, seeds, out[: len(batch)])


def measure(rounds: int, font: str) -> dict[str, float]:
    """Medians of `rounds` interleaved rounds: images/s of both, their ratio, and the seconds that prepare() took."""
    cv2.setNumThreads(1)
    generator = np.random.default_rng(0)
    texts = ["".join(generator.choice(list("0123456789"), generator.integers(3, 5))) for _ in range(FAST_IMAGES)]
    captcha = ImageCaptcha(160, 60, fonts=[font])
    renderer = FastRenderer((font,))
    prepared = _seconds(renderer.prepare)
    out = np.empty((BATCH, 30, 80), np.uint8)
    baseline(captcha, texts[:10])
    fast(renderer, texts, generator, out)
    slow_times, fast_times = [], []
    for _ in range(rounds):
        slow_times.append(_seconds(lambda: baseline(captcha, texts[:BASELINE_IMAGES])) / BASELINE_IMAGES)
        fast_times.append(_seconds(lambda: fast(renderer, texts, generator, out)) / len(texts))
    slow, quick = statistics.median(slow_times), statistics.median(fast_times)
    return {"baseline": 1 / slow, "fast": 1 / quick, "ratio": slow / quick, "prepare_seconds": prepared}


def _seconds(job: Callable[[], None]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--font", default="fonts/Ubuntu-M.ttf")
    arguments = parser.parse_args()
    result = measure(arguments.rounds, arguments.font)
    print(f"captcha library, PNG, decoded, shrunk  {result['baseline']:10,.0f} images/s")
    print(f"fast renderer                          {result['fast']:10,.0f} images/s")
    print(f"ratio of the medians                   {result['ratio']:10.1f}")
    print(f"loading or compiling the kernels       {result['prepare_seconds']:10.2f} s")


if __name__ == "__main__":
    main()
