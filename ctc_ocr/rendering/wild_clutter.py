"""What is drawn beside the text: lines, curves, dots, crosses, small letters, rectangles, scratches."""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ctc_ocr.rendering.wild_colours import Colour
from ctc_ocr.rendering.wild_dice import Dice
from ctc_ocr.rendering.wild_kernels import scatter

Image = NDArray[np.uint8]
SHIFT = 4  # bits of a pixel's fraction in OpenCV's coordinates


def lines(dice: Dice, image: Image, colour: Callable[[], Colour], thickest: int) -> None:
    """Straight lines, most of them across the image. thickest: pixels."""
    height, width = image.shape[:2]
    for _ in range(_count(dice, image, 1, 6 if thickest < 3 else 3)):
        if dice.chance(0.6):
            start, end = (0, dice.whole(0, height)), (width, dice.whole(0, height))
        else:
            start = (dice.whole(0, width), dice.whole(0, height))
            end = (dice.whole(0, width), dice.whole(0, height))
        cv2.line(image, start, end, colour(), dice.whole(1, thickest), cv2.LINE_AA)


def curves(dice: Dice, image: Image, colour: Callable[[], Colour], thickest: int) -> None:
    """Sine curves and cubic Bezier curves from side to side."""
    height, width = image.shape[:2]
    for _ in range(_count(dice, image, 1, 3 if thickest < 3 else 2)):
        share = np.linspace(0, 1, 24)
        if dice.chance(0.5):
            xs = share * width
            waves, phase = dice.between(0.4, 3), dice.between(0, 6.3)
            ys = height * (dice.between(0.2, 0.8) + dice.between(0.05, 0.35) * np.sin(6.28 * waves * share + phase))
        else:
            weights = np.stack([(1 - share) ** 3, 3 * share * (1 - share) ** 2, 3 * share**2 * (1 - share), share**3])
            knots = [dice.between(0, height) for _ in range(4)]
            xs = np.array([dice.between(-0.1, 0.1), dice.unit(), dice.unit(), dice.between(0.9, 1.1)]) @ weights * width
            ys = np.array(knots) @ weights
        points = (np.stack([xs, ys], axis=1) * (1 << SHIFT)).astype(np.int32)
        cv2.polylines(image, [points], False, colour(), dice.whole(1, thickest), cv2.LINE_AA, SHIFT)


