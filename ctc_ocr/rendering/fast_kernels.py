"""The compiled half of the fast renderer: captchas from a 64-bit seed each, many in one call.

All compiled functions live in this one file, since numba renews a function's cache on disk only when the file that the
function itself is written in has changed. Images are float32 and lie column by column here (pixel (x, y) of an image of
height H is element x * H + y): the loops that weigh and add then run over neighbouring elements.

Only additions, multiplications and divisions in the written order are used (no fused operations, no library sine), so
that every machine computes the same pixels.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

# What the kernel is told about the captcha class; see fast_parameters.py.
SETTINGS = np.dtype(
    [
        ("draw_width", np.int64),
        ("draw_height", np.int64),
        ("fonts", np.int64),  # how many the library chooses from: font files times sizes
        ("offset_dx", np.int64, 2),
        ("offset_dy", np.int64, 2),
        ("rotate", np.float64, 2),
        ("warp_dx", np.float64, 2),
        ("warp_dy", np.float64, 2),
        ("space_probability", np.float64),
        ("overlap", np.float64),
    ]
)

# One drawn character in the atlas. Its pixels start at `start`, row by row, cropped to the ink.
GLYPH = np.dtype(
    [
        ("start", np.int64),
        ("ink_width", np.int64),  # 0: nothing to be seen
        ("ink_height", np.int64),
        (
            "left",
            np.int64,
        ),  # column of the first ink when drawn at 0; below 0: cut off unless it is drawn further right
        ("top", np.int64),
        ("width", np.int64),  # of the warped character
        ("height", np.int64),
    ]
)

COVERAGE_LEVELS = 384  # opacity times coverage, 0..255, and what the cubic filter overshoots
FAINT_LEVELS = 16  # of these levels there are variants, since rounding makes very different colours of them
FAINT_VARIANTS = 8
SLOTS = FAINT_LEVELS * FAINT_VARIANTS + COVERAGE_LEVELS - FAINT_LEVELS
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_DRAWS_BEFORE_TEXT = 7  # paper (3), opacity, ink (3)
_DRAWS_A_CHARACTER = 10
_FIXED = 4294967296.0  # coordinates are stepped as integers with 32 bits after the point


def compiled(function: Callable[..., Any]) -> Any:
    """The function compiled by numba at its first call; kept on disk where numba finds a directory it can write."""
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep it: each process compiles for itself
        return njit(**options)(function)


# --- random numbers -------------------------------------------------------------------------------------------------


@compiled
def _bits(seed, position):
    """32 random bits: number `position` of the stream that belongs to the seed (SplitMix64, Steele et al. 2014)."""
    z = seed + np.uint64(position + 1) * _STEP
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return (z ^ (z >> np.uint64(31))) >> np.uint64(32)


@compiled
def _below(seed, position, limit):
    return np.int64((_bits(seed, position) * np.uint64(limit)) >> np.uint64(32))


@compiled
def _uniform(seed, position):
    return np.float64(_bits(seed, position)) / 4294967296.0


@compiled
def choose_fonts(seeds, starts, settings, fonts):
    """Fill fonts[i] with the index of the font that draws unit i; the units of image n are starts[n]..starts[n + 1]."""
    for n in range(len(seeds)):
        position = _DRAWS_BEFORE_TEXT
        for i in range(starts[n], starts[n + 1]):
            spaced = _uniform(seeds[n], position) > settings[0].space_probability
            position += 1 + (_DRAWS_A_CHARACTER if spaced else 0)
            fonts[i] = _below(seeds[n], position, settings[0].fonts)
            position += _DRAWS_A_CHARACTER


# --- one character --------------------------------------------------------------------------------------------------


@compiled
def sine_cosine(degrees):
    """Sine and cosine by their power series on -45..45 degrees; exact at multiples of 90."""
    quarter = np.floor((degrees + 45.0) / 90.0)
    x = (degrees - 90.0 * quarter) * (np.pi / 180.0)
    sine, cosine, term = 0.0, 0.0, 1.0
    for k in range(1, 19, 2):
        cosine += term
        term *= x / k
        sine += term
        term *= -x / (k + 1)
    turn = np.int64(quarter) & 3
    if turn == 1:
        return cosine, -sine
    if turn == 2:
        return -sine, -cosine
    if turn == 3:
        return -cosine, sine
    return sine, cosine


@compiled
def load_glyph(pixels, glyph, cut_left, cut_top, opacity, source):
    """Ink (height, width) times opacity into source, with a border that repeats the edge; returns width and height.

    cut_left columns and cut_top rows fall outside the picture that the library draws the character in; what is left is
    cropped to its ink again.
    """
    left, top, right, bottom = cut_left, cut_top, glyph.ink_width, glyph.ink_height
    stride = glyph.ink_width
    if cut_left > 0 or cut_top > 0:
        x0, y0, x1, y1 = right, bottom, left, top
        for y in range(top, bottom):
            for x in range(left, right):
                if pixels[glyph.start + y * stride + x] > 0:
                    x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x + 1), max(y1, y + 1)
        left, top, right, bottom = x0, y0, x1, y1
    width, height = right - left, bottom - top
    if width <= 0 or height <= 0:
        return 0, 0
    padded = width + 2
    for y in range(height):
        row = glyph.start + (top + y) * stride + left
        to = (y + 1) * padded + 1
        for x in range(width):
            product = np.uint32(pixels[row + x]) * np.uint32(opacity) + np.uint32(128)
            source[to + x] = np.float32(((product >> np.uint32(8)) + product) >> np.uint32(8))
        source[to - 1] = source[to]
        source[to + width] = source[to + width - 1]
    for x in range(padded):
        source[x] = source[padded + x]
        source[(height + 1) * padded + x] = source[height * padded + x]
    return width, height


@compiled
def rotate(source, width, height, degrees, rotated):
    """Pillow's Image.rotate(degrees, BILINEAR, expand=True) of one channel; returns the new width and height."""
    sine, cosine = sine_cosine(degrees)
    sine = -sine
    centre_x, centre_y = width / 2.0, height / 2.0
    move_x = cosine * -centre_x + sine * -centre_y + centre_x
    move_y = -sine * -centre_x + cosine * -centre_y + centre_y
    x_low = x_high = move_x
    y_low = y_high = move_y
    for corner in range(1, 4):
        x = np.float64(width) if corner != 3 else 0.0
        y = np.float64(height) if corner != 1 else 0.0
        new_x = cosine * x + sine * y + move_x
        new_y = -sine * x + cosine * y + move_y
        x_low, x_high = min(x_low, new_x), max(x_high, new_x)
        y_low, y_high = min(y_low, new_y), max(y_high, new_y)
    new_width = np.int64(np.ceil(x_high) - np.floor(x_low))
    new_height = np.int64(np.ceil(y_high) - np.floor(y_low))
    back_x, back_y = -(new_width - width) / 2.0, -(new_height - height) / 2.0
    move_x, move_y = cosine * back_x + sine * back_y + move_x, -sine * back_x + cosine * back_y + move_y

    half = np.int64(_FIXED / 2.0)
    fraction = np.float32(1.0 / _FIXED)
    step_x, step_y = np.int64(np.floor(sine * _FIXED + 0.5)), np.int64(np.floor(cosine * _FIXED + 0.5))
    padded = np.uint64(width + 2)
    for x in range(new_width):
        from_x = np.int64(np.floor((cosine * (x + 0.5) + sine * 0.5 + move_x) * _FIXED + 0.5))
        from_y = np.int64(np.floor((-sine * (x + 0.5) + cosine * 0.5 + move_y) * _FIXED + 0.5))
        to = x * new_height
        for y in range(new_height):
            value = np.float32(0.0)
            if np.uint64(from_x >> 32) < np.uint64(width) and np.uint64(from_y >> 32) < np.uint64(height):
                shifted_x, shifted_y = from_x + half, from_y + half  # minus half a pixel, plus the border
                across = np.float32(shifted_x & 0xFFFFFFFF) * fraction
                down = np.float32(shifted_y & 0xFFFFFFFF) * fraction
                at = np.uint64(shifted_y >> 32) * padded + np.uint64(shifted_x >> 32)
                below = at + padded
                upper = source[at] + (source[at + np.uint64(1)] - source[at]) * across
                lower = source[below] + (source[below + np.uint64(1)] - source[below]) * across
                value = np.float32(np.int32(upper + (lower - upper) * down))
            rotated[to + y] = value
            from_x += step_x
            from_y += step_y
    return new_width, new_height


