"""What the fast renderer reads from a captcha class, and which classes it supports."""

import inspect
from typing import Any

import numpy as np
import numpy.typing as npt
from captcha.image import ImageCaptcha
from PIL import Image, ImageDraw

from ctc_ocr.rendering.fast_kernels import COVERAGE_LEVELS, FAINT_LEVELS, FAINT_VARIANTS, Settings

_SUPPORTED = frozenset(
    {
        "character_offset_dx",
        "character_offset_dy",
        "character_rotate",
        "character_warp_dx",
        "character_warp_dy",
        "lookup_table",
        "word_offset_dx",
        "word_space_probability",
    }
)
_HARMLESS = frozenset({"__init__", "__module__", "__doc__", "__dict__", "__weakref__", "__annotations__"}) | {
    # Python 3.13 and 3.14 give these to every class.
    "__firstlineno__", "__static_attributes__", "__annotate__", "__annotate_func__", "__annotations_cache__",
}  # fmt: skip
_INSIDE = 215  # minimum level of a pixel inside a character; the minimum opacity is 220
_EDGE_LOSS = 0.15  # grey levels; measured on 2,500 images
_MIN_SIDE = 5  # pixels; nothing of a character is left below


def can_follow(captcha_class: type[ImageCaptcha], draw_width: int = 160, draw_height: int = 60) -> str | None:
    """Why the fast renderer does not support this class; None if it does.

    Supported are other values of ImageCaptcha's class attributes, and font sizes or attributes set by __init__; not
    overridden methods.
    """
    if draw_width < _MIN_SIDE or draw_height < _MIN_SIDE:
        return f"images of {draw_width}x{draw_height} pixels are too small"
    name = captcha_class.__qualname__
    try:
        captcha: Any = captcha_class(width=draw_width, height=draw_height)
    except Exception as error:  # the constructor is the user's code
        return f"{name}(width, height) fails: {error}"
    methods = {*vars(ImageCaptcha), "__getattribute__", "__getattr__"} - _SUPPORTED - _HARMLESS
    for attribute in sorted(methods):
        changed = any(attribute in vars(each) for each in captcha_class.__mro__ if not issubclass(ImageCaptcha, each))
        if changed or attribute in vars(captcha):
            return f"{name} overrides {attribute}"
    for attribute in sorted(_SUPPORTED):
        if hasattr(inspect.getattr_static(captcha_class, attribute), "__get__"):
            return f"{name} computes {attribute}"
    if (captcha._width, captcha._height) != (draw_width, draw_height):
        return f"{name} changes the size given to it"
    try:
        settings = read_settings(captcha, num_fonts=1)
        masks = read_masks(captcha)
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        return f"{name} has an attribute that is not of the library's type: {error}"
    if settings.min_dx > settings.max_dx:
        return f"{name}.character_offset_dx: minimum above maximum"
    if settings.min_dy > settings.max_dy:
        return f"{name}.character_offset_dy: minimum above maximum"
    if masks[0]:
        return f"{name}.lookup_table begins with {masks[0]}, so it also paints where there is no ink"
    if settings.overlap < 0:
        return f"{name}.word_offset_dx is negative"
    return None


def read_settings(captcha: Any, num_fonts: int) -> Settings:
    """The parameters of a captcha object that chooses from `num_fonts` fonts.

    Raises TypeError, ValueError or OverflowError for attributes of another type than the library's.
    """
    (min_dx, max_dx), (min_dy, max_dy) = captcha.character_offset_dx, captcha.character_offset_dy
    for offset in (min_dx, max_dx, min_dy, max_dy):
        if not isinstance(offset, int):
            raise TypeError(f"the character offset {offset!r} is not an int")
    min_angle, max_angle = captcha.character_rotate
    min_warp_x, max_warp_x = captcha.character_warp_dx
    min_warp_y, max_warp_y = captcha.character_warp_dy
    return Settings(
        draw_width=int(captcha._width),
        draw_height=int(captcha._height),
        num_fonts=num_fonts,
        # np.int64 raises OverflowError.
        min_dx=int(np.int64(min_dx)),
        max_dx=int(np.int64(max_dx)),
        min_dy=int(np.int64(min_dy)),
        max_dy=int(np.int64(max_dy)),
        min_angle=float(min_angle),
        max_angle=float(max_angle),
        min_warp_x=float(min_warp_x),
        max_warp_x=float(max_warp_x),
        min_warp_y=float(min_warp_y),
        max_warp_y=float(max_warp_y),
        space_probability=float(captcha.word_space_probability),
        overlap=float(captcha.word_offset_dx),
    )


