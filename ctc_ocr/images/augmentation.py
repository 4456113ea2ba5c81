"""Random changes to training images, against overfitting.

Rotation, shear, scale, padding, shift and elastic warp are one map from the result back to the image, which is sampled
once (bilinear). Contrast, brightness, hue, saturation, blur and noise follow, in this order.
"""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ctc_ocr.config.sections import Augmentation
from ctc_ocr.images.pixels import Pixels, paper_level

MAX_WIDTH = 2**15 - 2  # OpenCV samples images by 16-bit coordinates
INK_THRESHOLD = 0.2  # minimum difference of ink from the paper, as a fraction of the maximum difference in the image
MIN_SIGMA = 0.1  # pixels: a weaker blur changes no pixel by half a level


def augment(image: Pixels, settings: Augmentation, generator: np.random.Generator) -> Pixels:
    """The image changed by random amounts within the settings; the image itself is never written to.

    `image` is (H, W) grey or (H, W, 3) RGB, uint8, dark ink on light paper, at least one pixel. The result has the same
    height and channels; its width is that of the scaled, sheared and rotated frame and the padding. Areas outside the
    frame become paper. No ink is cut off: the shift and the growth in height are limited to the room there is, and if
    shear, rotation or warp make the ink too tall nevertheless, the whole image is scaled down, with its aspect ratio
    kept. Images wider than MAX_WIDTH, before or after, only get the changes of levels.

    Equal generators give equal results. The generator advances by the same amount for all settings, and turning one
    setting off does not change the amounts of the others.
    """
    if not settings.augment:
        return image
    amounts = _random_amounts(generator)
    paper = paper_level(image)
    if _moves_pixels(settings):
        image = _move(image, paper, settings, amounts)
    if settings.max_contrast or settings.max_brightness:
        contrast = (1 + settings.max_contrast) ** amounts.contrast
        image = _adjust_levels(image, paper, contrast, 255 * settings.max_brightness * amounts.brightness)
    if image.ndim == 3 and (settings.max_hue or settings.max_saturation):
        saturation = 1 + settings.max_saturation * amounts.saturation
        image = _adjust_colours(image, settings.max_hue * amounts.hue, saturation)
    sigma = settings.max_blur * _to_fraction(amounts.blur)
    if sigma > MIN_SIGMA:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    if settings.max_noise:
        noise = _generator(amounts.noise_seed).standard_normal(image.shape, dtype=np.float32)
        noise *= settings.max_noise * _to_fraction(amounts.noise)
        image = cv2.add(image, noise, dtype=cv2.CV_8U)
    return image


@dataclass(frozen=True)
class _Amounts:
    """How much of each setting an image gets, from -1 to 1, and seeds for warp and noise."""

    rotation: float
    shear: float
    width: float
    height: float
    left: float
    right: float
    shift: float
    contrast: float
    brightness: float
    hue: float
    saturation: float
    blur: float
    noise: float
    warp_seed: int
    noise_seed: int


def _random_amounts(generator: np.random.Generator) -> _Amounts:
    uniform = generator.uniform(-1.0, 1.0, 13).tolist()
    seeds = generator.integers(0, 2**64, size=2, dtype=np.uint64).tolist()
    return _Amounts(*uniform, *seeds)


def _moves_pixels(settings: Augmentation) -> bool:
    ranges = (settings.max_rotation, settings.max_shear, settings.max_scale, settings.max_padding, settings.max_shift)
    return any(ranges) or settings.max_warp > 0