@compiled
def _cubic(x):
    """Keys's cubic kernel with a = -0.5."""
    x = abs(x)
    if x < 1.0:
        return (1.5 * x - 2.5) * x * x + 1.0
    if x < 2.0:
        return ((2.5 - 0.5 * x) * x - 4.0) * x + 2.0
    return 0.0


@compiled
def cubic_weights(old, new, firsts, counts, weights):
    """Weights of Pillow's BICUBIC resize from `old` to `new` pixels (it widens the filter when it shrinks).

    New pixel i is the sum of counts[i] old ones from firsts[i] on; their weights start at i times the returned stride.
    """
    scale = old / new
    stretch = max(scale, 1.0)
    support = 2.0 * stretch
    stride = np.int64(np.ceil(support)) * 2 + 1
    for i in range(new):
        centre = (i + 0.5) * scale
        first = max(np.int64(centre - support + 0.5), 0)
        count = min(np.int64(centre + support + 0.5), old) - first
        total = 0.0
        for k in range(count):
            total += _cubic((first + k - centre + 0.5) / stretch)
        for k in range(count):
            weights[i * stride + k] = np.float32(_cubic((first + k - centre + 0.5) / stretch) / total)
        firsts[i] = first
        counts[i] = count
    return stride


@compiled
def resize_columns(image, height, new_width, firsts, counts, weights, stride, resized):
    """Weigh the columns of an image (width, height) into new_width columns, not rounded."""
    for x in range(new_width):
        to = x * height
        column = resized[to : to + height]
        first = firsts[x]
        for k in range(counts[x]):
            weight = weights[x * stride + k]
            old = image[(first + k) * height : (first + k + 1) * height]
            if k == 0:
                for y in range(height):
                    column[y] = old[y] * weight
            else:
                for y in range(height):
                    column[y] += old[y] * weight


