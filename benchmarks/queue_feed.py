"""Baseline: the generator of MXNet's CTC example, one sample at a time through a multiprocessing queue. No MXNet."""

import multiprocessing
import secrets
from typing import Any

import cv2
import numpy as np
from captcha.image import ImageCaptcha
from numpy.typing import NDArray

from benchmarks.common import DIGITS, DRAW_HEIGHT, DRAW_WIDTH, FONT, HEIGHT, MAX_LENGTH, MIN_LENGTH, WIDTH

QUEUE_SIZE = 256


def captcha() -> ImageCaptcha:
    return ImageCaptcha(DRAW_WIDTH, DRAW_HEIGHT, fonts=[FONT])


def random_text() -> str:
    length = MIN_LENGTH + secrets.randbelow(MAX_LENGTH - MIN_LENGTH + 1)
    return "".join(secrets.choice(DIGITS) for _ in range(length))


def draw(library: ImageCaptcha, text: str) -> NDArray[np.uint8]:
    """Drawn by the library at 160x60, encoded as PNG, decoded to grey and shrunk to (30, 80)."""
    png = np.frombuffer(library.generate(text).getvalue(), np.uint8)
    image = cv2.resize(cv2.imdecode(png, cv2.IMREAD_GRAYSCALE), (WIDTH, HEIGHT))
    return np.asarray(image, np.uint8)


def _work(queue: Any) -> None:
    cv2.setNumThreads(1)
    library = captcha()
    while True:
        text = random_text()
        queue.put((text, draw(library, text)))


class QueueFeed:
    """Processes that draw; `next_sample` gives a text and its image (30, 80). A context manager."""

    def __init__(self, num_proc: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._queue: Any = context.Queue(QUEUE_SIZE)
        self._processes = [context.Process(target=_work, args=(self._queue,), daemon=True) for _ in range(num_proc)]

    def __enter__(self) -> "QueueFeed":
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.join()
        self._queue.close()

    def next_sample(self) -> tuple[str, NDArray[np.uint8]]:
        sample: tuple[str, NDArray[np.uint8]] = self._queue.get()
        return sample
