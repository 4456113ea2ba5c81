"""Renderers by name."""

import logging

from captcha.image import ImageCaptcha

from ctc_ocr.config.sections import Data
from ctc_ocr.errors import InputError
from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer
from ctc_ocr.rendering.fast import FastRenderer
from ctc_ocr.rendering.fast_parameters import can_follow

KINDS = ("fast", "captcha")
_log = logging.getLogger(__name__)


def make_renderer(
    kind: str,
    fonts: tuple[str, ...],
    draw_width: int = 160,
    draw_height: int = 60,
    width: int = 80,
    height: int = 30,
    captcha_class: type[ImageCaptcha] = ImageCaptcha,
) -> FastRenderer | CaptchaLibraryRenderer:
    """A renderer of kind "fast" or "captcha"; sizes in pixels. Raises InputError for another kind.

    A captcha class that the fast renderer does not support is rendered by the captcha library, with a logged warning.
    """
    if kind not in KINDS:
        raise InputError(f"unknown renderer {kind!r}; accepted: {', '.join(KINDS)}")
    if kind == "fast":
        reason = can_follow(captcha_class, draw_width, draw_height)
        if reason is None:
            return FastRenderer(fonts, draw_width, draw_height, width, height, captcha_class)
        _log.warning("the slower captcha library renders, since the fast renderer does not support this: %s", reason)
    return CaptchaLibraryRenderer(fonts, draw_width, draw_height, width, height, captcha_class)


def make_fast(fonts: tuple[str, ...], data: Data) -> FastRenderer | CaptchaLibraryRenderer:
    """The fast renderer, or the captcha library's where it cannot follow."""
    return make_renderer("fast", fonts, data.draw_width, data.draw_height, data.width, data.height)


def make_captcha(fonts: tuple[str, ...], data: Data) -> CaptchaLibraryRenderer:
    """The captcha library's renderer."""
    return CaptchaLibraryRenderer(fonts, data.draw_width, data.draw_height, data.width, data.height)
