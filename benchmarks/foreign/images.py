"""The images of a generator, drawn by its driver one after the other, as a labelled folder."""

import csv
import io
import os
import selectors
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

from PIL import Image

from benchmarks.foreign.environments import Driver
from benchmarks.foreign.generators import Generator
from ctc_ocr.errors import RunError
from ctc_ocr.images.digest import pixel_digest
from ctc_ocr.images.files import read_image

MAX_REPEATED = 100  # images in a row that were drawn before
SECONDS = 60.0  # most time for one image


class Drawing:
    """A driver that is running: `draw` gives an image and its text. A context manager, which ends it."""

    def __init__(self, driver: Driver, seed: int, folder: Path, seconds: float) -> None:
        """folder: for what it draws and says; seconds: most time for one image; the first one's includes the start."""
        self._path, self._seconds, self._log = folder / "drawn", seconds, folder / "driver.log"
        command = (*driver.command, str(seed))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1", **driver.environment}, bufsize=0,
            )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout

    def __enter__(self) -> "Drawing":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._stdin.close()
        self._stdout.close()

    def draw(self) -> tuple[bytes, str]:
        """The next image as a PNG file, and its text. Raises RunError if the driver fails or takes too long."""
        try:
            self._stdin.write(f"{self._path}\n".encode())
        except BrokenPipeError:
            raise self._failure() from None
        text = self._line().decode("utf-8").rstrip("\n")
        try:
            image = _as_png(self._path.read_bytes())
            self._path.unlink()  # or it could be taken for the next one
        except OSError as error:
            raise RunError(f"its driver said {text!r} and drew no image: {error}") from None
        return image, text

    def _line(self) -> bytes:
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(self._seconds):
                    raise RunError(f"no image within {self._seconds:g} seconds")
                part = os.read(self._stdout.fileno(), 4096)
                if not part:
                    raise self._failure()
                line += part
        return line

    def _failure(self) -> RunError:
        said = self._log.read_text(encoding="utf-8", errors="replace").strip()
        return RunError(f"its driver ended: {said[-500:]}")


def _as_png(encoded: bytes) -> bytes:
    """The first frame of an image as PNG: unchanged if it is one, else with the same pixels."""
    with Image.open(io.BytesIO(encoded)) as image:
        if image.format == "PNG":
            return encoded
        stream = io.BytesIO()
        image.save(stream, "PNG")
    return stream.getvalue()


def write_images(
    generator: Generator, driver: Driver, folder: Path, count: int, seed: int, seconds: float = SECONDS
) -> None:
    """Draw so many images, no two with the same pixels, into a new folder with labels.csv.

    The folder has its name when all of them are there. Raises RunError if the generator fails, and if a text does not
    fit what the table says of it.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with Drawing(driver, seed, partial, seconds) as drawing:
        rows = []
        for index, (image, text) in enumerate(_distinct(drawing, count)):
            _check(generator, text)
            rows.append((f"{index:05}.png", text))
            (partial / rows[-1][0]).write_bytes(image)
    write_rows(partial / "labels.csv", [("image", "label"), *rows])
    (partial / "driver.log").unlink()
    partial.rename(folder)


def _distinct(drawing: Drawing, count: int) -> Iterator[tuple[bytes, str]]:
    seen: set[bytes] = set()
    repeated = 0
    while len(seen) < count:
        image, text = drawing.draw()
        digest = pixel_digest(read_image(image, channels=3))
        if digest in seen:
            repeated += 1
            if repeated > MAX_REPEATED:
                raise RunError(f"draws the same images again and again: {len(seen)} different ones")
            continue
        repeated = 0
        seen.add(digest)
        yield image, text


def _check(generator: Generator, text: str) -> None:
    low, high = generator.lengths
    if not low <= len(text) <= high or not set(text) <= set(generator.alphabet):
        raise RunError(f"the text {text!r} is not {low} to {high} of {generator.alphabet}")


def write_rows(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def read_rows(path: Path) -> list[tuple[str, ...]]:
    """The rows below the header."""
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]