def arcs(dice: Dice, image: Image, colour: Callable[[], Colour], thickest: int) -> None:
    """Arcs and ellipses."""
    height, width = image.shape[:2]
    for _ in range(_count(dice, image, 1, 4)):
        centre = (dice.whole(0, width), dice.whole(0, height))
        axes = (dice.whole(4, max(5, width // 2)), dice.whole(4, height))
        start = dice.whole(0, 360)
        end = start + dice.whole(60, 360)
        cv2.ellipse(image, centre, axes, dice.whole(0, 180), start, end, colour(), dice.whole(1, thickest), cv2.LINE_AA)


def dots(dice: Dice, image: Image, colour: Callable[[], Colour], thickest: int) -> None:
    """Dots of up to two pixels' radius, a few to a hundred."""
    height, width = image.shape[:2]
    count = int(height * width / 100 * dice.between(0.1, 1.5) ** 2)
    shades = np.array([colour() for _ in range(4)]).astype(np.uint8)
    largest = dice.whole(0, min(2, thickest))
    scatter(image, np.uint64(dice.word()), min(count, 100), largest, shades)


def crosses(dice: Dice, image: Image, colour: Callable[[], Colour], thickest: int) -> None:
    """Small crosses, stars and short strokes."""
    height, width = image.shape[:2]
    marker = dice.pick((cv2.MARKER_CROSS, cv2.MARKER_TILTED_CROSS, cv2.MARKER_STAR, cv2.MARKER_SQUARE))
    for _ in range(_count(dice, image, 2, 14)):
        centre = (dice.whole(0, width), dice.whole(0, height))
        cv2.drawMarker(image, centre, colour(), marker, dice.whole(3, 8), 1)


def letters(dice: Dice, image: Image, colour: Callable[[], Colour], thickest: int) -> None:
    """Small characters, far smaller than those of the text."""
    height, width = image.shape[:2]
    for _ in range(_count(dice, image, 3, 16)):
        place = (dice.whole(-3, width), dice.whole(0, height + 3))
        character = chr(dice.pick((dice.whole(48, 57), dice.whole(65, 90), dice.whole(97, 122))))
        font = dice.pick((cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_COMPLEX_SMALL))
        cv2.putText(image, character, place, font, height / 40 * dice.between(0.25, 0.4), colour(), 1, cv2.LINE_AA)


def rectangles(dice: Dice, image: Image, colour: Callable[[], Colour], thickest: int) -> None:
    """Outlines of rectangles."""
    height, width = image.shape[:2]
    for _ in range(_count(dice, image, 1, 5)):
        left, top = dice.whole(-5, width), dice.whole(-5, height)
        corner = (left + dice.whole(4, max(5, width // 2)), top + dice.whole(4, height))
        cv2.rectangle(image, (left, top), corner, colour(), dice.whole(1, min(2, thickest)))


def scratches(dice: Dice, image: Image, colour: Callable[[], Colour], thickest: int) -> None:
    """Many short, thin strokes in about one direction."""
    height, width = image.shape[:2]
    angle, count = dice.between(0, math.pi), _count(dice, image, 4, 24)
    for _ in range(count):
        x, y, length = dice.whole(0, width), dice.whole(0, height), dice.between(3, height / 2)
        turned = angle + dice.around(0.4)
        end = (int(x + length * math.cos(turned)), int(y + length * math.sin(turned)))
        cv2.line(image, (x, y), end, colour(), 1, cv2.LINE_AA)


def strikes(dice: Dice, image: Image, boxes: NDArray[np.float64], inks: Sequence[Colour], thickest: int) -> None:
    """One or two strokes through each character, in its own colour. boxes (N, 4): left, top, right, bottom."""
    many = dice.whole(1, 2)
    for box, ink in zip(boxes, inks, strict=True):
        centre, half = (box[:2] + box[2:]) / 2, max(box[2] - box[0], box[3] - box[1]) / 2
        for _ in range(dice.whole(0, many)):
            angle, reach = dice.between(0, math.pi), half * dice.between(0.7, 1.4)
            middle = centre + half * np.array([dice.around(0.4), dice.around(0.4)])
            along = reach * np.array([math.cos(angle), math.sin(angle)])
            start, end = (np.rint(each).astype(int).tolist() for each in (middle - along, middle + along))
            cv2.line(image, start, end, ink, dice.whole(1, thickest), cv2.LINE_AA)


def frame(dice: Dice, image: Image, colour: Callable[[], Colour], thickest: int) -> None:
    """A border along the image's edges."""
    height, width = image.shape[:2]
    inset = dice.whole(0, 2)
    cv2.rectangle(image, (inset, inset), (width - 1 - inset, height - 1 - inset), colour(), dice.whole(1, 2))


def _count(dice: Dice, image: Image, low: int, high: int) -> int:
    """How many: `high` is for an image of a word. A narrow one of a single character has fewer."""
    height, width = image.shape[:2]
    return dice.whole(low, max(low, round(high * min(1.0, width / (3 * height)))))


KINDS = {
    "lines": lines,
    "curves": curves,
    "arcs": arcs,
    "dots": dots,
    "crosses": crosses,
    "letters": letters,
    "rectangles": rectangles,
    "scratches": scratches,
    "frame": frame,
}
FOLLOWING = ("lines", "lines", "curves", "curves", "arcs", "dots", "dots", "scratches")  # those drawn over a text
