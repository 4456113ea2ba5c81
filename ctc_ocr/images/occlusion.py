"""Random lines, dots and gaps over training images: what is in the way of characters, each time somewhere else."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ctc_ocr.config.sections import Augmentation
from ctc_ocr.images.pixels import Pixels

SUBPIXELS = 4  # bits: OpenCV's drawing takes fixed-point coordinates
CURVE_POINTS = 12
MAX_THICKNESS = 0.06  # of a line, as a fraction of the height
MAX_RADIUS = 0.05  # of a dot


def occlude(image: Pixels, paper: tuple[int, ...], settings: Augmentation, generator: np.random.Generator) -> Pixels:
    """A copy of the image, (H, W) or (H, W, 3) uint8, dark ink on light paper, with up to `max_lines` curves and
    `max_dots` dots in levels from its ink to its paper, and with paper in place of a rectangle around some ink, of up
    to `max_erase` of the height."""
    image = image.copy()
    ink = _ink(image)
    for _ in range(_number(settings.max_lines, generator)):
        thickness = max(1, round(MAX_THICKNESS * image.shape[0] * generator.random()))
        level = _level(ink, paper, generator)
        cv2.polylines(image, [_curve(image.shape, generator)], False, level, thickness, cv2.LINE_AA, SUBPIXELS)
    for _ in range(_number(settings.max_dots, generator)):
        radius = max(1, round(MAX_RADIUS * image.shape[0] * generator.random()))
        centre = (int(generator.integers(image.shape[1])), int(generator.integers(image.shape[0])))
        cv2.circle(image, centre, radius, _level(ink, paper, generator), -1, cv2.LINE_AA)
    if settings.max_erase:
        rows, columns = (round(settings.max_erase * image.shape[0] * generator.random() / 2) for _ in range(2))
        row, column = _place(image, ink, paper, generator)
        image[max(0, row - rows) : row + rows + 1, max(0, column - columns) : column + columns + 1] = paper
    return image


def _number(maximum: int, generator: np.random.Generator) -> int:
    return int(generator.integers(maximum + 1))


def _ink(image: Pixels) -> tuple[int, ...]:
    """The level of the darkest twentieth of the pixels, in each channel."""
    levels = image.reshape(-1, 1 if image.ndim == 2 else image.shape[2])
    return tuple(np.percentile(levels, 5, axis=0).astype(int).tolist())


def _level(ink: tuple[int, ...], paper: tuple[int, ...], generator: np.random.Generator) -> tuple[int, ...]:
    """Mostly between ink and paper, sometimes the paper's own, which cuts through characters."""
    share = 1.0 if generator.random() < 0.25 else 0.7 * generator.random()
    return tuple(round(dark + share * (light - dark)) for dark, light in zip(ink, paper, strict=True))


def _place(
    image: Pixels, ink: tuple[int, ...], paper: tuple[int, ...], generator: np.random.Generator
) -> tuple[int, int]:
    """Row and column of a pixel that is nearer to ink than to paper in the first channel."""
    levels = image if image.ndim == 2 else image[..., 0]
    rows, columns = np.nonzero(levels <= (ink[0] + paper[0]) / 2)
    if not len(rows):
        return image.shape[0] // 2, image.shape[1] // 2
    chosen = generator.integers(len(rows))
    return int(rows[chosen]), int(columns[chosen])


def _curve(shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.int32]:
    """Points (CURVE_POINTS, 2), in fixed point, of a quadratic Bézier curve across a part of the image."""
    height, width = shape[:2]
    (x0, x2), ys = np.sort(generator.uniform(-0.2, 1.2, 2)) * width, generator.uniform(-0.1, 1.1, 3) * height
    xs = np.array((x0, generator.uniform(x0, x2), x2))
    t = np.linspace(0.0, 1.0, CURVE_POINTS)[:, np.newaxis]
    points = (1 - t) ** 2 * (xs[0], ys[0]) + 2 * t * (1 - t) * (xs[1], ys[1]) + t**2 * (xs[2], ys[2])
    return np.asarray(np.rint(points * 2**SUBPIXELS), dtype=np.int32)
