"""Random changes to a training image, so that a network does not learn one scan or one site by heart.

Rotation, slant, scale, padding, shift and elastic warp are one map from the result back to the image, which is sampled
once (bilinear). Contrast, brightness, hue, saturation, blur and noise follow, in this order.
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ctc_ocr.config.sections import Augmentation

Image = NDArray[np.uint8]
WIDEST = 2**15 - 2  # OpenCV samples images by 16-bit coordinates
INK = 0.2  # what is this share of the strongest difference from the paper is taken for ink
INVISIBLE_BLUR = 0.1  # standard deviation in pixels; the neighbours' weights would be below half a level


def augment(image: Image, settings: Augmentation, generator: np.random.Generator) -> Image:
    """The image changed by random amounts within the settings; the image itself is never written to.

    `image` is (H, W) grey or (H, W, 3) RGB, uint8, dark ink on light paper, at least one pixel. The result has the same
    height and channels; its width is that of the scaled, slanted and rotated frame and the padding. What lies outside
    the frame becomes paper. Ink is not cut off: it is moved where it would leave the height, grows in height only as
    far as there is room, and where slant, rotation or warp make it too tall all the same, the whole is shrunk, ratio
    kept. Images wider than WIDEST, before or after, are not moved.

    Equal generators give equal results. The generator advances by the same amount whatever is on, and turning one
    setting off leaves the amounts drawn for the others as they were.
    """
    if not settings.augment:
        return image
    uniform = generator.uniform(-1.0, 1.0, 13).tolist()
    warp_seed, noise_seed = generator.integers(0, 2**64, size=2, dtype=np.uint64).tolist()
    rotation, slant, wider, taller, left, right, shift, contrast, brightness, hue, saturation, blur, noise = uniform
    paper = _paper(image)
    if _moves_pixels(settings):
        image = _move(image, paper, settings, (rotation, slant, wider, taller, left, right, shift), warp_seed)
    if settings.max_contrast or settings.max_brightness:
        factor = (1 + settings.max_contrast) ** contrast
        image = _adjust_levels(image, paper, factor, 255 * settings.max_brightness * brightness)
    if image.ndim == 3 and (settings.max_hue or settings.max_saturation):
        image = _adjust_colours(image, settings.max_hue * hue, 1 + settings.max_saturation * saturation)
    sigma = settings.max_blur * _one_sided(blur)
    if sigma > INVISIBLE_BLUR:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    if settings.max_noise:
        normal = _generator(noise_seed).standard_normal(image.shape, dtype=np.float32)
        normal *= settings.max_noise * _one_sided(noise)
        image = cv2.add(image, normal, dtype=cv2.CV_8U)
    return image


def _moves_pixels(settings: Augmentation) -> bool:
    ranges = (settings.max_rotation, settings.max_shear, settings.max_scale, settings.max_padding, settings.max_shift)
    return any(ranges) or settings.max_warp > 0


def _one_sided(uniform: float) -> float:
    """-1 to 1 -> 0 to 1."""
    return (1 + uniform) / 2


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def _paper(image: Image) -> tuple[int, ...]:
    """The paper's level, one for each channel: the median of the frame's outermost pixels."""
    border = np.concatenate((image[0], image[-1], image[:, 0], image[:, -1])).reshape(-1, _channels(image))
    middle = len(border) // 2
    return tuple(np.partition(border.T, middle, axis=1)[:, middle].tolist())


def _channels(image: Image) -> int:
    return 1 if image.ndim == 2 else image.shape[2]


def _ink_box(image: Image, paper: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom edges of what differs from the paper, with a pixel around it; at most the frame."""
    height, width = image.shape[:2]
    difference = cv2.absdiff(image, paper + (0,) * (4 - len(paper)))
    if image.ndim == 3:
        difference = cv2.transform(difference, np.ones((1, 3), dtype=np.float32))
    strongest = difference.max()
    if not strongest:
        return 0, 0, width, height
    left, top, columns, rows = cv2.boundingRect(cv2.compare(difference, INK * float(strongest), cv2.CMP_GT))
    return max(left - 1, 0), max(top - 1, 0), min(left + columns + 1, width), min(top + rows + 1, height)


