"""Images of text of any look: captchas, plates, meters, print. A model trained on them has seen most of what there is.

An image is made in this order: characters are chosen and placed, the paper is drawn, clutter below the text, the text,
clutter above it; then all is distorted and degraded. Which of these happen, and how much, is random.
"""

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ctc_ocr.config.sections import Data
from ctc_ocr.errors import InputError
from ctc_ocr.rendering import wild_clutter as clutter
from ctc_ocr.rendering import wild_degrading as degrading
from ctc_ocr.rendering import wild_distortions as distortions
from ctc_ocr.rendering import wild_ink, wild_paper
from ctc_ocr.rendering.renderer import Renderer
from ctc_ocr.rendering.wild_colours import Colour, Colours, choose_colours, level
from ctc_ocr.rendering.wild_dice import Dice
from ctc_ocr.rendering.wild_glyphs import GlyphCache
from ctc_ocr.rendering.wild_layout import random_layout

Image = NDArray[np.uint8]
LIGHT_INK = {"dark": 0.05, "light": 0.95, "auto": 0.35}  # probability of light ink on dark paper


class WildRenderer(Renderer):
    """Renders texts in random looks: (H, W) uint8, or (H, W, 3) RGB if data.channels is 3, of random sizes.

    A character is drawn in fonts that have it. Most images have dark ink on light paper, or the ink that `data.ink`
    names. An image depends on text and seed only; other releases of Pillow or OpenCV may draw others. Raises InputError
    for a font that cannot be read, and if no font has one of the characters of `data.alphabet`.
    """

    def __init__(self, fonts: Sequence[str] = (), data: Data | None = None) -> None:
        super().__init__(fonts, data)
        if not self.fonts:
            raise InputError("expected at least one font", "fonts")
        cache = _cache(self.fonts).glyphs
        missing = [each for each in self.data.alphabet if not cache.fonts_with(each)]
        if missing:
            raise InputError(f"no font has a glyph for {', '.join(map(repr, missing))}", ", ".join(self.fonts[:3]))

    def render(self, text: str, generator: np.random.Generator) -> Image:
        """One image of a text, not empty; takes one 64-bit seed from the generator."""
        return self.render_seeded(text, int(generator.integers(0, 2**64, dtype=np.uint64)))

    def render_seeded(self, text: str, seed: int) -> Image:
        """The image of a 64-bit seed."""
        cached = _cache(self.fonts)
        with cached.lock:
            if cached.glyphs.full():
                cached.glyphs.clear()
            image = _draw(Dice(seed), text, cached.glyphs, self.data)
        return image if self.data.channels == 3 else image[:, :, 0]


@dataclass(frozen=True)
class _Cached:
    """The glyphs of some fonts in this process. A lock protects them from concurrent threads."""

    glyphs: GlyphCache
    lock: threading.Lock


@functools.lru_cache(maxsize=4)
def _cache(fonts: tuple[str, ...]) -> _Cached:
    return _Cached(GlyphCache(fonts), threading.Lock())


@dataclass(frozen=True, slots=True)
class Plan:
    """What one image has."""

    kind: str  # wild, print, plate or meter
    paper: str
    below: tuple[str, ...]  # clutter
    above: tuple[str, ...]
    distortions: tuple[str, ...]
    degrading: tuple[str, ...]
    effect: str
    struck: bool  # strokes through the characters

    @property
    def calm(self) -> bool:
        return self.kind != "wild"


def plan(dice: Dice) -> Plan:
    """A random plan. What makes an image hard is shared out: few images have much of everything."""
    place = dice.unit()
    kind = "wild" if place < 0.8 else "print" if place < 0.9 else "plate" if place < 0.95 else "meter"
    calm = kind != "wild"
    hardness = dice.unit() * (0.4 if calm else 1.0)
    clutter_kinds = tuple(clutter.KINDS)
    return Plan(
        kind=kind,
        paper="plain" if kind == "print" and dice.chance(0.7) else dice.pick(wild_paper.KINDS),
        below=tuple(dice.pick(clutter_kinds) for _ in range(2) if dice.chance(0.15 if calm else 0.3)),
        above=tuple(dice.pick(clutter.FOLLOWING) for _ in range(2) if dice.chance(0.7 * hardness)),
        distortions=tuple(dice.pick(distortions.KINDS) for _ in range(2) if dice.chance(0.65 * hardness)),
        degrading=tuple(dice.pick(degrading.KINDS) for _ in range(3) if dice.chance(0.15 + 0.3 * hardness)),
        effect="plain" if calm or dice.chance(0.6) else dice.pick(wild_ink.EFFECTS),
        struck=not calm and dice.chance(0.15 * hardness),
    )


