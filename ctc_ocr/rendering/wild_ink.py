"""The text of a wild image: its layer of ink, and the effects with which the layer is painted."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ctc_ocr.rendering import wild_kernels
from ctc_ocr.rendering.wild_colours import Colour, Colours, as_array
from ctc_ocr.rendering.wild_dice import Dice
from ctc_ocr.rendering.wild_distortions import Shift, sampled
from ctc_ocr.rendering.wild_fields import piece
from ctc_ocr.rendering.wild_glyphs import GlyphCache
from ctc_ocr.rendering.wild_layout import Layout

Image = NDArray[np.uint8]
EFFECTS = ("shadow", "shadow", "outline", "emboss", "gradient", "texture", "faded", "block", "hollow block")
OPAQUE = np.float32(1 / 255)


@dataclass(frozen=True, slots=True)
class Layer:
    """The ink of all characters, (H, W) uint8, and whose it is: `owner` (H, W) uint8, the character's number."""

    ink: Image
    owner: Image

    @classmethod
    def of(cls, layout: Layout, glyphs: GlyphCache) -> "Layer":
        """The characters at their places. With more than 256, colours repeat."""
        ink = np.zeros((layout.height, layout.width), np.uint8)
        owner = np.zeros((layout.height, layout.width), np.uint8)
        wild_kernels.draw_glyphs(glyphs.pixels, layout.bitmaps, layout.maps, ink, owner)
        return cls(ink, owner)

    def distorted(self, points: tuple[Shift, Shift]) -> "Layer":
        """Sampled at the points; outside there is no ink."""
        border = cv2.BORDER_CONSTANT
        return Layer(sampled(self.ink, points, border), sampled(self.owner, points, border, nearest=True))


def moved(layer: Image, right: int, down: int) -> Image:
    """A layer (H, W), moved by whole pixels; 0 where nothing is moved to."""
    height, width = layer.shape
    made = np.zeros_like(layer)
    made[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = layer[
        max(0, -down) : height + min(0, -down), max(0, -right) : width + min(0, -right)
    ]
    return made


def paint(
    dice: Dice, image: Image, layer: Layer, inks: Sequence[Colour], colours: Colours, effect: str, size: float
) -> Image:
    """The image (H, W, C) with the layer painted on it, in one of EFFECTS or "plain". inks: a colour per character."""
    table = as_array(*inks[:256])
    if effect == "shadow":
        reach = max(1, round(size * dice.between(0.03, 0.1)))
        shadow = moved(layer.ink, dice.pick((-reach, reach)), dice.pick((-reach, 0, reach)))
        _blend_one(image, shadow, colours.like_paper(dice, 0.7 * colours.contrast), dice.between(0.4, 1))
    elif effect == "outline":
        around = colours.any(dice) if dice.chance(0.3) else colours.like_paper(dice, 60)
        _blend_one(image, _widened(layer.ink), around, 1.0)
    elif effect == "emboss":
        _blend_one(image, moved(layer.ink, -1, -1), (255.0,) * colours.channels, 0.8)
        _blend_one(image, moved(layer.ink, 1, 1), (0.0,) * colours.channels, 0.8)
    elif effect in ("block", "hollow block"):
        _extrude(dice, image, layer, table, size)
        front, owner = _widened(layer.ink), _widened(layer.owner)
        if effect == "hollow block":
            wild_kernels.blend(image, front, owner, table, OPAQUE)
            _blend_one(image, layer.ink, colours.like_paper(dice, 15), 1.0)
            return image
        _blend_one(image, front, colours.like_paper(dice, 60), 1.0)
    if effect in ("gradient", "texture"):
        picture = _picture(dice, image.shape, inks[0], colours, effect)
        wild_kernels.blend_picture(image, layer.ink, picture, OPAQUE)
    else:
        opacity = dice.between(0.65, 0.9) if effect == "faded" and colours.contrast > 90 else 1.0
        wild_kernels.blend(image, layer.ink, layer.owner, table, np.float32(opacity) * OPAQUE)
    return image


def _extrude(dice: Dice, image: Image, layer: Layer, table: NDArray[np.float32], size: float) -> None:
    """Paint the sides of characters that stand out of the paper."""
    right, down = dice.pick(((-1, 1), (1, 1), (1, 0), (0, 1), (1, -1)))
    for step in range(max(1, round(size * dice.between(0.05, 0.15))), 0, -1):
        ink, owner = (moved(each, step * right, step * down) for each in (layer.ink, layer.owner))
        wild_kernels.blend(image, ink, owner, table, OPAQUE)


def _widened(layer: Image) -> Image:
    """By a pixel on each side."""
    return np.asarray(cv2.dilate(layer, np.ones((3, 3), np.uint8)), np.uint8)


def cells(dice: Dice, image: Image, boxes: NDArray[np.float64], colours: Colours) -> None:
    """A frame about each character, as a meter's digits have."""
    top, bottom = int(boxes[:, 1].min()), int(boxes[:, 3].max())
    colour, thickness = colours.ink(dice, 30), dice.whole(1, 2) if bottom - top > 24 else 1
    for left, _, right, _ in boxes.tolist():
        cv2.rectangle(image, (int(left) - 2, top - 3), (int(right) + 2, bottom + 3), colour, thickness)


def _blend_one(image: Image, ink: Image, colour: Colour, opacity: float) -> None:
    wild_kernels.blend(image, ink, np.zeros_like(ink), as_array(colour), np.float32(opacity) * OPAQUE)


def _picture(dice: Dice, shape: tuple[int, ...], ink: Colour, colours: Colours, effect: str) -> Image:
    """(H, W, C): from one ink to another, along the image, or in grains."""
    height, width, channels = shape
    first, second = as_array(ink, colours.ink(dice))
    if effect == "gradient":
        ramp = np.linspace(0, 1, width if dice.chance(0.6) else height, dtype=np.float32)
        share = np.broadcast_to(ramp if len(ramp) == width else ramp[:, np.newaxis], (height, width))
    else:
        share = np.clip(piece(dice, dice.pick((1, 2, 4)), height, width) * np.float32(0.5) + np.float32(0.5), 0, 1)
    return np.asarray(first + share[:, :, np.newaxis] * (second - first), np.uint8)
