"""Where the characters of a text are in an image.

The time steps of an alignment lie within a character, though seldom at its middle: in a network's spikes nothing says
where a character begins. So two neighbours are divided where there is least ink between their steps, and the paper on
both sides is left away. This is done twice: from the first time it is known how far from the middles of its characters
the steps of this image are, and the second time columns that are far from where a character should end count as inked.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from ctc_ocr.decoding.alignment import AlignedUnit
from ctc_ocr.images.grey import grey
from ctc_ocr.images.pixels import Pixels, percentiles
from ctc_ocr.inference.prediction import Character

Place = tuple[int, int]
Ink = list[float]  # of each column
FIRST_DISTANCE, DISTANCE = 0.3, 6.0  # what a distance of one spacing counts, in means of a column's ink
LEAST_INK = 0.1  # of a character's darkest column: less is paper
WIDTH_OF_ONE = 0.6  # of the height: how wide a character without neighbours may be


@dataclass(frozen=True)
class Origin:
    """Where a prepared image lies in the image that it was made of: its column x is at `left` + `scale` x there. With
    `vertical`, that is a row there: the image was transposed. `inner`: which columns are of that image, first and one
    after the last; None: all."""

    left: float
    scale: float
    vertical: bool = False
    inner: Place | None = None

    def of_original(self, column: int) -> float:
        """Where a column of the prepared image is in the original; one outside of it is at its edge."""
        if self.inner is not None:
            column = min(max(column, self.inner[0]), self.inner[1])
        return self.left + self.scale * column


def placed(
    characters: Sequence[Character], units: Sequence[AlignedUnit], image: Pixels, origin: Origin, columns_per_step: int
) -> list[Character]:
    """The characters of a prepared image, (H, W) or (H, W, 3) uint8, with their places in its original."""
    spans = [(unit.start * columns_per_step, unit.stop * columns_per_step) for unit in units]
    ends = [[origin.of_original(column) for column in place] for place in places(image, spans)]
    if origin.vertical:
        return [replace(each, top=top, bottom=bottom) for each, (top, bottom) in zip(characters, ends, strict=True)]
    return [replace(each, left=left, right=right) for each, (left, right) in zip(characters, ends, strict=True)]


def places(image: Pixels, spans: Sequence[tuple[int, int]]) -> list[Place]:
    """(left, right) of each character, in columns of a prepared image, (H, W) or (H, W, 3) uint8: 0 to W, ascending.

    spans: the columns, first and one after the last, of each character's time steps, ascending. Those of a text
    that has no alignment are empty, and so are its places.
    """
    if not spans or spans[0][0] == spans[0][1]:
        return [(0, 0)] * len(spans)
    ink = _ink(image)
    middles = [min((start + stop) / 2, len(ink) - 0.5) for start, stop in spans]
    gaps = [right - left for left, right in zip(middles, middles[1:], strict=False)]
    spacing = max(1.0, median(gaps) if gaps else WIDTH_OF_ONE * len(image))
    first = _cells(ink, middles, spacing, 0.0, FIRST_DISTANCE)
    shift = median((left + right) / 2 - middle for (left, right), middle in zip(first, middles, strict=True))
    return _cells(ink, middles, spacing, shift, DISTANCE)


def _ink(image: Pixels) -> Ink:
    """Ink in each column, a little smoothed: how far it is from the paper's level, on the ink's side of it."""
    levels = grey(image)
    dark, paper, light = percentiles(levels, (1, 50, 99))
    amounts = np.arange(256) - paper
    amounts = np.maximum(0.0, amounts if paper < (dark + light) / 2 else -amounts)
    found = amounts[levels].sum(axis=0)
    smoothed = np.convolve(found, (0.25, 0.5, 0.25), "same") if len(found) > 2 else found
    return [float(each) for each in smoothed]


def _cells(ink: Ink, middles: Sequence[float], spacing: float, shift: float, distance: float) -> list[Place]:
    """Places of characters whose middles are about `shift` columns to the right of those of their steps."""
    weight = distance * sum(ink) / len(ink) / spacing**2
    between = [_least(ink, *pair, shift, weight) for pair in zip(middles, middles[1:], strict=False)]
    ends = (max(0, round(middles[0] - spacing)), min(len(ink), round(middles[-1] + spacing)))
    edges = [ends[0], *between, ends[1]]
    return [_without_paper(ink, *pair) for pair in zip(edges, edges[1:], strict=False)]


def _least(ink: Ink, left: float, right: float, shift: float, weight: float) -> int:
    """The first column after the one with the least ink between the steps of two neighbours: after the middle one of
    several."""
    columns = range(int(left) + 1, int(right))
    if not columns:
        return math.ceil((left + right) / 2)
    wanted = (left + right) / 2 + shift - 0.5
    costs = [ink[column] + weight * (column - wanted) ** 2 for column in columns]
    least = min(costs)
    equal = [column for column, cost in zip(columns, costs, strict=True) if cost == least]
    return equal[len(equal) // 2] + 1


def _without_paper(ink: Ink, first: int, last: int) -> Place:
    """The columns of a character, without those that have hardly any ink on both sides."""
    least = LEAST_INK * max(ink[first:last], default=0.0)
    inked = [column for column in range(first, last) if ink[column] > least]
    return (inked[0], inked[-1] + 1) if inked else (first, last)
