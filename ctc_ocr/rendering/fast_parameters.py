"""What the fast renderer reads from a captcha class, and when it cannot follow one."""

import inspect
from typing import Any

import numpy as np
import numpy.typing as npt
from captcha.image import ImageCaptcha
from PIL import Image, ImageDraw

from ctc_ocr.rendering.fast_kernels import COVERAGE_LEVELS, FAINT_LEVELS, FAINT_VARIANTS, SETTINGS

_FOLLOWED = frozenset(
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
_INSIDE = 215  # levels from which on a pixel belongs to the inside of a character, whose opacity is 220 or more
_EDGE_LOSS = 0.15  # steps
_SMALLEST_SIDE = 5  # pixels; below, nothing of a character is left


def can_follow(captcha_class: type[ImageCaptcha], draw_width: int = 160, draw_height: int = 60) -> str | None:
    """Why the fast renderer cannot draw what this class draws; None if it can.

    Followed are other values of the class attributes of ImageCaptcha, and font sizes or attributes that __init__ sets;
    not methods that are overridden.
    """
    if draw_width < _SMALLEST_SIDE or draw_height < _SMALLEST_SIDE:
        return f"images of {draw_width}x{draw_height} pixels are too small"
    name = captcha_class.__qualname__
    try:
        captcha: Any = captcha_class(width=draw_width, height=draw_height)
    except Exception as error:  # its constructor is anybody's code
        return f"{name}(width, height) fails: {error}"
    methods = {*vars(ImageCaptcha), "__getattribute__", "__getattr__"} - _FOLLOWED - _HARMLESS
    for attribute in sorted(methods):
        changed = any(attribute in vars(each) for each in captcha_class.__mro__ if not issubclass(ImageCaptcha, each))
        if changed or attribute in vars(captcha):
            return f"{name} overrides {attribute}"
    for attribute in sorted(_FOLLOWED):
        if hasattr(inspect.getattr_static(captcha_class, attribute), "__get__"):
            return f"{name} computes {attribute}"
    if (captcha._width, captcha._height) != (draw_width, draw_height):
        return f"{name} changes the size that it is given"
    try:
        settings = read_settings(captcha, fonts=1)[0]
        masks = read_masks(captcha)
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        return f"{name} has an attribute that is not of the library's form: {error}"
    for attribute in ("offset_dx", "offset_dy"):
        if settings[attribute][0] > settings[attribute][1]:
            return f"{name}.character_{attribute} ends before it begins"
    if masks[0]:
        return f"{name}.lookup_table begins with {masks[0]}: it paints where no ink is"
    if settings["overlap"] < 0:
        return f"{name}.word_offset_dx is negative"
    return None


def read_settings(captcha: ImageCaptcha, fonts: int) -> npt.NDArray[np.void]:
    """The parameters of a captcha object, (1,) of SETTINGS; `fonts` is how many it chooses from.

    Raises TypeError or ValueError for attributes of another form than the library's.
    """
    settings = np.zeros(1, SETTINGS)
    settings["draw_width"], settings["draw_height"] = captcha._width, captcha._height
    settings["fonts"] = fonts
    for name in ("offset_dx", "offset_dy", "rotate", "warp_dx", "warp_dy"):
        low, high = getattr(captcha, f"character_{name}")
        if name.startswith("offset") and not (isinstance(low, int) and isinstance(high, int)):
            raise TypeError(f"character_{name} = {(low, high)}")
        settings[name] = (low, high)
    settings["space_probability"] = captcha.word_space_probability
    settings["overlap"] = captcha.word_offset_dx
    return settings


def read_masks(captcha: ImageCaptcha) -> npt.NDArray[np.uint8]:
    """(256,) uint8: what Pillow makes of each grey with the object's lookup table."""
    greys = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    masks: npt.NDArray[np.uint8] = np.asarray(greys.point(captcha.lookup_table), dtype=np.uint8)[0].copy()
    return masks


def dot_pixels() -> npt.NDArray[np.int64]:
    """(n, 2) int64: the pixels (x, y) of one of the library's noise dots around its point, as Pillow draws it."""
    picture = Image.new("L", (17, 17))
    ImageDraw.Draw(picture).line(((8, 8), (7, 7)), fill=255, width=3)
    rows, columns = np.nonzero(np.asarray(picture))
    return np.stack([columns, rows], axis=1).astype(np.int64) - 8


def seen_colours(turned: bool = True) -> npt.NDArray[np.float32]:
    """(3, 256, SLOTS) float32: for red, green and blue what is left of a value 0..255 in each slot of coverage.

    Pillow multiplies colours by their alpha before it rotates and again before it resizes, and divides by it after,
    each time in whole numbers, so that a little of the colour is lost, and much where little of it is seen. Inside a
    character that can be calculated. At its edge it depends on the pixels around, and the mean loss is taken: each
    division loses half a step, and the rotation a part of one of the products, _EDGE_LOSS (seen over 2,500 images). A
    faint pixel keeps so few steps that it is rounded up as often as down: FAINT_VARIANTS slots differ in that.
    turned: False where no character is turned, other than by right angles; nothing is lost in the rotation then.
    """
    clear = _clear(turned)
    seen = np.stack([np.concatenate([_faint(each, turned), clear], axis=1) for each in range(3)])
    return np.asarray(seen, np.float32)


def turns(settings: npt.NDArray[np.void]) -> bool:
    """Whether characters are turned by other angles than right ones; settings (1,) of SETTINGS."""
    low, high = settings["rotate"][0]
    return bool(low != high or low % 90)


def _faint(channel: int, turned: bool) -> npt.NDArray[np.int64]:
    """(256, FAINT_LEVELS * FAINT_VARIANTS): slots of level 0, then of level 1 ..., each channel in another order."""
    colour = np.arange(256)[:, None, None]
    alpha = np.maximum(np.arange(FAINT_LEVELS), 1)[None, :, None]
    variants = (np.arange(FAINT_VARIANTS) * (2 * channel + 1) + channel) % FAINT_VARIANTS
    loss = _EDGE_LOSS * turned * (1 - colour / 255)
    product = colour * alpha / 255 - loss + (variants + 0.5) / FAINT_VARIANTS
    return np.asarray(np.minimum(255 * np.maximum(product, 0).astype(np.int64) // alpha, 255)).reshape(256, -1)


def _clear(turned: bool) -> npt.NDArray[np.float64]:
    """(256, COVERAGE_LEVELS - FAINT_LEVELS): one slot for each of the other levels."""
    colour = np.arange(256)[:, None]
    level = np.arange(FAINT_LEVELS, COVERAGE_LEVELS)[None, :]
    alpha = np.minimum(level, 255)
    once = np.minimum(255 * _multiply(colour, alpha) // alpha, 255) if turned else colour
    # Beyond full coverage the alpha is cut off, and the colour is not.
    product = np.minimum(_multiply(once, alpha) * level // alpha, 255)
    inside = np.minimum(255 * product // alpha, 255)
    steps = 0.5 * (1 + turned)
    edge = np.maximum(colour - steps - _EDGE_LOSS * turned * (255 - colour) / alpha, 0.0)
    return np.where(level < _INSIDE, edge, inside)


def _multiply(colour: npt.NDArray[np.int64], alpha: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    product = colour * alpha + 128
    return ((product >> 8) + product) >> 8