def _draw(dice: Dice, text: str, glyphs: GlyphCache, data: Data) -> Image:
    """(H, W, channels)."""
    chosen = plan(dice)
    colours = choose_colours(dice, data.channels, dice.chance(LIGHT_INK[data.ink]), chosen.kind == "print")
    margin = 0.1 * len(chosen.distortions) + (0.12 if chosen.kind in ("plate", "meter") else 0.0)
    layout = random_layout(dice, text, glyphs, chosen.calm, margin, data.height)
    image = wild_paper.draw_paper(dice, colours, layout.height, layout.width, chosen.paper)
    inks = _inks(dice, colours, len(text), chosen.calm)
    if chosen.kind == "meter":
        wild_ink.cells(dice, image, layout.boxes, colours)
    elif chosen.kind == "plate":
        clutter.frame(dice, image, lambda: colours.ink(dice), 2)
    thickest = max(1, round(layout.size * dice.pick((0.02, 0.03, 0.04, 0.05, 0.08))))
    whole = not chosen.distortions or dice.chance(0.5)  # the paper is distorted with the text
    for each in chosen.below:
        clutter.KINDS[each](dice, image, lambda: _quiet(dice, colours), thickest)
    layer = wild_ink.Layer.of(layout, glyphs)
    if chosen.distortions:
        points = distortions.random_points(dice, layout.height, layout.width, layout.size, list(chosen.distortions))
        if not whole:
            layer = layer.distorted(points)
    image = wild_ink.paint(dice, image, layer, inks, colours, chosen.effect, layout.size)
    same = dice.chance(0.5)
    cut = dice.chance(0.12)
    if chosen.struck and whole:
        clutter.strikes(dice, image, layout.boxes, inks[: len(text)], min(thickest, 2))
    for each in chosen.above:
        clutter.KINDS[each](dice, image, lambda: _over(dice, colours, inks, same, cut), 1 if cut else thickest)
    if chosen.distortions and whole:
        border = dice.pick((cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101))
        image = distortions.sampled(image, points, border).reshape(image.shape)
    paper, levels = level(colours.paper), [level(each) for each in inks]
    weakest = max(levels) if paper > levels[0] else min(levels)
    for each in _bearable(chosen, abs(paper - weakest)):
        image = degrading.degrade(dice, image, each, abs(paper - weakest), (paper + weakest) / 2)
    return image


def _bearable(chosen: Plan, contrast: float) -> Sequence[str]:
    """The kinds of degrading that leave the text readable: with little contrast fewer, and two levels only for ink
    that is darker than all else."""
    kinds = [each for each in chosen.degrading if each != "binary" or (contrast > 90 and chosen.effect == "plain")]
    return kinds if contrast > 80 else [each for each in kinds if each != "salt"][:1]


def _inks(dice: Dice, colours: Colours, count: int, calm: bool) -> list[Colour]:
    """One colour for all characters, or one for each."""
    if calm or dice.chance(0.65):
        return [colours.ink(dice)] * max(1, count)
    return [colours.ink(dice) for _ in range(max(1, count))]


def _quiet(dice: Dice, colours: Colours) -> Colour:
    """Of clutter below the text: mostly nearer to the paper than the ink is."""
    return colours.like_paper(dice, 0.8 * colours.contrast) if dice.chance(0.75) else colours.any(dice)


def _over(dice: Dice, colours: Colours, inks: list[Colour], same: bool, cut: bool) -> Colour:
    """Of clutter above the text: the ink's, the paper's (it cuts the text), or any."""
    if cut:
        return colours.paper
    return dice.pick(inks) if same else colours.any(dice)


def make_wild(fonts: tuple[str, ...], data: Data) -> WildRenderer:
    """The renderer of these fonts."""
    return WildRenderer(fonts, data)