def read_masks(captcha: ImageCaptcha) -> npt.NDArray[np.uint8]:
    """(256,) uint8: each grey mapped by the object's lookup table, as Pillow does it."""
    greys = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    masks: npt.NDArray[np.uint8] = np.asarray(greys.point(captcha.lookup_table), dtype=np.uint8)[0].copy()
    return masks


def dot_pixels() -> npt.NDArray[np.int64]:
    """(n, 2) int64: the pixels (x, y) of one of the library's noise dots at (0, 0), as Pillow draws it."""
    image = Image.new("L", (17, 17))
    ImageDraw.Draw(image).line(((8, 8), (7, 7)), fill=255, width=3)
    rows, columns = np.nonzero(np.asarray(image))
    return np.stack([columns, rows], axis=1).astype(np.int64) - 8


def seen_colours(rotated: bool = True) -> npt.NDArray[np.float32]:
    """(3, 256, SLOTS) float32: per channel, what rounding leaves of a value 0..255 in each slot of coverage.

    Pillow multiplies colours by their alpha before rotation and before resize, and divides by it afterwards, in
    integers: some of the colour is lost, most where the alpha is small. Inside a character the loss can be computed. At
    its edge it depends on the neighbouring pixels, and the mean is used: half a grey level per division, and _EDGE_LOSS
    in the rotation. A faint pixel has so few levels that it is rounded up as often as down: its FAINT_VARIANTS slots
    differ in that.
    rotated: False if characters are only rotated by multiples of 90 degrees, which loses nothing.
    """
    opaque = _opaque(rotated)
    seen = np.stack([np.concatenate([_faint(each, rotated), opaque], axis=1) for each in range(3)])
    return np.asarray(seen, np.float32)


def rotates(settings: Settings) -> bool:
    """Whether characters are rotated by angles other than multiples of 90 degrees."""
    return settings.min_angle != settings.max_angle or settings.min_angle % 90 != 0


def _faint(channel: int, rotated: bool) -> npt.NDArray[np.int64]:
    """(256, FAINT_LEVELS * FAINT_VARIANTS): slots of level 0, of level 1, ...; each channel in an order of its own."""
    colour = np.arange(256)[:, None, None]
    alpha = np.maximum(np.arange(FAINT_LEVELS), 1)[None, :, None]
    variants = (np.arange(FAINT_VARIANTS) * (2 * channel + 1) + channel) % FAINT_VARIANTS
    loss = _EDGE_LOSS * rotated * (1 - colour / 255)
    product = colour * alpha / 255 - loss + (variants + 0.5) / FAINT_VARIANTS
    return np.asarray(np.minimum(255 * np.maximum(product, 0).astype(np.int64) // alpha, 255)).reshape(256, -1)


def _opaque(rotated: bool) -> npt.NDArray[np.float64]:
    """(256, COVERAGE_LEVELS - FAINT_LEVELS): one slot per remaining level."""
    colour = np.arange(256)[:, None]
    level = np.arange(FAINT_LEVELS, COVERAGE_LEVELS)[None, :]
    alpha = np.minimum(level, 255)
    once = np.minimum(255 * _multiply(colour, alpha) // alpha, 255) if rotated else colour
    # Beyond full coverage the alpha is clipped, and the colour is not.
    product = np.minimum(_multiply(once, alpha) * level // alpha, 255)
    inside = np.minimum(255 * product // alpha, 255)
    steps = 0.5 * (1 + rotated)
    edge = np.maximum(colour - steps - _EDGE_LOSS * rotated * (255 - colour) / alpha, 0.0)
    return np.where(level < _INSIDE, edge, inside)


def _multiply(colour: npt.NDArray[np.int64], alpha: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    product = colour * alpha + 128
    return ((product >> 8) + product) >> 8
