"""Where the characters of a wild image are: one affine map per character, and the size of the image."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.rendering.wild_dice import Dice
from ctc_ocr.rendering.wild_glyphs import EM, MARGIN, STYLES, Glyph, GlyphCache

MIN_HEIGHT, MAX_HEIGHT = 26, 64  # of an image, in pixels
MIN_SIZE = 19  # of the font, in pixels
MAX_RATIO = 30  # of an image's width to its height
STYLE_WEIGHTS = ("plain",) * 6 + ("bold",) * 2 + ("thin", "hollow")


@dataclass(frozen=True, slots=True)
class Look:
    """How characters are drawn. Lengths are in units of the font's size."""

    fonts: tuple[int, ...]  # one, or one per character
    styles: tuple[str, ...]
    sizes: tuple[float, ...]  # factors
    angles: tuple[float, ...]  # radians
    shears: tuple[float, ...]
    shifts: tuple[float, ...]  # down
    gap: float
    gap_jitter: float
    monospaced: bool  # one cell width for all characters


@dataclass(frozen=True, slots=True)
class Layout:
    """The characters' places in an image of height by width pixels. `size`: the font's, in pixels; `boxes` are the
    characters' left, top, right and bottom edges, in pixels."""

    height: int
    width: int
    size: float
    glyphs: NDArray[np.int64]
    maps: NDArray[np.float64]
    boxes: list[tuple[float, float, float, float]]


def random_look(dice: Dice, text: str, cache: GlyphCache, calm: bool) -> Look:
    """calm: as print, a plate or a meter has it."""
    count = len(text)
    fonts = _fonts(dice, text, cache, calm)
    one_style = dice.pick(STYLE_WEIGHTS) if not calm else dice.pick(("plain", "plain", "bold"))
    styles = tuple(dice.pick(STYLES) if not calm and dice.chance(0.1) else one_style for _ in text) \
        if dice.chance(0.3) else (one_style,) * count  # fmt: skip
    still = calm or dice.chance(0.2)
    reach = 0.0 if still else math.radians(dice.pick((8, 15, 20, 25, 30, 40)))
    tilt = 0.0 if still or dice.chance(0.7) else dice.around(math.radians(20))
    slant = dice.around(0.35) if dice.chance(0.25) else 0.0
    shear = 0.0 if still or dice.chance(0.5) else 0.25
    growth = 0.0 if still or dice.chance(0.3) else dice.between(0.05, 0.35)
    shift = 0.0 if still or dice.chance(0.3) else dice.between(0.03, 0.3)
    bow, phase = (dice.around(0.3), dice.between(0, 6.3)) if not still and dice.chance(0.25) else (0.0, 0.0)
    return Look(
        fonts=fonts,
        styles=styles,
        sizes=tuple(1 + dice.around(growth) for _ in text),
        angles=tuple(tilt + dice.around(reach) for _ in text),
        shears=tuple(slant + dice.around(shear) for _ in text),
        shifts=tuple(dice.around(shift) + bow * math.sin(phase + place) for place in range(count)),
        gap=_gap(dice, calm),
        gap_jitter=0.0 if still else dice.between(0, 0.12),
        monospaced=dice.chance(0.25),
    )


def _fonts(dice: Dice, text: str, cache: GlyphCache, calm: bool) -> tuple[int, ...]:
    whole = cache.fonts_with(text)
    if whole and (calm or dice.chance(0.6)):
        return (dice.pick(whole),) * len(text)
    if dice.chance(0.5) and whole:
        few = [dice.pick(whole) for _ in range(3)]
        return tuple(dice.pick(few) for _ in text)
    return tuple(dice.pick(cache.fonts_with(character)) for character in text)


def _gap(dice: Dice, calm: bool) -> float:
    if calm:
        return dice.between(0.04, 0.2)
    kind = dice.unit()
    if kind < 0.2:
        return dice.between(-0.1, 0.0)
    return dice.between(0.0, 0.15) if kind < 0.75 else dice.between(0.15, 0.6)


@dataclass(frozen=True, slots=True)
class _Place:
    """A character's ink: its centre, half its extent along both axes, and its linear map, in font sizes."""

    glyph: Glyph
    x: float
    y: float
    half_width: float
    half_height: float
    linear: tuple[float, float, float, float]


