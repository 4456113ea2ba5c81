"""Pictures of pages: boxes with modern glyphs beside them, samples of each class, and how often classes occur."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ctc_ocr.images.pixels import Pixels, resize
from ctc_ocr.pages.reading_order import Line

COLOURS = ((200, 30, 30), (20, 70, 200), (10, 120, 40), (160, 20, 150), (190, 100, 0), (0, 120, 140))  # of lines
LINE_WIDTH = 3  # pixels of the page
MIN_GLYPH = 18  # pixels
CELL, GAP = 48, 4  # of a grid: pixels of an image, and between two
BAR, LABELLED_BARS = 6, 40  # of the plot: pixels of a bar, and bars with their character below
PLOT_HEIGHT, PLOT_MARGIN = 320, 60
PAPER, INK = (255, 255, 255), (20, 20, 20)


def draw_page(page: Pixels, lines: Sequence[Line], font: str | Path) -> Image.Image:
    """A page (H, W, 3) uint8 as an RGB image: the boxes of each line in a colour of its own, each with its character
    in the font at its right, and a thin line in the order of reading. All glyphs of a page have one size."""
    image = Image.fromarray(page)
    pen = ImageDraw.Draw(image)
    sides = sorted(max(box.rectangle.width, box.rectangle.height) for line in lines for box in line)
    face = ImageFont.truetype(str(font), max(MIN_GLYPH, sides[len(sides) // 2] * 2 // 3 if sides else 0))
    for number, line in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        centres = [box.rectangle.centre for box in line]
        if len(centres) > 1:
            pen.line(centres, fill=colour, width=1)
        for box in line:
            left, top, right, bottom = box.rectangle
            pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour, width=LINE_WIDTH)
            place = (right + LINE_WIDTH, (top + bottom) / 2)
            pen.text(place, box.character, colour, face, "lm", stroke_width=2, stroke_fill=PAPER)
    return image


def draw_grid(classes: Mapping[str, Sequence[Pixels]], font: str | Path) -> Image.Image:
    """A row for each class: its character, then its images (h, w, 3) uint8 with their ratio kept."""
    columns = max((len(images) for images in classes.values()), default=0)
    side = CELL + GAP
    sheet = Image.new("RGB", (GAP + (columns + 1) * side, GAP + max(1, len(classes)) * side), PAPER)
    pen, face = ImageDraw.Draw(sheet), ImageFont.truetype(str(font), CELL * 3 // 4)
    for row, (character, images) in enumerate(classes.items()):
        top = GAP + row * side
        pen.text((GAP + CELL / 2, top + CELL / 2), character, fill=INK, font=face, anchor="mm")
        for column, image in enumerate(images, start=1):
            sheet.paste(Image.fromarray(np.ascontiguousarray(_fitted(image))), (GAP + column * side, top))
    return sheet


def draw_frequencies(counts: Mapping[str, int], font: str | Path) -> Image.Image:
    """Bars, the most frequent class first, with a logarithmic scale; the first ones have their character below."""
    ordered = sorted(counts.items(), key=lambda each: -each[1])
    labelled = min(len(ordered), LABELLED_BARS)
    wide = 3 * BAR
    width = 2 * PLOT_MARGIN + labelled * wide + (len(ordered) - labelled) * BAR
    image = Image.new("RGB", (width, PLOT_HEIGHT + 2 * PLOT_MARGIN), PAPER)
    pen, face = ImageDraw.Draw(image), ImageFont.truetype(str(font), wide - 2)
    bottom, most = PLOT_HEIGHT + PLOT_MARGIN, np.log10(max(counts.values(), default=1)) or 1.0
    for power in range(int(most) + 1):
        y = bottom - power / most * (PLOT_HEIGHT - BAR) - BAR
        pen.line((PLOT_MARGIN, y, width - PLOT_MARGIN, y), fill=(200, 200, 200))
        pen.text((PLOT_MARGIN - GAP, y), f"{10**power}", fill=INK, font=face, anchor="rm")
    x = PLOT_MARGIN
    for number, (character, count) in enumerate(ordered):
        step = wide if number < labelled else BAR
        height = BAR + np.log10(count) / most * (PLOT_HEIGHT - BAR)
        pen.rectangle((x, bottom - height, x + step - 2, bottom), fill=COLOURS[1])
        if number < labelled:
            pen.text((x + step / 2, bottom + GAP), character, fill=INK, font=face, anchor="mt")
        x += step
    return image


def _fitted(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    scale = CELL / max(height, width)
    return resize(image, max(1, round(width * scale)), max(1, round(height * scale)))
