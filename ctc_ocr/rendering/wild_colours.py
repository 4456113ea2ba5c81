"""The colours of an image: paper, ink and clutter, far enough apart to be read."""

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.rendering.wild_dice import Dice

Colour = tuple[float, ...]  # one level, or red, green and blue, 0 to 255

MIN_CONTRAST = 32  # levels between ink and paper
ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Colours:
    """What a random image is coloured with; `channels` 1 or 3."""

    channels: int
    paper: Colour
    light_ink: bool
    contrast: float

    def ink(self, dice: Dice, contrast: float | None = None) -> Colour:
        """A random colour with at least `contrast` levels to the paper."""
        wanted = self.contrast if contrast is None else contrast
        paper = level(self.paper)
        for _ in range(ATTEMPTS):
            colour = _random(dice, dark=not self.light_ink)
            difference = level(colour) - paper if self.light_ink else paper - level(colour)
            if difference >= wanted:
                return self._tone(colour)
        extreme = 255.0 if self.light_ink else 0.0
        end = paper + (extreme - paper) * dice.between(0.85, 1)
        return self._tone((end, end, end))

    def any(self, dice: Dice) -> Colour:
        """Any colour."""
        return self._tone(_random(dice, dice.chance(0.5)))

    def like_paper(self, dice: Dice, reach: float) -> Colour:
        """A colour within `reach` levels of the paper, in each channel."""
        return tuple(min(255.0, max(0.0, each + dice.around(reach))) for each in self.paper)

    def _tone(self, colour: Colour) -> Colour:
        return colour if self.channels == 3 else (level(colour),)


def choose_colours(dice: Dice, channels: int, light_ink: bool, plain: bool) -> Colours:
    """Paper and kind of ink; plain: black and white, nearly."""
    if plain:
        paper: Colour = (dice.between(225, 255),) * 3
    elif dice.chance(0.35):
        paper = (255.0,) * 3
    else:
        paper = _random_paper(dice)
    if light_ink:
        paper = tuple(255 - each for each in paper)
    contrast = 120.0 if plain or dice.chance(0.5) else dice.between(MIN_CONTRAST, 120)
    return Colours(channels, paper if channels == 3 else (level(paper),), light_ink, contrast)


def level(colour: Colour) -> float:
    """Its grey level, weighted as in ITU-R BT.601."""
    return colour[0] if len(colour) == 1 else 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def as_array(*colours: Colour) -> NDArray[np.float32]:
    """(N, C)."""
    return np.array(colours, np.float32)


def _random(dice: Dice, dark: bool) -> Colour:
    if dice.chance(0.3):
        grey = dice.between(0, 130) if dark else dice.between(125, 255)
        return (grey, grey, grey)
    value = dice.between(0.0, 0.85) if dark else dice.between(0.6, 1)
    saturation = dice.between(0.2, 1) if dark else dice.between(0, 0.7)
    red, green, blue = colorsys.hsv_to_rgb(dice.unit(), saturation, value)
    return (255 * red, 255 * green, 255 * blue)


def _random_paper(dice: Dice) -> Colour:
    if dice.chance(0.4):
        grey = dice.between(150, 255)
        return (grey, grey, grey)
    red, green, blue = colorsys.hsv_to_rgb(dice.unit(), dice.between(0, 0.4), dice.between(0.7, 1))
    return (255 * red, 255 * green, 255 * blue)
