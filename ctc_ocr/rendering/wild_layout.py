"""Where the characters of a wild image are: one affine map per character, and the size of the image."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.rendering.wild_dice import Dice
from ctc_ocr.rendering.wild_glyphs import EM, MARGIN, STYLES, GlyphCache
from ctc_ocr.rendering.wild_kernels import LOOK
from ctc_ocr.rendering.wild_kernels import lay_out as _lay_out

MIN_HEIGHT, MAX_HEIGHT = 26, 64  # of most images, in pixels, that are read USUAL_HEIGHT pixels tall
USUAL_HEIGHT = 40
STYLE_WEIGHTS = ("plain",) * 6 + ("bold",) * 2 + ("thin", "hollow", "hollow")
ROTATIONS = (8, 15, 20, 30, 40, 60, 90)  # degrees: the most that a character of an image is rotated by


@dataclass(frozen=True, slots=True)
class Layout:
    """The characters' places in an image of height by width pixels. `size`: the font's, in pixels. bitmaps (N, 3), maps
    (N, 6) and boxes (N, 4) are those of wild_kernels.lay_out."""

    height: int
    width: int
    size: float
    bitmaps: NDArray[np.int64]
    maps: NDArray[np.float64]
    boxes: NDArray[np.float64]


def random_layout(
    dice: Dice, text: str, cache: GlyphCache, calm: bool, margin: float, height: int = USUAL_HEIGHT
) -> Layout:
    """The text in one line. calm: as print, a plate or a meter has it. margin: the least one, in font sizes. height: at
    which images are read; for a greater one than usual, they are drawn larger."""
    fonts = _fonts(dice, text, cache, calm)
    styles = _styles(dice, len(text), calm)
    indices = [cache.find(*each) for each in zip(fonts, text, styles, strict=True)]
    looks = np.array([_look(dice, calm, margin)], LOOK)
    rows = dice.whole(MIN_HEIGHT, MAX_HEIGHT) if dice.chance(0.4) else dice.whole(36, 50)
    rows = round(rows * max(1.0, height / USUAL_HEIGHT))
    count = len(text)
    bitmaps, maps, boxes = np.empty((count, 3), np.int64), np.empty((count, 6)), np.empty((count, 4))
    rows, columns, size = _lay_out(
        np.uint64(dice.word()), cache.table[indices], looks, rows, EM, MARGIN, bitmaps, maps, boxes
    )
    return Layout(rows, columns, size, bitmaps, maps, boxes)


def _fonts(dice: Dice, text: str, cache: GlyphCache, calm: bool) -> tuple[int, ...]:
    """One font, a few, or one per character."""
    whole = cache.fonts_with(text)
    if whole and (calm or dice.chance(0.6)):
        return (dice.pick(whole),) * len(text)
    if dice.chance(0.5) and whole:
        few = [dice.pick(whole) for _ in range(3)]
        return tuple([dice.pick(few) for _ in text])
    return tuple([dice.pick(cache.fonts_with(character)) for character in text])


def _styles(dice: Dice, count: int, calm: bool) -> tuple[str, ...]:
    style = dice.pick(STYLE_WEIGHTS) if not calm else dice.pick(("plain", "plain", "bold"))
    if calm or dice.chance(0.7):
        return (style,) * count
    return tuple([dice.pick(STYLES) if dice.chance(0.35) else style for _ in range(count)])


def _look(dice: Dice, calm: bool, margin: float) -> tuple[float, ...]:
    """The fields of LOOK."""
    still = calm or dice.chance(0.2)
    rotation = 0.0 if still else math.radians(dice.pick(ROTATIONS))
    shear = 0.0 if still or dice.chance(0.5) else 0.25
    growth = 0.0 if still or dice.chance(0.3) else dice.between(0.05, 0.35 if dice.chance(0.8) else 0.6)
    shift = 0.0 if still or dice.chance(0.3) else dice.between(0.03, 0.3)
    jitter = 0.0 if still else dice.between(0, 0.12)
    tilt = 0.0 if still or dice.chance(0.7) else dice.around(math.radians(20))
    slant = dice.around(0.35) if dice.chance(0.25) else 0.0
    bow, phase = (dice.around(0.3), dice.between(0, 6.3)) if not still and dice.chance(0.25) else (0.0, 0.0)
    cell = 1.0 if dice.chance(0.25) else 0.0
    # The text fills only a part of some wide pictures.
    wide = 2.0 if dice.chance(0.06) else 0.0
    sides = [margin + _margin(dice, 1.0) + dice.between(0, wide) for _ in range(2)]
    ends = [margin + _margin(dice, 0.6) for _ in range(2)]
    return rotation, shear, growth, shift, jitter, tilt, slant, bow, phase, _gap(dice, calm), cell, *sides, *ends


def _gap(dice: Dice, calm: bool) -> float:
    if calm:
        return dice.between(0.04, 0.2)
    kind = dice.unit()
    if kind < 0.2:
        return dice.between(-0.1, 0.0)
    if kind < 0.75:
        return dice.between(0.0, 0.15)
    return dice.between(0.15, 0.6) if kind < 0.95 else dice.between(0.6, 1.5)


def _margin(dice: Dice, widest: float) -> float:
    kind = dice.unit()
    if kind < 0.45:
        return dice.between(0.02, 0.12)
    return dice.between(0.1, 0.35) if kind < 0.85 else dice.between(0.2, widest)