def _to_fraction(uniform: float) -> float:
    """-1 to 1 -> 0 to 1."""
    return (1 + uniform) / 2


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def _ink_box(image: Pixels, paper: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom edge of the ink, with a margin of one pixel where the frame has it."""
    height, width = image.shape[:2]
    difference = cv2.absdiff(image, paper + (0,) * (4 - len(paper)))
    if image.ndim == 3:
        difference = cv2.transform(difference, np.ones((1, 3), dtype=np.float32))
    maximum = difference.max()
    if not maximum:
        return 0, 0, width, height
    left, top, columns, rows = cv2.boundingRect(cv2.compare(difference, INK_THRESHOLD * float(maximum), cv2.CMP_GT))
    return max(left - 1, 0), max(top - 1, 0), min(left + columns + 1, width), min(top + rows + 1, height)


def _move(image: Pixels, paper: tuple[int, ...], settings: Augmentation, amounts: _Amounts) -> Pixels:
    """Rotation, shear, scale, padding, shift and warp.

    Points are (x, y) from the frame's upper left corner, so that the centre of the first pixel is (0.5, 0.5).
    """
    height, width = image.shape[:2]
    reach = settings.max_warp * height  # maximum displacement by the warp
    box = _ink_box(image, paper)
    room = max(1.0, (height - 2 * reach) / (box[3] - box[1]))
    (xx, xy), (yx, yy) = matrix = _linear(
        math.radians(settings.max_rotation * amounts.rotation),
        settings.max_shear * amounts.shear,
        1 + settings.max_scale * amounts.width,
        min(1 + settings.max_scale * amounts.height, room),
    )
    top, bottom = _extent(yx, yy, box)
    shrink = min(1.0, (height - 2 * reach) / (bottom - top))
    xx, xy, yx, yy, top, bottom = (shrink * each for each in (xx, xy, yx, yy, top, bottom))

    frame_left, frame_right = _extent(xx, xy, (0, 0, width, height))
    ink_left, ink_right = _extent(xx, xy, box)
    start, end = min(frame_left, ink_left - reach), max(frame_right, ink_right + reach)
    padding = [round(settings.max_padding * height * _to_fraction(each)) for each in (amounts.left, amounts.right)]
    new_width = max(1, math.ceil(end - start - 1e-6)) + sum(padding)
    if max(width, new_width) > MAX_WIDTH:
        return image

    to_right = padding[0] - start
    down = height / 2 - (yx * width + yy * height) / 2 + round(settings.max_shift * height * amounts.shift)
    down = min(max(down, reach - top), height - reach - bottom)
    inverse = np.linalg.inv(shrink * matrix)
    offset = inverse @ (0.5 - to_right, 0.5 - down) - 0.5
    back = np.column_stack((inverse, offset))
    if not settings.max_warp:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(image, back, (new_width, height), flags=flags, borderValue=paper))
    points = _warped_points(new_width, height, reach, _generator(amounts.warp_seed))
    return np.asarray(cv2.remap(image, cv2.transform(points, back), None, cv2.INTER_LINEAR, borderValue=paper))


def _linear(angle: float, shear: float, wider: float, taller: float) -> NDArray[np.float64]:
    """(2, 2): scale, then shear (a row moves to the right of the one below it), then rotation (clockwise, radians)."""
    cosine, sine = math.cos(angle), math.sin(angle)
    scaled = np.array(((wider, -shear * taller), (0.0, taller)))
    return np.asarray(np.array(((cosine, -sine), (sine, cosine))) @ scaled)


def _extent(x_factor: float, y_factor: float, box: tuple[int, int, int, int]) -> tuple[float, float]:
    """Minimum and maximum of x_factor * x + y_factor * y in a box."""
    left, top, right, bottom = box
    xs = sorted((x_factor * left, x_factor * right))
    ys = sorted((y_factor * top, y_factor * bottom))
    return xs[0] + ys[0], xs[1] + ys[1]


def _warped_points(width: int, height: int, reach: float, generator: np.random.Generator) -> NDArray[np.float32]:
    """(height, width, 2): each pixel's (column, row), displaced smoothly by less than `reach` pixels on each axis.

    The displacements are a cubic B-spline over a grid of random ones, a quarter to a half of the height apart. Doubling
    such a grid (cv2.pyrUp) gives points of the same spline, and a B-spline never leaves the range of its grid.
    """
    doublings = max(1, int(math.log2(max(height, 2))) - 1)
    spacing = 2**doublings
    grid = generator.random((-(-height // spacing) + 1, -(-width // spacing) + 1, 2), dtype=np.float32)
    displacements = (2 * grid - 1) * np.float32(reach)
    for _ in range(doublings):
        displacements = cv2.pyrUp(displacements)
    points = displacements[:height, :width]
    points[..., 0] += np.arange(width, dtype=np.float32)
    points[..., 1] += np.arange(height, dtype=np.float32)[:, np.newaxis]
    return points


def _adjust_levels(image: Pixels, paper: tuple[int, ...], contrast: float, brightness: float) -> Pixels:
    """Contrast multiplied about the paper's level, then brightness added, in levels."""
    levels = np.arange(256, dtype=np.float32)[:, np.newaxis]
    papers = np.array(paper, dtype=np.float32)
    return np.asarray(cv2.LUT(image, _table((levels - papers) * contrast + papers + brightness)))


def _adjust_colours(image: Pixels, hue: float, saturation: float) -> Pixels:
    """Hue shifted by degrees, saturation multiplied, as in HSV; OpenCV's hues are 2 degrees apart."""
    levels = np.arange(256)
    hues = (levels + round(hue / 2)) % 180
    table = _table(np.stack((hues, levels * saturation, levels), axis=1))
    changed: Any = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), table)
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2RGB))


def _table(levels: NDArray[Any]) -> NDArray[np.uint8]:
    """(256, channels) levels -> a table for cv2.LUT, (1, 256, channels) uint8."""
    return np.asarray(np.clip(np.rint(levels), 0, 255), dtype=np.uint8)[np.newaxis]
