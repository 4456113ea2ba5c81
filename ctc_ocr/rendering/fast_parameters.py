"""What the fast renderer reads from a captcha class, and when it cannot follow one."""

from typing import Any

import numpy as np
import numpy.typing as npt
from captcha.image import ImageCaptcha
from PIL import Image, ImageDraw

from ctc_ocr.rendering.fast_kernels import COVERAGE_LEVELS, SETTINGS

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
_HARMLESS = frozenset({"__init__", "__module__", "__doc__", "__dict__", "__weakref__", "__annotations__"})
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
    for attribute in sorted(set(vars(ImageCaptcha)) - _FOLLOWED - _HARMLESS):
        changed = any(attribute in vars(each) for each in captcha_class.__mro__ if not issubclass(ImageCaptcha, each))
        if changed or attribute in vars(captcha):
            return f"{name} overrides {attribute}"
    if (captcha._width, captcha._height) != (draw_width, draw_height):
        return f"{name} changes the size that it is given"
    try:
        settings = read_settings(captcha, fonts=1)[0]
        read_masks(captcha)
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        return f"{name} has an attribute that is not of the library's form: {error}"
    for attribute in ("offset_dx", "offset_dy"):
        if settings[attribute][0] > settings[attribute][1]:
            return f"{name}.character_{attribute} ends before it begins"
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
    return np.asarray(greys.point(captcha.lookup_table), dtype=np.uint8)[0].copy()


def dot_pixels() -> npt.NDArray[np.int64]:
    """(n, 2) int64: the pixels (x, y) of one of the library's noise dots around its point, as Pillow draws it."""
    picture = Image.new("L", (17, 17))
    ImageDraw.Draw(picture).line(((8, 8), (7, 7)), fill=255, width=3)
    rows, columns = np.nonzero(np.asarray(picture))
    return np.stack([columns, rows], axis=1).astype(np.int64) - 8


def seen_colours() -> npt.NDArray[np.uint8]:
    """(256, COVERAGE_LEVELS) uint8: what is left of a colour value at a level of coverage.

    Pillow multiplies colours by their alpha before it rotates and again before it resizes, and divides by it afterwards,
    each time in whole numbers: much of a colour is lost where little of it is seen.
    """
    colour = np.arange(256)[:, None]
    alpha = np.minimum(np.arange(COVERAGE_LEVELS), 255)[None, :]
    once = _divide(_multiply(colour, alpha), alpha)
    product = _multiply(once, alpha)
    # Beyond full coverage the alpha is cut off, and the colour is not.
    product = np.minimum(product * np.arange(COVERAGE_LEVELS) // np.maximum(alpha, 1), 255)
    return _divide(product, alpha).astype(np.uint8)


def _multiply(colour: npt.NDArray[np.int64], alpha: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    product = colour * alpha + 128
    return ((product >> 8) + product) >> 8


def _divide(product: npt.NDArray[np.int64], alpha: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.minimum(255 * product // np.maximum(alpha, 1), 255)
