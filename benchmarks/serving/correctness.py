"""Many requests, each answer checked, and a SIGTERM in the middle."""

import asyncio
import os
import signal
from pathlib import Path

import numpy as np

import ctc_ocr
from benchmarks.serving.client import Load, multipart_request, run_load
from benchmarks.serving.servers import ours

CONNECTIONS, REQUESTS, MOST = 16, 200, 5
CUT_AFTER = 0.5  # of the requests


def checked(model: Path, images: Path, count: int) -> str:
    """In words: `count` requests of one to five images; then as many to a server that gets SIGTERM in the middle."""
    files = [path.read_bytes() for path in sorted(images.glob("*.png"))]
    texts = [each.text for each in ctc_ocr.Predictor(model).predict(files)]
    generator = np.random.default_rng(0)
    chosen = [generator.integers(0, len(files), 1 + number % MOST) for number in range(REQUESTS)]
    requests = [multipart_request("/read", [files[index] for index in each]) for each in chosen]
    expected = [[texts[index] for index in each] for each in chosen]
    with ours(model) as server:
        whole = asyncio.run(run_load(server.port, requests, expected, CONNECTIONS, count))
    with ours(model) as server:
        cut = asyncio.run(_cut(server.port, requests, expected, count, server.process.pid))
        status = server.process.wait(60)
    return (
        f"{len(whole.seconds):,} of {count:,} requests answered, {whole.wrong} wrong. With SIGTERM in the middle: "
        f"{len(cut.seconds):,} answered, {cut.wrong} wrong, {cut.unanswered} accepted and not answered, exit status "
        f"{status}."
    )


async def _cut(port: int, requests: list[bytes], expected: list[list[str]], count: int, server: int) -> Load:
    event = int(count * CUT_AFTER), lambda: os.kill(server, signal.SIGTERM)
    return await run_load(port, requests, expected, CONNECTIONS, count, event)
