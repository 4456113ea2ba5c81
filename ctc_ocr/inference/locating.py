"""Where the images of items are, for the process that reads them. No MXNet."""

import os
import stat
from collections import Counter
from pathlib import Path
from typing import Any

from ctc_ocr.checkpoint.known_images import KnownImages, Part
from ctc_ocr.datasets.samples import Problem, Sample
from ctc_ocr.errors import InputError
from ctc_ocr.images.digest import pixel_digest
from ctc_ocr.images.files import read_encoded, read_image
from ctc_ocr.inference.image_list import ListedImage
from ctc_ocr.inference.predictor import Source

Located = tuple[Source, str]  # an image, and its place for errors
Sent = tuple[Source | InputError, str]  # the same for another process, or why there is none
OF_ONE_PROCESS = ("/dev/fd/", "/dev/std", "/proc/")  # paths that mean something else in every process


class CountingLocate:
    """A function that finds the image of an item, and counts. Other processes have copies of it, and what they count
    is added to `counts`."""

    def __init__(self) -> None:
        self.counts: Counter[Any] = Counter()

    def __call__(self, item: Any) -> Located:
        raise NotImplementedError

    def take_counts(self) -> Counter[Any]:
        """What was counted since the last time."""
        taken, self.counts = self.counts, Counter()
        return taken


class KnownSamples(CountingLocate):
    """Finds a sample's image, and counts those that the model was trained on or validated with."""

    def __init__(self, images: KnownImages | None) -> None:
        super().__init__()
        self._images = images

    def count(self, part: Part) -> int | None:
        """None if the model's images are not known."""
        return None if self._images is None else self.counts[part]

    def __call__(self, row: Sample | Problem) -> tuple[bytes, str]:
        """A sample's encoded image and its place. Raises InputError for a row without a sample."""
        if isinstance(row, Problem):
            raise InputError(row.reason, row.where)
        encoded = row.read_bytes()
        if self._images is not None:
            pixels = read_image(encoded, row.place, channels=3)
            self.counts[self._images.part(pixel_digest(pixels))] += 1
        return encoded, row.place


def locate_listed(image: ListedImage) -> Located:
    """The path of a listed image, and its place. Raises InputError for a row that names none."""
    if image.problem:
        raise InputError(image.problem, image.where)
    return image.path, f"{image.where}: {image.path}" if image.where else str(image.path)


def send_listed(image: ListedImage) -> Sent:
    """A listed image for another process."""
    try:
        return sendable(*locate_listed(image))
    except InputError as error:
        return error, ""


def sendable(image: Source, where: str) -> Sent:
    """An image as another process can read it: a path, but for what only this process has open, such as a pipe, which
    is read here."""
    try:
        if isinstance(image, memoryview | bytearray):
            return bytes(image), where
        if isinstance(image, str | os.PathLike) and not _is_for_all(image):
            return read_encoded(image, where), where
        return image, where
    except InputError as error:
        return error, ""


def received(sent: Sent) -> Located:
    """The other end of these. Raises the InputError that they caught."""
    image, where = sent
    if isinstance(image, InputError):
        raise image
    return image, where


def _is_for_all(path: str | os.PathLike[str]) -> bool:
    """Whether a path is the same file in every process, or none at all."""
    if str(Path(path).absolute()).startswith(OF_ONE_PROCESS):
        return False
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):  # nor will another process find it
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