def lay_out(dice: Dice, text: str, look: Look, cache: GlyphCache, margins: tuple[float, float]) -> Layout:
    """The text in one line. margins: the least ones, beside and above it, in font sizes; random ones are added."""
    places = _places(dice, text, look, cache)
    left = min((each.x - each.half_width for each in places), default=0.0)
    right = max((each.x + each.half_width for each in places), default=1.0)
    top = min((each.y - each.half_height for each in places), default=-0.7)
    bottom = max((each.y + each.half_height for each in places), default=0.0)
    bottom, right = max(bottom, top + 0.3), max(right, left + 0.2)  # a full stop is not as tall as its image
    before, after, above, below = (
        margins[side // 2] + _margin(dice, wide=side < 2) for side in range(4)
    )  # fmt: skip
    if dice.chance(0.06):  # the text fills only a part of a wide picture
        before, after = before + dice.between(0, 2), after + dice.between(0, 2)
    height = dice.whole(MIN_HEIGHT, MAX_HEIGHT) if dice.chance(0.4) else dice.whole(36, 50)
    tall = bottom - top + above + below
    height = max(height, min(math.ceil(MIN_SIZE * tall), 2 * MAX_HEIGHT))
    size = height / tall
    width = max(8, min(math.ceil((right - left + before + after) * size), MAX_RATIO * height))
    origin_x, origin_y = before - left, above - top
    drawn = [each for each in places if each.glyph.full[1]]
    glyphs = np.zeros((len(drawn), 3), np.int64)
    maps = np.zeros((len(drawn), 6), np.float64)
    boxes = []
    for n, place in enumerate(drawn):
        x, y = (place.x + origin_x) * size, (place.y + origin_y) * size
        glyphs[n], maps[n] = _map(place, x, y, size)
        across, down = place.half_width * size, place.half_height * size
        boxes.append((x - across, y - down, x + across, y + down))
    return Layout(height, width, size, glyphs, maps, boxes)


def _margin(dice: Dice, wide: bool) -> float:
    kind = dice.unit()
    if kind < 0.45:
        return dice.between(0.02, 0.12)
    return dice.between(0.1, 0.35) if kind < 0.85 else dice.between(0.2, 1.0 if wide else 0.6)


def _places(dice: Dice, text: str, look: Look, cache: GlyphCache) -> list[_Place]:
    places: list[_Place] = []
    edge = 0.0
    cell = 0.0
    found = [cache.find(*each) for each in zip(look.fonts, text, look.styles, strict=True)]
    if look.monospaced:
        cell = max(max(glyph.width, 0.3) for glyph in found)
    for n, glyph in enumerate(found):
        scale, angle, shear = look.sizes[n], look.angles[n], look.shears[n]
        cosine, sine = math.cos(angle) * scale, math.sin(angle) * scale
        # Shear first (the top moves to the right), then rotation.
        linear = (cosine, -shear * cosine - sine, sine, -shear * sine + cosine)
        half_width = (abs(linear[0]) * glyph.width + abs(linear[1]) * glyph.height) / 2
        half_height = (abs(linear[2]) * glyph.width + abs(linear[3]) * glyph.height) / 2
        if not glyph.full[1]:
            edge += max(glyph.advance, 0.2) * scale + look.gap
            continue
        # A rotated character's box overstates its ink: its neighbours may come nearer.
        room = max(0.62 * half_width, glyph.width * scale / 2, cell * scale / 2)
        if n:
            edge += max(look.gap + dice.around(look.gap_jitter), -0.25 * min(room, places[-1].half_width) * 2) \
                if places else 0.0  # fmt: skip
        centre_y = (glyph.top + glyph.height / 2) * scale + look.shifts[n]
        places.append(_Place(glyph, edge + room, centre_y, half_width, half_height, linear))
        edge += 2 * room
    return places


def _map(place: _Place, x: float, y: float, size: float) -> tuple[tuple[int, int, int], tuple[float, ...]]:
    """The bitmap, and the affine map from the layer to it, of a character whose ink is centred at (x, y) pixels."""
    full, half = place.glyph.full, place.glyph.half
    halved = size * max(abs(place.linear[0]), abs(place.linear[3])) < 0.6 * EM
    bitmap, em = (half, EM / 2) if halved else (full, float(EM))
    margin = MARGIN / 2 if halved else float(MARGIN)
    across = margin + place.glyph.width * em / 2 - 0.5
    down = margin + place.glyph.height * em / 2 - 0.5
    scale = em / size
    xx, xy, yx, yy = place.linear
    det = xx * yy - xy * yx
    a, b, d, e = (scale * each / det for each in (yy, -xy, -yx, xx))
    return bitmap, (a, b, across - a * x - b * y, d, e, down - d * x - e * y)
