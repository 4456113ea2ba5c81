"""Finding one line of small characters in a larger picture, by its strokes.

Strokes are thin: an opening or a closing removes them, and leaves larger things as they are. A line of text is a band
with much contrast of strokes in it, and little of it directly above and below. The picture is searched at several
sizes, so that a band of one height finds characters of all heights.
"""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ctc_ocr.images.pixels import Pixels

LINE = 14  # pixels: height of the band, in the resized pictures
STROKE = 7  # pixels: the strokes of such a line are thinner
WINDOW = 3 * LINE  # pixels: width of the band; two or three characters
MIN_HEIGHT = 12  # pixels: lower lines are not looked for
STEP = 1.4  # ratio of the heights that are looked for
MAX_SIDE = 1000  # pixels: in larger pictures, only lines are looked for that are MIN_HEIGHT high at this size
LARGEST = 0.35  # of the picture's height: higher lines need not be cut out
MAX_CONTRAST = 96  # levels: a stroke of more contrast counts no more
MIN_CONTRAST = 8.0  # levels: least mean contrast of strokes in a line of text
MIN_EXCESS = 0.35  # the part of this contrast that is more than what is above and below the line
MARGINS = 0.6, 0.3  # at the sides, and above and below: fractions of the line's height
COLUMN_PART, ROW_PART = 0.25, 0.3  # of the most contrast nearby: columns and rows with less are outside the line
# Pixels between two characters of a line: of these, which are up to 20 high, 1.25 times the height. So wide are a space
# of a font for typewriters, and what is empty beside a narrow character.
MAX_GAP = 25

Plane = NDArray[Any]  # (H, W)


@dataclass(frozen=True, slots=True)
class Box:
    """A part of an image in pixels; right and bottom are the first column and row outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def with_margins(self, width: int, height: int) -> "Box":
        """With MARGINS, as far as an image of this size has room for them."""
        sides, ends = (round(each * self.height) for each in MARGINS)
        return Box(
            max(0, self.left - sides), max(0, self.top - ends),
            min(width, self.right + sides), min(height, self.bottom + ends),
        )  # fmt: skip


def find_text(image: Pixels, largest: float = LARGEST) -> Box | None:
    """Where the line of text is in an image, (H, W) or (H, W, 3) uint8, without a margin; None if nothing stands out.

    `largest`: the greatest height of a line that is looked for, as a fraction of the image's. Colours are used if there
    are any: an image and its grey levels may give different boxes.
    """
    rows, columns = image.shape[:2]
    height = MIN_HEIGHT * max(1.0, max(rows, columns) / MAX_SIDE)
    best: _Place | None = None
    while height <= largest * rows:
        place = _best_place(image, LINE / height)
        if place is not None and (best is None or place.excess > best.excess):
            best = place
        height *= STEP
    return None if best is None else _box_around(best, columns, rows)


def cut_text(image: Pixels) -> tuple[Pixels, int]:
    """The line of text with a margin, as an image of its own, and its first column in the image; the whole image if
    nothing stands out."""
    box = find_text(image)
    if box is None:
        return image, 0
    height, width = image.shape[:2]
    box = box.with_margins(width, height)
    cut = image[box.top : box.bottom, box.left : box.right]
    return cut.copy(), box.left  # not a view, which would keep the whole image


@dataclass(frozen=True)
class _Place:
    """The middle of a band that may be text, in a picture resized by `factor`; and by how many levels the contrast of
    its strokes exceeds that of its surroundings."""

    strokes: Plane
    factor: float
    row: int
    column: int
    excess: float


def _best_place(image: Pixels, factor: float) -> _Place | None:
    """The place that stands out most among lines of LINE / factor pixels."""
    rows, columns = (round(factor * each) for each in image.shape[:2])
    if min(rows, columns) < LINE:
        return None
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    strokes = _strokes(cv2.resize(image, (columns, rows), interpolation=method))
    inside = cv2.boxFilter(strokes, cv2.CV_32F, (WINDOW, LINE), borderType=cv2.BORDER_CONSTANT)
    half = cv2.boxFilter(strokes, cv2.CV_32F, (WINDOW, LINE // 2), borderType=cv2.BORDER_REPLICATE)
    away = LINE // 2 + LINE // 4 + 2  # from the band's middle to that of a half one, beyond ascenders
    excess = inside - np.maximum(_moved(half, away), _moved(half, -away))
    excess[(inside < MIN_CONTRAST) | (excess < MIN_EXCESS * inside)] = 0
    row, column = divmod(int(excess.argmax()), columns)
    most = float(excess[row, column])
    return _Place(strokes, factor, row, column, most) if most > 0 else None


def _strokes(image: Pixels) -> Plane:
    """(H, W) uint8: contrast of thin dark or light structures, the greatest of all channels."""
    square = cv2.getStructuringElement(cv2.MORPH_RECT, (STROKE, STROKE))
    light = cv2.morphologyEx(image, cv2.MORPH_TOPHAT, square)
    dark = cv2.morphologyEx(image, cv2.MORPH_BLACKHAT, square)
    first, *others = cv2.split(cv2.max(light, dark))
    for each in others:
        first = cv2.max(first, each)
    return np.asarray(np.minimum(first, MAX_CONTRAST))


def _moved(plane: Plane, rows: int) -> Plane:
    """Moved down by this number of rows, or up; 0 where nothing moves to: beyond the picture are no strokes."""
    moved = np.zeros_like(plane)
    if rows > 0:
        moved[rows:] = plane[:-rows]
    else:
        moved[:rows] = plane[-rows:]
    return moved


def _box_around(place: _Place, width: int, height: int) -> Box:
    """The line of text around a place, in pixels of the image of this width and height."""
    strokes, row = place.strokes, place.row
    top, bottom = max(0, row - LINE // 2), min(len(strokes), row + LINE // 2 + 1)
    first, last = max(0, top - LINE), bottom + LINE
    around = np.concatenate((strokes[first:top], strokes[bottom:last]))
    ground = float(np.median(around, axis=0).mean()) if len(around) else 0.0
    profile = cv2.blur(strokes[np.newaxis, top:bottom].mean(axis=1) - ground, (LINE // 2, 1))[0]
    left, right = _run(profile, place.column, COLUMN_PART, MAX_GAP)
    upper, lower = _run(strokes[first:last, left:right].mean(axis=1) - ground, row - first, ROW_PART, 2)
    return Box(
        math.floor(left / place.factor), math.floor((first + upper) / place.factor),
        min(width, math.ceil(right / place.factor)), min(height, math.ceil((first + lower) / place.factor)),
    )  # fmt: skip


def _run(profile: NDArray[Any], place: int, part: float, max_gap: int) -> tuple[int, int]:
    """First entry and the one after the last of a run around a place: its entries are at least `part` of the greatest
    nearby, and lie no more than `max_gap` apart."""
    nearby = profile[max(0, place - LINE) : place + LINE + 1]
    high = np.flatnonzero(profile >= part * nearby.max())
    first = last = place
    for index in high[high > place].tolist():
        if index - last > max_gap:
            break
        last = index
    for index in high[high < place][::-1].tolist():
        if first - index > max_gap:
            break
        first = index
    return first, last + 1