@compiled
def _transpose_rounded(image, columns, rows, transposed):
    """Round an image (columns, rows) to whole numbers of at least 0 and lay it out the other way, (rows, columns)."""
    for x in range(columns):
        for y in range(rows):
            transposed[y * columns + x] = np.float32(
                np.int32(max(image[x * rows + y] + np.float32(0.5), np.float32(0)))
            )


@compiled
def warp_glyph(pixels, glyph, cuts, opacity, degrees, shifts, rooms, levels):
    """A character rotated, resized and rounded into levels (new height, new width), int16: opacity times coverage.

    shifts: (x1, y1, x2, y2), by which the corners are moved. Returns whether there is anything to be seen.
    """
    first, second, weights, firsts, counts = rooms
    width, height = load_glyph(pixels, glyph, cuts[0], cuts[1], opacity, first)
    if width == 0:
        return False
    width, height = rotate(first, width, height, degrees, second)
    new_width = glyph.width + abs(shifts[0]) + abs(shifts[2])
    new_height = glyph.height + abs(shifts[1]) + abs(shifts[3])
    stride = cubic_weights(width, new_width, firsts, counts, weights)
    resize_columns(second, height, new_width, firsts, counts, weights, stride, first)
    _transpose_rounded(first, new_width, height, second)
    stride = cubic_weights(height, new_height, firsts, counts, weights)
    resize_columns(second, new_width, new_height, firsts, counts, weights, stride, first)
    limit = np.float32(COVERAGE_LEVELS - 1)
    for i in range(new_width * new_height):
        levels[i] = np.int16(min(max(first[i] + np.float32(0.5), np.float32(0.0)), limit))
    return True


