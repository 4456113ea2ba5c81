"""The compiled parts of the wild renderer: characters are placed and drawn into a layer, and layers are blended into an
image."""

import math

import numpy as np

from ctc_ocr.runtime.compiled import compiled, compiled_helper

MIN_SIZE = 19  # of the font, in pixels
MAX_HEIGHT = 128  # of an image, in pixels
MAX_WIDTH = 16_000  # of an image, in pixels; OpenCV's distortions take no more than 32,767
MIN_SPACE = 0.2  # width of a space, in font sizes
GLYPH = np.dtype(
    [
        ("full", np.int64), ("full_width", np.int64), ("full_height", np.int64),  # bitmap at EM: first pixel, size
        ("half", np.int64), ("half_width", np.int64), ("half_height", np.int64),  # at half of it
        ("width", np.float64), ("height", np.float64),  # of its ink, in font sizes
        ("top", np.float64), ("advance", np.float64),  # top of its ink, above the baseline is negative
    ]
)  # fmt: skip
LOOK = np.dtype(
    [
        # Ranges of what is random per character: radians, and font sizes.
        ("rotation", np.float64), ("shear", np.float64), ("growth", np.float64), ("shift", np.float64),
        ("gap_jitter", np.float64),
        # What all characters have.
        ("tilt", np.float64), ("slant", np.float64), ("bow", np.float64), ("phase", np.float64), ("gap", np.float64),
        ("cell", np.float64),  # minimum width of a character, as a part of the widest one: 0, or 1 for monospaced text
        # Around the text, in font sizes.
        ("before", np.float64), ("after", np.float64), ("above", np.float64), ("below", np.float64),
    ]
)  # fmt: skip


