"""One image that shows many small ones, each with its label below it."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ctc_ocr.errors import InputError
from ctc_ocr.images.font_characters import font_characters

WIDTH = 1200  # pixels; more if one image needs it
GAP = 8
TEXT_SIZE = 16
BACKGROUND = (214, 219, 226)  # not a colour of paper, so that the edges of the images are visible


def contact_sheet(images: Sequence[NDArray[np.uint8]], labels: Sequence[str], fonts: Sequence[str]) -> Image.Image:
    """RGB image of images (H, W) or (H, W, 3) uint8, row by row. Each label is in the font that lacks the fewest of its
    characters; those are drawn as boxes."""
    chosen = [_font_for(label, fonts) for label in labels]
    cell_width = max(
        [image.shape[1] for image in images] + [_text_width(*each) for each in zip(labels, chosen, strict=True)]
    )
    cell_height = max(image.shape[0] for image in images) + 2 * TEXT_SIZE
    columns = min(len(images), max(1, (WIDTH - GAP) // (cell_width + GAP)))
    rows = -(-len(images) // columns)
    size = (GAP + columns * (cell_width + GAP), GAP + rows * (cell_height + GAP))
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for number, (image, label, font) in enumerate(zip(images, labels, chosen, strict=True)):
        row, column = divmod(number, columns)
        left, top = GAP + column * (cell_width + GAP), GAP + row * (cell_height + GAP)
        sheet.paste(Image.fromarray(np.ascontiguousarray(image)), (left, top))
        draw.text((left, top + image.shape[0] + 2), label, fill="black", font=font)
    return sheet


def _font_for(label: str, fonts: Sequence[str]) -> ImageFont.FreeTypeFont:
    best = min(fonts, key=lambda font: len(set(map(ord, label)) - _code_points(font)))
    return ImageFont.truetype(best, TEXT_SIZE)


@lru_cache
def _code_points(font: str) -> frozenset[int]:
    try:
        return font_characters(font)
    except InputError:  # Pillow may draw nevertheless
        return frozenset()


def _text_width(label: str, font: ImageFont.FreeTypeFont) -> int:
    return int(font.getlength(label)) + 1