def _move(
    image: Image, paper: tuple[int, ...], settings: Augmentation, draws: tuple[float, ...], warp_seed: int
) -> Image:
    """All that moves pixels; `draws` are the seven amounts, each -1 to 1.

    Points are (x, y) from the frame's upper left corner, so that the middle of the first pixel is (0.5, 0.5).
    """
    rotation, slant, wider, taller, left, right, shift = draws
    height, width = image.shape[:2]
    reach = settings.max_warp * height  # how far the warp may move ink
    box = _ink_box(image, paper)
    room = max(1.0, (height - 2 * reach) / (box[3] - box[1]))
    (xx, xy), (yx, yy) = matrix = _linear(
        math.radians(settings.max_rotation * rotation),
        settings.max_shear * slant,
        1 + settings.max_scale * wider,
        min(1 + settings.max_scale * taller, room),
    )
    top, bottom = _extent(yx, yy, box)
    shrink = min(1.0, (height - 2 * reach) / (bottom - top))
    xx, xy, yx, yy, top, bottom = (shrink * each for each in (xx, xy, yx, yy, top, bottom))

    frame_left, frame_right = _extent(xx, xy, (0, 0, width, height))
    ink_left, ink_right = _extent(xx, xy, box)
    start, end = min(frame_left, ink_left - reach), max(frame_right, ink_right + reach)
    padding = [round(settings.max_padding * height * _one_sided(each)) for each in (left, right)]
    new_width = max(1, math.ceil(end - start - 1e-6)) + sum(padding)
    if max(width, new_width) > WIDEST:
        return image

    to_right = padding[0] - start
    down = height / 2 - (yx * width + yy * height) / 2 + round(settings.max_shift * height * shift)
    down = min(max(down, reach - top), height - reach - bottom)
    inverse = np.linalg.inv(shrink * matrix)
    offset = inverse @ (0.5 - to_right, 0.5 - down) - 0.5
    back = np.column_stack((inverse, offset))
    if not settings.max_warp:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(image, back, (new_width, height), flags=flags, borderValue=paper))
    points = _warped_points(new_width, height, reach, _generator(warp_seed))
    return np.asarray(cv2.remap(image, cv2.transform(points, back), None, cv2.INTER_LINEAR, borderValue=paper))


def _linear(angle: float, slant: float, wider: float, taller: float) -> NDArray[np.float64]:
    """(2, 2): scale, then slant (a row moves right against the one below it), then rotation (clockwise, radians)."""
    cosine, sine = math.cos(angle), math.sin(angle)
    scaled = np.array(((wider, -slant * taller), (0.0, taller)))
    return np.asarray(np.array(((cosine, -sine), (sine, cosine))) @ scaled)


def _extent(x_factor: float, y_factor: float, box: tuple[int, int, int, int]) -> tuple[float, float]:
    """Least and largest x_factor * x + y_factor * y in a box."""
    left, top, right, bottom = box
    xs = sorted((x_factor * left, x_factor * right))
    ys = sorted((y_factor * top, y_factor * bottom))
    return xs[0] + ys[0], xs[1] + ys[1]


def _warped_points(width: int, height: int, reach: float, generator: np.random.Generator) -> NDArray[np.float32]:
    """(height, width, 2): each pixel's (column, row), moved smoothly by less than `reach` pixels each way.

    The moves are a cubic B-spline over a grid of random ones, a quarter to a half of the height apart. Doubling such a
    grid (cv2.pyrUp) gives points of the same spline, and a B-spline never leaves the range of its grid.
    """
    doublings = max(1, int(math.log2(max(height, 2))) - 1)
    apart = 2**doublings
    grid = generator.random((-(-height // apart) + 1, -(-width // apart) + 1, 2), dtype=np.float32)
    moves = (2 * grid - 1) * np.float32(reach)
    for _ in range(doublings):
        moves = cv2.pyrUp(moves)
    points = moves[:height, :width]
    points[..., 0] += np.arange(width, dtype=np.float32)
    points[..., 1] += np.arange(height, dtype=np.float32)[:, np.newaxis]
    return points


def _adjust_levels(image: Image, paper: tuple[int, ...], contrast: float, brightness: float) -> Image:
    """Contrast about the paper's level, so that the ink becomes fainter or stronger, then brightness, in levels."""
    levels = np.arange(256, dtype=np.float32)[:, np.newaxis]
    papers = np.array(paper, dtype=np.float32)
    return np.asarray(cv2.LUT(image, _table((levels - papers) * contrast + papers + brightness)))


def _adjust_colours(image: Image, hue: float, saturation: float) -> Image:
    """Hue turned by degrees, saturation multiplied, as in HSV; OpenCV's hues are 2 degrees apart."""
    levels = np.arange(256)
    hues = (levels + round(hue / 2)) % 180
    table = _table(np.stack((hues, levels * saturation, levels), axis=1))
    changed: Any = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), table)
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2RGB))


def _table(levels: NDArray[Any]) -> NDArray[np.uint8]:
    """(256, channels) levels -> the table that cv2.LUT takes, (1, 256, channels) uint8."""
    return np.asarray(np.clip(np.rint(levels), 0, 255), dtype=np.uint8)[np.newaxis]
