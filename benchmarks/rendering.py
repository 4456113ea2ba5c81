"""Images per second on one core: the fast and the wild renderer against the way of MXNet's example.

The baseline renders at 160x60 with the captcha library, encodes PNG, decodes it to grey and shrinks it to 80x30, one
image after the other. The fast renderer draws batches of 32; the wild one draws grey images of about 44 pixels' height,
of the same texts, in sizes of its own.
"""

import cv2
import numpy as np

from benchmarks import queue_feed
from benchmarks.common import DRAW_HEIGHT, DRAW_WIDTH, FONT, HEIGHT, WIDTH, Row, in_turns, row, seconds
from ctc_ocr.rendering.fast import FastRenderer
from ctc_ocr.rendering.wild import WildRenderer

TARGET = 40
WILD_TARGET = 6
BATCH = 32


def measure(rounds: int, images: int, baseline_images: int) -> list[Row]:
    """Of `rounds` turns of so many images each."""
    cv2.setNumThreads(1)
    texts = [queue_feed.random_text() for _ in range(max(images, baseline_images))]
    renderer = FastRenderer((FONT,), DRAW_WIDTH, DRAW_HEIGHT, WIDTH, HEIGHT)
    wild = WildRenderer((FONT,))
    library = queue_feed.captcha()
    generator = np.random.default_rng(0)
    out = np.empty((BATCH, HEIGHT, WIDTH), np.uint8)

    def ours() -> float:
        def draw() -> None:
            for first in range(0, images, BATCH):
                batch = texts[first : min(first + BATCH, images)]
                seeds = generator.integers(0, 2**64, size=len(batch), dtype=np.uint64)
                renderer.render_batch(batch, seeds, out[: len(batch)])

        return images / seconds(draw)

    def any_look() -> float:
        return images / seconds(lambda: [wild.render_seeded(text, seed) for seed, text in enumerate(texts[:images])])

    def baseline() -> float:
        return baseline_images / seconds(lambda: [queue_feed.draw(library, text) for text in texts[:baseline_images]])

    renderer.prepare()
    in_turns(1, ours, any_look, baseline)  # glyphs are drawn and cached at their first use, on all sides
    mine, wilds, theirs = in_turns(rounds, ours, any_look, baseline)
    return [
        row("captcha images on one core", "images/s", mine, theirs, TARGET),
        row("wild images on one core", "images/s", wilds, theirs, WILD_TARGET),
    ]