@compiled
def paste_glyph(canvas, canvas_width, canvas_height, glyph, shifts, levels, left, top, ink, opaque):
    """Blend a warped character into the canvas: Pillow's QUAD transform (nearest pixel) and paste with a mask.

    ink and opaque (SLOTS,): the grey and the share of the ink, 0..1; see _tables.
    """
    x1, y1, x2, y2 = np.float64(shifts[0]), np.float64(shifts[1]), np.float64(shifts[2]), np.float64(shifts[3])
    wide, high = glyph.width + abs(shifts[0]) + abs(shifts[2]), glyph.height + abs(shifts[1]) + abs(shifts[3])
    across, down = 1.0 / glyph.width, 1.0 / glyph.height
    # The corners of the quadrilateral: (x1, y1), (-x1, high - y2), (wide + x2, high + y2), (wide - x2, -y1).
    x_x, x_y = (wide - x2 - x1) * across, (-x1 - x1) * down
    x_xy = (wide + x2 + x1 - (wide - x2) + x1) * across * down
    y_x, y_y = (-y1 - y1) * across, (high - y2 - y1) * down
    y_xy = (high + y2 - (high - y2) + y1 + y1) * across * down
    y_first, y_last = max(0, -top), min(glyph.height, canvas_height - top)
    for x in range(max(0, -left), min(glyph.width, canvas_width - left)):
        at_x, at_y = x + 0.5, y_first + 0.5
        from_x = np.int64(np.floor((x1 + x_x * at_x + (x_y + x_xy * at_x) * at_y) * _FIXED))
        from_y = np.int64(np.floor((y1 + y_x * at_x + (y_y + y_xy * at_x) * at_y) * _FIXED))
        step_x = np.int64(np.floor((x_y + x_xy * at_x) * _FIXED + 0.5))
        step_y = np.int64(np.floor((y_y + y_xy * at_x) * _FIXED + 0.5))
        to = np.uint64((left + x) * canvas_height + top)
        for y in range(y_first, y_last):
            if np.uint64(from_x >> 32) < np.uint64(wide) and np.uint64(from_y >> 32) < np.uint64(high):
                level = np.int64(levels[np.uint64(from_y >> 32) * np.uint64(wide) + np.uint64(from_x >> 32)])
                if level > 0:
                    slot = np.uint64(level + FAINT_LEVELS * (FAINT_VARIANTS - 1))
                    if level < FAINT_LEVELS:  # bits after the point choose the variant: they are as good as random
                        slot = np.uint64(level * FAINT_VARIANTS + (from_x >> 20) % FAINT_VARIANTS)
                    i = to + np.uint64(y)
                    canvas[i] += (ink[slot] - canvas[i]) * opaque[slot]
            from_x += step_x
            from_y += step_y


# --- one image ------------------------------------------------------------------------------------------------------


@compiled
def draw_arc(canvas, width, height, box, start, end, ink):
    """Pillow's ImageDraw.arc, one pixel wide, for 0 <= start <= 20 and 160 <= end <= 200 degrees.

    As Pillow does, it walks a quarter of the ellipse on a grid of half pixels around its centre, mirrors it, and cuts
    the rows off at the normals of the ellipse in its end points.
    """
    a, b = box[2] - box[0], box[3] - box[1]
    a2, b2 = a * a, b * b
    sine, cosine = sine_cosine(np.float64(start))
    right = (-a * sine, b * cosine, (a2 - b2) * sine * cosine)
    sine, cosine = sine_cosine(np.float64(end))
    left = (a * sine, -b * cosine, (b2 - a2) * sine * cosine)
    if a == 0 and start + end < 180:
        left = right  # an upright line has one side only, and Pillow draws what either cut leaves
    lower_left = (0.0, 0.0, 0.0) if end > 180 else left  # an end above the middle cuts nothing below it
    x, y = a, b % 2
    while True:
        row, outer, inner = y, x, x
        last = False
        while y == row:  # all points of the quarter in this row
            inner = x
            if x == a % 2 and y == b:
                last = True
                break
            new_x, new_y = x, y + 2
            best = abs(a2 * new_y * new_y + b2 * new_x * new_x - a2 * b2)
            if x > 1:
                for step in range(2):
                    try_y = y + 2 - 2 * step
                    far = abs(a2 * try_y * try_y + b2 * (x - 2) * (x - 2) - a2 * b2)
                    if far < best:
                        best, new_x, new_y = far, x - 2, try_y
            x, y = new_x, new_y
        if last:
            inner = a % 2
        low = 2 if inner == 0 else inner
        if low <= outer:
            _arc_row(canvas, width, height, box, low, outer, row, right, ink)
        _arc_row(canvas, width, height, box, -outer, -inner, row, lower_left, ink)
        if end > 180 and row > 0:
            _arc_row(canvas, width, height, box, -outer, -inner, -row, left, ink)
        if last:
            break


