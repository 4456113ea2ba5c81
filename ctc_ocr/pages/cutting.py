"""Cutting a rectangle out of a page, with its neighbours painted over, in the size that is asked for."""

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
from ctc_ocr.images.pixels import PAPER_PERCENTILE, Pixels, level_at, resize
from ctc_ocr.images.png import encode_png
from ctc_ocr.pages.boxes import Rectangle
from ctc_ocr.runtime.input_files import MIB

MAX_CACHED = 256 * MIB  # bytes of decoded pages that a process keeps, and at least one page
MAX_CUT_SIZE = 10_000  # pixels of a side
SIZE = re.compile(r"(?P<width>\d{0,5})x(?P<height>\d{0,5})|(?P<scale>\d*\.?\d+)")


@dataclass(frozen=True)
class CutSize:
    """The size of what is cut: width and height in pixels, one of them, which keeps the ratio, or a scale."""

    width: int = 0
    height: int = 0
    scale: float = 1.0

    @classmethod
    def parse(cls, text: str) -> "CutSize":
        """Of "64x64", "x64" or "64x" with the ratio kept, or a scale such as "0.5"; "": as it is. Raises InputError."""
        match = SIZE.fullmatch(text)
        found = cls()
        if match and match["scale"]:
            found = cls(scale=float(match["scale"]))
        elif match:
            found = cls(int(match["width"] or 0), int(match["height"] or 0))
        is_given = found.width or found.height or (match and match["scale"])
        if text and not (is_given and max(found.width, found.height) <= MAX_CUT_SIZE and 0.01 <= found.scale <= 10):
            raise InputError(
                f"expected 64x64, x64 or 64x (the ratio is kept) up to {MAX_CUT_SIZE}, or a scale from 0.01 to 10, got "
                f"{text!r}",
                "cut_size",
            )
        return found

    def of(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of what was cut with this size."""
        if self.width and self.height:
            return self.width, self.height
        scale = self.scale
        if self.width or self.height:
            scale = self.width / width if self.width else self.height / height
        return tuple(min(MAX_CUT_SIZE, max(1, round(side * scale))) for side in (width, height))  # type: ignore[return-value]


def with_margin(rectangle: Rectangle, margin: float, side: float) -> Rectangle:
    """Larger on each side by `margin` times `side` pixels, and not beyond the top and the left edge of the page."""
    added = round(margin * side)
    left, top, right, bottom = rectangle
    return Rectangle(max(0, left - added), max(0, top - added), right + added, bottom + added)


def cut(page: Pixels, rectangle: Rectangle, own: Sequence[Rectangle], masked: Sequence[Rectangle]) -> Pixels:
    """The part (h, w, 3) of a page (H, W, 3) uint8 in a rectangle, which may reach beyond the page and is cut there.

    A pixel of a box of `masked` gets the level of the paper, unless it is as near to the middle of one of `own`, in
    widths and heights of the boxes. Raises InputError if an own box is outside of the page.
    """
    height, width = page.shape[:2]
    for box in own:
        if box.left >= width or box.top >= height:
            raise InputError(f"the box at {box.left}, {box.top} is outside of its page of {width}x{height} pixels")
    part = page[rectangle.top : rectangle.bottom, rectangle.left : rectangle.right].copy()
    if masked:
        nearness = [_distances(part, rectangle, boxes) for boxes in (own, masked)]
        hidden = (nearness[1] <= 1) & (nearness[1] < nearness[0])
        part[hidden] = [level_at(part[..., channel], PAPER_PERCENTILE) for channel in range(part.shape[2])]
    return part


def _distances(part: Pixels, rectangle: Rectangle, boxes: Sequence[Rectangle]) -> NDArray[np.float64]:
    """(h, w): from each pixel to the middle of the nearest box, 1 at its edges."""
    rows = np.arange(part.shape[0])[:, None] + rectangle.top + 0.5
    columns = np.arange(part.shape[1])[None, :] + rectangle.left + 0.5
    nearest = np.full(part.shape[:2], np.inf)
    for box in boxes:
        x, y = box.centre
        distance = np.maximum(np.abs(columns - x) / (box.width / 2), np.abs(rows - y) / (box.height / 2))
        np.minimum(nearest, distance, out=nearest)
    return nearest


def encode(image: Pixels, size: CutSize) -> bytes:
    """An image (H, W, 3) uint8 RGB as a PNG file, in a size. Raises InputError if it is too wide or high for one."""
    height, width = image.shape[:2]
    if size != CutSize():
        image = resize(image, *size.of(width, height))
    return encode_png(image)


class PageCache:
    """The pages that were decoded last. Safe to use from several threads."""

    def __init__(self, max_bytes: int = MAX_CACHED) -> None:
        self.max_bytes = max_bytes
        self._pages: OrderedDict[str, Pixels] = OrderedDict()
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def read(self, path: str) -> Pixels:
        """A page (H, W, 3) uint8, which is not to be changed. Raises InputError for one that cannot be read."""
        with self._lock:
            lock = self._locks.setdefault(path, threading.Lock())
        with lock:  # threads that want the same page wait for one of them
            with self._lock:
                if path in self._pages:
                    self._pages.move_to_end(path)
                    return self._pages[path]
            page = read_image(path, channels=3)
            with self._lock:
                self._pages[path] = page
                while len(self._pages) > 1 and self.num_bytes > self.max_bytes:
                    self._pages.popitem(last=False)
            return page

    @property
    def num_bytes(self) -> int:
        """Of the pages that are kept."""
        return sum(page.nbytes for page in self._pages.values())

    def __reduce__(self) -> tuple[Any, ...]:
        return PageCache, (self.max_bytes,)


PAGES = PageCache()  # of this process
