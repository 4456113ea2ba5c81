"""The compiled parts of the wild renderer: glyphs are drawn into a layer, and layers are blended into an image."""

import math

import numpy as np

from ctc_ocr.runtime.compiled import compiled


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
                    owner[y, x] = n


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