@compiled
def _arc_row(canvas, width, height, box, x0, x1, y, cut, ink):
    """The pixels x0..x1 of row y (half pixels from the centre) on the inner side of a straight cut."""
    a, b, c = cut
    c = b * y + c
    if abs(a) < 1e-9:
        if c < -1e-9:
            return
    else:
        end = -c / a
        if a * x0 + c < 1e-9:
            x0 = np.int64(np.floor(max(np.float64(x0), end) + 0.5))
        if a * x1 + c < 1e-9:
            x1 = np.int64(np.floor(min(np.float64(x1), end) + 0.5))
    wide, high = box[2] - box[0], box[3] - box[1]
    row = box[1] + (y + high) // 2
    if x0 > x1 or row < 0 or row >= height:
        return
    for x in range(max(box[0] + (x0 + wide) // 2, 0), min(box[0] + (x1 + wide) // 2, width - 1) + 1):
        canvas[x * height + row] = ink


@compiled
def _draw_noise(canvas, width, height, seed, position, dot, ink):
    """The library's 30 dots and its arc. dot (n, 2): the pixels of a dot around the point it is drawn at."""
    for _ in range(30):
        x, y = _below(seed, position, width + 1), _below(seed, position + 1, height + 1)
        position += 2
        for k in range(len(dot)):
            dot_x, dot_y = x + dot[k, 0], y + dot[k, 1]
            if 0 <= dot_x < width and 0 <= dot_y < height:
                canvas[dot_x * height + dot_y] = ink
    fifth, tenth = width // 5, height // 5
    x1 = _below(seed, position, fifth + 1)
    x2 = _below(seed, position + 1, width - fifth + 1) + fifth
    y1 = _below(seed, position + 2, height - 2 * tenth + 1) + tenth
    y2 = _below(seed, position + 3, height - y1 - tenth + 1) + y1
    end = _below(seed, position + 4, 41) + 160
    start = _below(seed, position + 5, 21)
    draw_arc(canvas, width, height, (x1, y1, x2, y2), start, end, ink)


@compiled
def _squeeze(canvas, old, width, height, paper, ink, rooms, squeezed):
    """Resize a canvas that is too wide. The filter overshoots the paper, and what is brighter than white is cut off,
    in each colour for itself: paper and ink (3,) are the colours."""
    _, _, weights, firsts, counts = rooms
    stride = cubic_weights(old, width, firsts, counts, weights)
    resize_columns(canvas, height, width, firsts, counts, weights, stride, squeezed)
    base = _grey(paper[0], paper[1], paper[2])
    contrast = base - _grey(ink[0], ink[1], ink[2])
    slope_r, slope_g, slope_b = (
        (paper[0] - ink[0]) / contrast,
        (paper[1] - ink[1]) / contrast,
        (paper[2] - ink[2]) / contrast,
    )
    white = np.float32(255.0)
    for i in range(width * height):
        over = squeezed[i] - base
        squeezed[i] = _grey(
            min(paper[0] + over * slope_r, white),
            min(paper[1] + over * slope_g, white),
            min(paper[2] + over * slope_b, white),
        )


@compiled
def _grey(red, green, blue):
    return np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue


@compiled
def _smooth(canvas, width, height, smoothed):
    """Pillow's SMOOTH, rounded: neighbours count once and the pixel five times, by 13; the outermost pixels stay."""
    sums = np.empty(height, np.float32)
    share = np.float32(1.0 / 13.0)
    last = (width - 1) * height
    for y in range(height):
        smoothed[y], smoothed[last + y] = canvas[y], canvas[last + y]
    for x in range(1, width - 1):
        before, here = canvas[(x - 1) * height : x * height], canvas[x * height : (x + 1) * height]
        after, to = canvas[(x + 1) * height : (x + 2) * height], smoothed[x * height : (x + 1) * height]
        for y in range(height):
            sums[y] = before[y] + here[y] + after[y]
        for y in range(1, height - 1):
            total = (sums[y - 1] + sums[y] + sums[y + 1] + np.float32(4.0) * here[y]) * share
            to[y] = np.float32(np.int32(total + np.float32(0.5)))
        to[0], to[height - 1] = here[0], here[height - 1]


@compiled
def _shrink(image, height, columns, column_shares, rows, row_shares, out):
    """Bilinear resize of (width, height) into out (rows, columns) uint8, as cv2.resize does it (no smoothing).

    New pixel i lies between old pixel columns[i] and the next one, column_shares[i] of the way.
    """
    mixed = np.empty(height, np.float32)
    for x in range(len(columns)):
        share = column_shares[x]
        here = image[columns[x] * height : (columns[x] + 1) * height]
        after = image[(columns[x] + 1) * height : (columns[x] + 2) * height] if share > 0 else here
        for y in range(height):
            mixed[y] = here[y] + (after[y] - here[y]) * share
        for y in range(len(rows)):
            value = mixed[rows[y]]
            if row_shares[y] > 0:
                value += (mixed[rows[y] + 1] - value) * row_shares[y]
            out[y, x] = np.uint8(value + np.float32(0.5))


@compiled
def _tables(paper, ink, seen, masks, ink_table, opaque_table):
    """For each slot of coverage: the grey that the library pastes, and with how large a share.

    It takes the grey of the colour for the mask, so faint ink is darker than black ink. seen (3, 256, SLOTS) is what
    rounding leaves of each colour.
    """
    red, green, blue = seen[0, np.int64(ink[0])], seen[1, np.int64(ink[1])], seen[2, np.int64(ink[2])]
    for slot in range(SLOTS):
        ink_table[slot] = _grey(red[slot], green[slot], blue[slot])
        opaque_table[slot] = np.float32(masks[np.int64(ink_table[slot] + np.float32(0.5))]) / np.float32(255.0)


@compiled
def _colours(seed, paper, ink):
    """The library's random paper and ink (3,), 0..255; returns the opacity of the ink."""
    for k in range(3):
        paper[k] = np.float32(_below(seed, k, 18) + 238)
        ink[k] = np.float32(_below(seed, 4 + k, 191) + 10)
    return _below(seed, 3, 36) + 220


@compiled
def _measure_text(seed, units, glyphs, spaces, settings):
    """Width of the characters side by side, spaces included, and the position in the stream after them."""
    position = _DRAWS_BEFORE_TEXT
    total = 0
    for i in range(len(units)):
        position += 1
        if _uniform(seed, position - 1) > settings.space_probability:
            total += spaces[_below(seed, position, settings.fonts)]
            position += _DRAWS_A_CHARACTER
        total += glyphs[units[i]].width
        position += _DRAWS_A_CHARACTER
    return total, position


@compiled
def _shifts(seed, position, glyph, settings):
    """How far the four corners of a character are moved; `position` is that of the first of six draws."""
    warp_x, warp_y = settings.warp_dx, settings.warp_dy
    most_x = glyph.width * _uniform(seed, position) * (warp_x[1] - warp_x[0]) + warp_x[0]
    most_y = glyph.height * _uniform(seed, position + 1) * (warp_y[1] - warp_y[0]) + warp_y[0]
    return (
        np.int64(_uniform(seed, position + 2) * (most_x + most_x) - most_x),
        np.int64(_uniform(seed, position + 3) * (most_y + most_y) - most_y),
        np.int64(_uniform(seed, position + 4) * (most_x + most_x) - most_x),
        np.int64(_uniform(seed, position + 5) * (most_y + most_y) - most_y),
    )


@compiled
def _draw_text(
    canvas, canvas_width, seed, units, pixels, glyphs, spaces, settings, opacity, average, after, tables, rooms, levels
):
    """Draw the characters from left to right; returns the position in the stream after the last draw."""
    position = _DRAWS_BEFORE_TEXT
    overlap = np.int64(settings.overlap * average)
    offset = np.int64(average * 0.1)
    for i in range(len(units)):
        position += 1
        if _uniform(seed, position - 1) > settings.space_probability:
            offset += spaces[_below(seed, position, settings.fonts)] - _below(seed, after, overlap + 1)
            after += 1
            position += _DRAWS_A_CHARACTER
        glyph = glyphs[units[i]]
        x = _below(seed, position + 1, settings.offset_dx[1] - settings.offset_dx[0] + 1) + settings.offset_dx[0]
        y = _below(seed, position + 2, settings.offset_dy[1] - settings.offset_dy[0] + 1) + settings.offset_dy[0]
        cuts = (max(0, -(x + glyph.left)), max(0, -(y + glyph.top)))
        turn = settings.rotate[0] + _uniform(seed, position + 3) * (settings.rotate[1] - settings.rotate[0])
        shifts = _shifts(seed, position + 4, glyph, settings)
        if glyph.ink_width > 0 and warp_glyph(pixels, glyph, cuts, opacity, turn, shifts, rooms, levels):
            top = np.int64((settings.draw_height - glyph.height) / 2)
            paste_glyph(
                canvas, canvas_width, settings.draw_height, glyph, shifts, levels, offset, top, tables[0], tables[1]
            )
        offset += glyph.width - _below(seed, after, overlap + 1)
        after += 1
        position += _DRAWS_A_CHARACTER
    return after


@compiled
def render_batch(
    seeds, starts, units, pixels, glyphs, spaces, parameters, masks, seen, dot, shrink_x, shrink_y, room_sizes, out
):
    """Fill out (N, height, width) uint8. Image n depends on seeds[n] and the glyphs units[starts[n]:starts[n + 1]].

    The random numbers of an image are used in the order in which the library asks for them.
    """
    settings = parameters[0]
    width, height = settings.draw_width, settings.draw_height
    rooms = (
        np.empty(room_sizes[0], np.float32),
        np.empty(room_sizes[0], np.float32),
        np.empty(room_sizes[1], np.float32),
        np.empty(room_sizes[2], np.int64),
        np.empty(room_sizes[2], np.int64),
    )
    levels = np.empty(room_sizes[0], np.int16)
    squeezed, smoothed = np.empty(width * height, np.float32), np.empty(width * height, np.float32)
    canvas = np.empty(room_sizes[3], np.float32)
    paper, ink = np.empty(3, np.float32), np.empty(3, np.float32)
    tables = (np.empty(SLOTS, np.float32), np.empty(SLOTS, np.float32))
    for n in range(len(seeds)):
        seed, text = seeds[n], units[starts[n] : starts[n + 1]]
        opacity = _colours(seed, paper, ink)
        _tables(paper, ink, seen, masks, tables[0], tables[1])
        text_width, position = _measure_text(seed, text, glyphs, spaces, settings)
        canvas_width = max(text_width, width)
        blank = _grey(paper[0], paper[1], paper[2])
        for i in range(canvas_width * height):
            canvas[i] = blank
        average = text_width // len(text)
        position = _draw_text(
            canvas,
            canvas_width,
            seed,
            text,
            pixels,
            glyphs,
            spaces,
            settings,
            opacity,
            average,
            position,
            tables,
            rooms,
            levels,
        )
        image = canvas
        if canvas_width > width:
            _squeeze(canvas, canvas_width, width, height, paper, ink, rooms, squeezed)
            image = squeezed
        _draw_noise(image, width, height, seed, position, dot, _grey(ink[0], ink[1], ink[2]))
        _smooth(image, width, height, smoothed)
        _shrink(smoothed, height, shrink_x[0], shrink_x[1], shrink_y[0], shrink_y[1], out[n])