@compiled_helper
def _uniform(seed, position):  # type: ignore[no-untyped-def]
    """0 to 1: number `position` of the stream of a seed (SplitMix64, Steele et al. 2014)."""
    mixed = np.uint64(seed) + (np.uint64(position) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return np.float64(mixed >> np.uint64(11)) * (1.0 / (1 << 53))


@compiled_helper
def _around(seed, position, reach):  # type: ignore[no-untyped-def]
    """-reach to reach, small amounts more often; takes two numbers of the stream."""
    return reach * (_uniform(seed, position) - _uniform(seed, position + 1))


@compiled_helper
def _place(seed, glyphs, look, places):  # type: ignore[no-untyped-def]
    """Write the places (N, 8) of characters, in font sizes: the ink's centre, half its extent along both axes, and its
    linear map (xx, xy, yx, yy)."""
    cell = 0.3
    for n in range(len(glyphs)):
        cell = max(cell, glyphs[n].width)
    cell *= look.cell
    edge, before = 0.0, 0.0
    for n in range(len(glyphs)):
        glyph = glyphs[n]
        first = 16 * n
        scale = 1 + _around(seed, first, look.growth)
        angle = look.tilt + _around(seed, first + 2, look.rotation)
        shear = look.slant + _around(seed, first + 4, look.shear)
        cosine, sine = math.cos(angle) * scale, math.sin(angle) * scale
        # Shear first (the top moves to the right), then rotation.
        xx, xy, yx, yy = cosine, -shear * cosine - sine, sine, -shear * sine + cosine
        half_width = (abs(xx) * glyph.width + abs(xy) * glyph.height) / 2
        half_height = (abs(yx) * glyph.width + abs(yy) * glyph.height) / 2
        # A rotated character's box overstates its ink: its neighbours may come nearer.
        room = max(0.62 * half_width, glyph.width * scale / 2, cell * scale / 2)
        if not glyph.full_width:
            room = max(glyph.advance, MIN_SPACE) * scale / 2
        if n:
            edge += max(look.gap + _around(seed, first + 8, look.gap_jitter), -0.5 * min(room, before))
        shift = _around(seed, first + 6, look.shift) + look.bow * math.sin(look.phase + n)
        places[n, 0], places[n, 1] = edge + room, (glyph.top + glyph.height / 2) * scale + shift
        places[n, 2], places[n, 3] = half_width, half_height
        places[n, 4], places[n, 5], places[n, 6], places[n, 7] = xx, xy, yx, yy
        edge += 2 * room
        before = room


@compiled
def lay_out(seed, glyphs, looks, height, em, margin, bitmaps, maps, boxes):  # type: ignore[no-untyped-def]
    """Place the characters of a text in one line. Returns the image's height and width and the font's size, in pixels.

    seed uint64; glyphs (N,) GLYPH, drawn at `em` pixels with `margin` pixels around them; looks (1,) LOOK; height: the
    least one of the image. Written are bitmaps (N, 3) int64: first pixel, width and height of the bitmap to draw; maps
    (N, 6) float64, from the image to the bitmap, see draw_glyphs; boxes (N, 4) float64: left, top, right and bottom of
    each character's ink, in pixels.
    """
    look = looks[0]
    places = np.empty((len(glyphs), 8))
    _place(seed, glyphs, look, places)
    left, right, top, bottom = math.inf, -math.inf, math.inf, -math.inf
    for n in range(len(glyphs)):
        x, y, across, down = places[n, 0], places[n, 1], places[n, 2], places[n, 3]
        left, right = min(left, x - across), max(right, x + across)
        if glyphs[n].full_width:
            top, bottom = min(top, y - down), max(bottom, y + down)
    if top > bottom:  # nothing but spaces
        top, bottom = -0.7, 0.0
    right, bottom = max(right, left + 0.2), max(bottom, top + 0.3)  # a full stop is not as tall as its image
    tall = bottom - top + look.above + look.below
    rows = max(height, min(int(math.ceil(MIN_SIZE * tall)), MAX_HEIGHT))
    size = rows / tall
    wide = right - left + look.before + look.after
    size = min(size, MAX_WIDTH / wide)
    columns = max(8, min(int(math.ceil(wide * size)), MAX_WIDTH))
    for n in range(len(glyphs)):
        glyph = glyphs[n]
        x, y = (places[n, 0] - left + look.before) * size, (places[n, 1] - top + look.above) * size
        across, down = places[n, 2] * size, places[n, 3] * size
        boxes[n, 0], boxes[n, 1], boxes[n, 2], boxes[n, 3] = x - across, y - down, x + across, y + down
        xx, xy, yx, yy = places[n, 4], places[n, 5], places[n, 6], places[n, 7]
        det = xx * yy - xy * yx
        halved = size * math.sqrt(abs(det)) < 0.6 * em
        if halved:
            bitmaps[n, 0], bitmaps[n, 1], bitmaps[n, 2] = glyph.half, glyph.half_width, glyph.half_height
        else:
            bitmaps[n, 0], bitmaps[n, 1], bitmaps[n, 2] = glyph.full, glyph.full_width, glyph.full_height
        drawn, around = (em / 2, margin / 2) if halved else (float(em), float(margin))
        scale = drawn / (size * det)
        a, b, d, e = scale * yy, -scale * xy, -scale * yx, scale * xx
        maps[n, 0], maps[n, 1], maps[n, 3], maps[n, 4] = a, b, d, e
        # Pixel (0, 0) has its centre at (0.5, 0.5), in the image and in the bitmap.
        maps[n, 2] = around + glyph.width * drawn / 2 - 0.5 - a * (x - 0.5) - b * (y - 0.5)
        maps[n, 5] = around + glyph.height * drawn / 2 - 0.5 - d * (x - 0.5) - e * (y - 0.5)
    return rows, columns, size


@compiled
def scatter(image, seed, count, radius, shades):  # type: ignore[no-untyped-def]
    """Draw `count` round dots of up to `radius` pixels, in one of shades (S, C) uint8, in image (H, W, C) uint8."""
    rows, columns, channels = image.shape
    for n in range(count):
        x, y = int(_uniform(seed, 4 * n) * columns), int(_uniform(seed, 4 * n + 1) * rows)
        reach = int(_uniform(seed, 4 * n + 2) * (radius + 1))
        shade = int(_uniform(seed, 4 * n + 3) * len(shades))
        for row in range(max(0, y - reach), min(rows, y + reach + 1)):
            for column in range(max(0, x - reach), min(columns, x + reach + 1)):
                if (row - y) ** 2 + (column - x) ** 2 <= reach * reach + 1:
                    for channel in range(channels):
                        image[row, column, channel] = shades[shade, channel]


@compiled
def draw_glyphs(pixels, glyphs, maps, ink, owner):  # type: ignore[no-untyped-def]
    """Draw glyph n, enlarged, rotated and sheared, into a layer.

    pixels (P,) uint8, bitmaps one after the other; glyphs (N, 3) int64: first pixel, width, height; maps (N, 6)
    float64: the affine map (a, b, c, d, e, f) from layer to bitmap, x' = a x + b y + c and y' = d x + e y + f. ink
    (H, W) uint8 gets the maximum of what is there and the glyph, bilinear; owner (H, W) uint8 the n of the glyph that
    gave it.
    """
    rows, columns = ink.shape
    for n in range(len(glyphs)):
        first, width, height = glyphs[n]
        if not width:
            continue
        a, b, c, d, e, f = maps[n]
        det = a * e - b * d
        left, top, right, bottom = math.inf, math.inf, -math.inf, -math.inf
        for corner in range(4):
            u = (-1.0 if corner % 2 == 0 else float(width)) - c
            v = (-1.0 if corner < 2 else float(height)) - f
            x, y = (e * u - b * v) / det, (a * v - d * u) / det
            left, right = min(left, x), max(right, x)
            top, bottom = min(top, y), max(bottom, y)
        for y in range(max(0, math.floor(top)), min(rows, math.ceil(bottom) + 1)):
            for x in range(max(0, math.floor(left)), min(columns, math.ceil(right) + 1)):
                u, v = a * x + b * y + c, d * x + e * y + f
                if u <= -1 or v <= -1 or u >= width or v >= height:
                    continue
                i, j = math.floor(u), math.floor(v)
                p, q = u - i, v - j
                level = 0.0
                start = first + j * width + i
                if j >= 0:
                    if i >= 0:
                        level += (1 - p) * (1 - q) * pixels[start]
                    if i + 1 < width:
                        level += p * (1 - q) * pixels[start + 1]
                if j + 1 < height:
                    if i >= 0:
                        level += (1 - p) * q * pixels[start + width]
                    if i + 1 < width:
                        level += p * q * pixels[start + width + 1]
                rounded = np.uint8(level + 0.5)
                if rounded > ink[y, x]:
                    ink[y, x] = rounded
                    owner[y, x] = n & 255


@compiled
def blend(image, ink, owner, colours, opacity):  # type: ignore[no-untyped-def]
    """Paint colours[owner], (N, C) float32, over image (H, W, C) uint8 where there is ink (H, W) uint8, in place."""
    rows, columns, channels = image.shape
    for y in range(rows):
        for x in range(columns):
            if ink[y, x]:
                alpha = np.float32(ink[y, x]) * opacity
                for channel in range(channels):
                    below = np.float32(image[y, x, channel])
                    above = colours[owner[y, x], channel]
                    image[y, x, channel] = np.uint8(below + (above - below) * alpha + np.float32(0.5))


@compiled
def blend_picture(image, ink, picture, opacity):  # type: ignore[no-untyped-def]
    """Paint picture, (H, W, C) uint8, over image (H, W, C) uint8 where there is ink (H, W) uint8, in place."""
    rows, columns, channels = image.shape
    for y in range(rows):
        for x in range(columns):
            if ink[y, x]:
                alpha = np.float32(ink[y, x]) * opacity
                for channel in range(channels):
                    below = np.float32(image[y, x, channel])
                    above = np.float32(picture[y, x, channel])
                    image[y, x, channel] = np.uint8(below + (above - below) * alpha + np.float32(0.5))
