"""The compiled half of the fast renderer: many captchas per call, each from its own 64-bit seed.

Images are float32 in column-major order here (pixel (x, y) of an image of height H is element x * H + y), so that the
inner loops run over neighbouring elements.

Only additions, multiplications and divisions in the written order are used (no fused operations, no library sine), so
that every machine computes the same pixels.

All compiled functions are in this one file because of numba's cache; see ctc_ocr/runtime/compiled.py. numba compiles a
function anew for every literal argument, so constants that are passed as arguments are np.int64.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ctc_ocr.runtime.compiled import compiled, compiled_helper


class Settings(NamedTuple):
    """Parameters of a captcha class; see fast_parameters.py."""

    draw_width: int
    draw_height: int
    num_fonts: int  # font files times font sizes
    min_dx: int
    max_dx: int
    min_dy: int
    max_dy: int
    min_angle: float
    max_angle: float
    min_warp_x: float
    max_warp_x: float
    min_warp_y: float
    max_warp_y: float
    space_probability: float
    overlap: float


class Scratch(NamedTuple):
    """Arrays that every image, or every character, overwrites."""

    first: npt.NDArray[np.float32]  # a character's pixels
    second: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]  # of a resize
    starts: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    levels: npt.NDArray[np.int16]  # a character's pixels
    grey_table: npt.NDArray[np.float32]  # (SLOTS,)
    opacity_table: npt.NDArray[np.float32]


# One character in the atlas. Its pixels begin at `start`, row by row, cropped to the ink.
GLYPH = np.dtype(
    [
        ("start", np.int64),
        ("ink_width", np.int64),  # 0: no ink
        ("ink_height", np.int64),
        ("left", np.int64),  # first column with ink if drawn at 0; what lies left of column 0 is cut off
        ("top", np.int64),
        ("width", np.int64),  # of the warped character
        ("height", np.int64),
    ]
)

COVERAGE_LEVELS = 384  # opacity times coverage, 0..255, plus the overshoot of the cubic filter
FAINT_LEVELS = 16  # rounding changes the colours of these levels most, so each has several variants
FAINT_VARIANTS = 8
SLOTS = FAINT_LEVELS * FAINT_VARIANTS + COVERAGE_LEVELS - FAINT_LEVELS
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_DRAWS_BEFORE_TEXT = np.int64(7)  # paper (3), opacity, ink (3)
_DRAWS_PER_CHARACTER = 10
_OPACITY_POSITION = np.int64(3)
_PAPER_RANGE = np.int64(18)
_OPACITY_RANGE = np.int64(36)
_INK_RANGE = np.int64(191)
_ARC_START_RANGE = np.int64(21)
_ARC_END_RANGE = np.int64(41)
_FIXED = 4294967296.0  # coordinates advance as integers with 32 fractional bits
_HALF = np.float32(0.5)
_ZERO = np.float32(0.0)


# --- random numbers -------------------------------------------------------------------------------------------------


@compiled_helper
def _bits(seed, position):
    """32 random bits: number `position` of the stream of a seed (SplitMix64, Steele et al. 2014)."""
    z = seed + np.uint64(position + 1) * _STEP
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return (z ^ (z >> np.uint64(31))) >> np.uint64(32)


@compiled_helper
def _below(seed, position, limit):
    return np.int64((_bits(seed, position) * np.uint64(limit)) >> np.uint64(32))


@compiled_helper
def _uniform(seed, position):
    return np.float64(_bits(seed, position)) / 4294967296.0


@compiled
def choose_fonts(seeds, starts, num_fonts, space_probability, fonts):
    """Fill fonts[i] with the index of unit i's font; the units of image n are starts[n]..starts[n + 1]."""
    for n in range(len(seeds)):
        seed, position = seeds[n], _DRAWS_BEFORE_TEXT
        for i in range(starts[n], starts[n + 1]):
            spaced = _uniform(seed, position) > space_probability
            position += 1 + (_DRAWS_PER_CHARACTER if spaced else 0)
            fonts[i] = _below(seed, position, num_fonts)
            position += _DRAWS_PER_CHARACTER


# --- one character --------------------------------------------------------------------------------------------------


@compiled_helper
def sine_cosine(degrees):
    """Sine and cosine by their power series on -45..45 degrees; exact at multiples of 90."""
    quarter = math.floor((degrees + 45.0) / 90.0)
    x = (degrees - 90.0 * quarter) * (np.pi / 180.0)
    sine, cosine, term = 0.0, 0.0, 1.0
    for k in range(1, 19, 2):
        cosine += term
        term *= x / k
        sine += term
        term *= -x / (k + 1)
    turn = quarter & 3
    if turn == 1:
        return cosine, -sine
    if turn == 2:
        return -sine, -cosine
    if turn == 3:
        return -cosine, sine
    return sine, cosine


@compiled_helper
def load_glyph(pixels, glyph, cut_left, cut_top, opacity, source):
    """Write ink (height, width) times opacity into source, with a border that repeats the edge.

    cut_left columns and cut_top rows lie outside the image that the library draws the character in; the rest is cropped
    to its ink again. Returns width and height.
    """
    left, top, right, bottom = cut_left, cut_top, glyph.ink_width, glyph.ink_height
    stride = glyph.ink_width
    if cut_left > 0 or cut_top > 0:
        x0, y0, x1, y1 = right, bottom, left, top
        for y in range(top, bottom):
            for x in range(left, right):
                if pixels[glyph.start + y * stride + x] > 0:
                    x0 = x if x < x0 else x0
                    y0 = y if y < y0 else y0
                    x1 = x + 1 if x >= x1 else x1
                    y1 = y + 1 if y >= y1 else y1
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


@compiled_helper
def rotate(source, width, height, degrees, rotated):
    """Pillow's Image.rotate(degrees, BILINEAR, expand=True) of one channel; returns the new width and height."""
    sine, cosine = sine_cosine(degrees)
    sine = -sine
    centre_x, centre_y = width / 2.0, height / 2.0
    move_x = cosine * -centre_x + sine * -centre_y + centre_x
    move_y = -sine * -centre_x + cosine * -centre_y + centre_y
    min_x = max_x = move_x
    min_y = max_y = move_y
    for corner in range(1, 4):
        x = np.float64(width) if corner != 3 else 0.0
        y = np.float64(height) if corner != 1 else 0.0
        new_x = cosine * x + sine * y + move_x
        new_y = -sine * x + cosine * y + move_y
        min_x, max_x = new_x if new_x < min_x else min_x, new_x if new_x > max_x else max_x
        min_y, max_y = new_y if new_y < min_y else min_y, new_y if new_y > max_y else max_y
    new_width = math.ceil(max_x) - math.floor(min_x)
    new_height = math.ceil(max_y) - math.floor(min_y)
    back_x, back_y = -(new_width - width) / 2.0, -(new_height - height) / 2.0
    move_x, move_y = cosine * back_x + sine * back_y + move_x, -sine * back_x + cosine * back_y + move_y

    half = np.int64(_FIXED / 2.0)
    fraction = np.float32(1.0 / _FIXED)
    step_x, step_y = math.floor(sine * _FIXED + 0.5), math.floor(cosine * _FIXED + 0.5)
    padded, one = np.uint64(width + 2), np.uint64(1)
    limit_x, limit_y = np.uint64(width), np.uint64(height)
    for x in range(new_width):
        from_x = math.floor((cosine * (x + 0.5) + sine * 0.5 + move_x) * _FIXED + 0.5)
        from_y = math.floor((-sine * (x + 0.5) + cosine * 0.5 + move_y) * _FIXED + 0.5)
        to = x * new_height
        for y in range(new_height):
            value = _ZERO
            if np.uint64(from_x >> 32) < limit_x and np.uint64(from_y >> 32) < limit_y:
                shifted_x, shifted_y = from_x + half, from_y + half  # minus half a pixel, plus the border
                across = np.float32(shifted_x & 0xFFFFFFFF) * fraction
                down = np.float32(shifted_y & 0xFFFFFFFF) * fraction
                at = np.uint64(shifted_y >> 32) * padded + np.uint64(shifted_x >> 32)
                below = at + padded
                upper = source[at] + (source[at + one] - source[at]) * across
                lower = source[below] + (source[below + one] - source[below]) * across
                value = np.float32(np.int32(upper + (lower - upper) * down))
            rotated[to + y] = value
            from_x += step_x
            from_y += step_y
    return new_width, new_height


@compiled_helper
def _cubic(x):
    """Keys's cubic kernel with a = -0.5."""
    x = abs(x)
    if x < 1.0:
        return (1.5 * x - 2.5) * x * x + 1.0
    if x < 2.0:
        return ((2.5 - 0.5 * x) * x - 4.0) * x + 2.0
    return 0.0


@compiled_helper
def cubic_weights(old, new, starts, counts, weights):
    """Weights of Pillow's BICUBIC resize from `old` to `new` pixels (a wider filter for a smaller result).

    New pixel i is the weighted sum of counts[i] old ones from starts[i] on; its weights begin at i times the returned
    stride.
    """
    scale = old / new
    stretch = scale if scale > 1.0 else 1.0
    support = 2.0 * stretch
    stride = math.ceil(support) * 2 + 1
    for i in range(new):
        centre = (i + 0.5) * scale
        start = np.int64(centre - support + 0.5)
        start = start if start > 0 else 0
        end = np.int64(centre + support + 0.5)
        count = (end if end < old else old) - start
        total = 0.0
        for k in range(count):
            total += _cubic((start + k - centre + 0.5) / stretch)
        for k in range(count):
            weights[i * stride + k] = np.float32(_cubic((start + k - centre + 0.5) / stretch) / total)
        starts[i] = start
        counts[i] = count
    return stride


@compiled_helper
def resize_columns(image, height, new_width, starts, counts, weights, stride, resized):
    """Resize an image (width, height) to (new_width, height), not rounded; weights as from cubic_weights."""
    for x in range(new_width):
        column = resized[x * height : (x + 1) * height]
        start = starts[x]
        for k in range(counts[x]):
            weight = weights[x * stride + k]
            old = image[(start + k) * height : (start + k + 1) * height]
            if k == 0:
                for y in range(height):
                    column[y] = old[y] * weight
            else:
                for y in range(height):
                    column[y] += old[y] * weight


@compiled_helper
def _transpose_rounded(image, columns, rows, transposed):
    """Round an image (columns, rows) to integers of at least 0, and transpose it to (rows, columns)."""
    for x in range(columns):
        for y in range(rows):
            transposed[y * columns + x] = np.float32(np.int32(max(image[x * rows + y] + _HALF, _ZERO)))


@compiled_helper
def warp_glyph(
    pixels, glyph, cut_left, cut_top, opacity, degrees, shifts, first, second, weights, starts, counts, levels
):
    """Rotate, resize and round a character into levels (new height, new width) int16: opacity times coverage.

    shifts: (x1, y1, x2, y2), by which the corners are moved. Returns whether any ink is left.
    """
    width, height = load_glyph(pixels, glyph, cut_left, cut_top, opacity, first)
    if width == 0:
        return False
    width, height = rotate(first, width, height, degrees, second)
    new_width = glyph.width + abs(shifts[0]) + abs(shifts[2])
    new_height = glyph.height + abs(shifts[1]) + abs(shifts[3])
    old, new, other = width, new_width, height
    for axis in range(2):
        stride = cubic_weights(old, new, starts, counts, weights)
        resize_columns(second, other, new, starts, counts, weights, stride, first)
        if axis == 0:
            _transpose_rounded(first, new, other, second)
            old, new, other = height, new_height, new_width
    limit = np.float32(COVERAGE_LEVELS - 1)
    for i in range(new_width * new_height):
        levels[i] = np.int16(min(max(first[i] + _HALF, _ZERO), limit))
    return True


@compiled_helper
def paste_glyph(canvas, canvas_width, canvas_height, glyph, shifts, levels, left, top, grey_table, opacity_table):
    """Blend a warped character into the canvas: Pillow's QUAD transform (nearest pixel) and paste with a mask.

    The tables are those of _fill_tables.
    """
    x1, y1, x2, y2 = np.float64(shifts[0]), np.float64(shifts[1]), np.float64(shifts[2]), np.float64(shifts[3])
    width, height = glyph.width, glyph.height
    wide, high = width + abs(shifts[0]) + abs(shifts[2]), height + abs(shifts[1]) + abs(shifts[3])
    across, down = 1.0 / width, 1.0 / height
    # The corners of the quadrilateral: (x1, y1), (-x1, high - y2), (wide + x2, high + y2), (wide - x2, -y1).
    x_x, x_y = (wide - x2 - x1) * across, (-x1 - x1) * down
    x_xy = (wide + x2 + x1 - (wide - x2) + x1) * across * down
    y_x, y_y = (-y1 - y1) * across, (high - y2 - y1) * down
    y_xy = (high + y2 - (high - y2) + y1 + y1) * across * down
    limit_x, limit_y = np.uint64(wide), np.uint64(high)
    first_x, first_y = -left if left < 0 else 0, -top if top < 0 else 0
    last_x = width if width < canvas_width - left else canvas_width - left
    last_y = height if height < canvas_height - top else canvas_height - top
    for x in range(first_x, last_x):
        at_x, at_y = x + 0.5, first_y + 0.5
        from_x = math.floor((x1 + x_x * at_x + (x_y + x_xy * at_x) * at_y) * _FIXED)
        from_y = math.floor((y1 + y_x * at_x + (y_y + y_xy * at_x) * at_y) * _FIXED)
        step_x = math.floor((x_y + x_xy * at_x) * _FIXED + 0.5)
        step_y = math.floor((y_y + y_xy * at_x) * _FIXED + 0.5)
        to = np.uint64((left + x) * canvas_height + top)
        for y in range(first_y, last_y):
            if np.uint64(from_x >> 32) < limit_x and np.uint64(from_y >> 32) < limit_y:
                level = np.int64(levels[np.uint64(from_y >> 32) * limit_x + np.uint64(from_x >> 32)])
                if level > 0:
                    slot = np.uint64(level + FAINT_LEVELS * (FAINT_VARIANTS - 1))
                    if level < FAINT_LEVELS:  # the fractional bits choose the variant: they are as good as random
                        slot = np.uint64(level * FAINT_VARIANTS + (from_x >> 20) % FAINT_VARIANTS)
                    i = to + np.uint64(y)
                    canvas[i] += (grey_table[slot] - canvas[i]) * opacity_table[slot]
            from_x += step_x
            from_y += step_y


# --- one image ------------------------------------------------------------------------------------------------------


@compiled_helper
def draw_arc(canvas, width, height, x1, y1, x2, y2, start, end, ink):
    """Pillow's ImageDraw.arc in the box (x1, y1, x2, y2), one pixel wide; 0 <= start <= 20, 160 <= end <= 200 degrees.

    As Pillow does, it walks along a quarter of the ellipse on a grid of half pixels around its centre, mirrors it, and
    cuts the rows off at the normals of the ellipse in its end points.
    """
    a, b = x2 - x1, y2 - y1
    a2, b2 = a * a, b * b
    sine, cosine = sine_cosine(np.float64(start))
    right = (-a * sine, b * cosine, (a2 - b2) * sine * cosine)
    sine, cosine = sine_cosine(np.float64(end))
    left = (a * sine, -b * cosine, (b2 - a2) * sine * cosine)
    if a == 0 and start + end < 180:
        left = right  # a vertical line has one side only, and Pillow draws what either cut leaves
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
            _arc_row(canvas, width, height, x1, y1, a, b, low, outer, row, right, ink)
        _arc_row(canvas, width, height, x1, y1, a, b, -outer, -inner, row, lower_left, ink)
        if end > 180 and row > 0:
            _arc_row(canvas, width, height, x1, y1, a, b, -outer, -inner, -row, left, ink)
        if last:
            break


@compiled_helper
def _arc_row(canvas, width, height, left, top, wide, high, x0, x1, y, cut, ink):
    """Draw the pixels x0..x1 of row y (half pixels from the centre) on the inner side of a straight cut."""
    a, b, c = cut
    c = b * y + c
    if abs(a) < 1e-9:
        if c < -1e-9:
            return
    else:
        end = -c / a
        if a * x0 + c < 1e-9:
            x0 = math.floor((end if end > x0 else np.float64(x0)) + 0.5)
        if a * x1 + c < 1e-9:
            x1 = math.floor((end if end < x1 else np.float64(x1)) + 0.5)
    row = top + (y + high) // 2
    if x0 > x1 or row < 0 or row >= height:
        return
    for x in range(max(left + (x0 + wide) // 2, 0), min(left + (x1 + wide) // 2, width - 1) + 1):
        canvas[x * height + row] = ink


@compiled_helper
def _draw_noise(canvas, width, height, seed, position, dot, ink):
    """Draw the library's 30 dots and its arc. dot (n, 2): the pixels (x, y) of a dot at (0, 0)."""
    for _ in range(30):
        x, y = _below(seed, position, width + 1), _below(seed, position + 1, height + 1)
        position += 2
        for k in range(len(dot)):
            dot_x, dot_y = x + dot[k, 0], y + dot[k, 1]
            if 0 <= dot_x < width and 0 <= dot_y < height:
                canvas[dot_x * height + dot_y] = ink
    margin_x, margin_y = width // 5, height // 5
    x1 = _below(seed, position, margin_x + 1)
    x2 = _below(seed, position + 1, width - margin_x + 1) + margin_x
    y1 = _below(seed, position + 2, height - 2 * margin_y + 1) + margin_y
    y2 = _below(seed, position + 3, height - y1 - margin_y + 1) + y1
    end = _below(seed, position + 4, _ARC_END_RANGE) + 160
    start = _below(seed, position + 5, _ARC_START_RANGE)
    draw_arc(canvas, width, height, x1, y1, x2, y2, start, end, ink)


@compiled_helper
def _grey(red, green, blue):
    return np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue


@compiled_helper
def _clip_to_white(image, size, paper, ink):
    """Limit each colour to white after a resize, whose filter overshoots the paper; paper and ink (3,)."""
    base = _grey(paper[0], paper[1], paper[2])
    contrast = base - _grey(ink[0], ink[1], ink[2])
    slope_r, slope_g, slope_b = (
        (paper[0] - ink[0]) / contrast,
        (paper[1] - ink[1]) / contrast,
        (paper[2] - ink[2]) / contrast,
    )
    white = np.float32(255.0)
    for i in range(size):
        over = image[i] - base
        red, green, blue = paper[0] + over * slope_r, paper[1] + over * slope_g, paper[2] + over * slope_b
        image[i] = _grey(
            red if red < white else white,
            green if green < white else white,
            blue if blue < white else white,
        )


@compiled_helper
def _smooth(image, width, height, sums, smoothed):
    """Pillow's SMOOTH, rounded: a 3x3 mean in which the centre counts five times; the outermost pixels are copied."""
    fraction = np.float32(1.0 / 13.0)
    last = (width - 1) * height
    for y in range(height):
        smoothed[y], smoothed[last + y] = image[y], image[last + y]
    for x in range(1, width - 1):
        before, here = image[(x - 1) * height : x * height], image[x * height : (x + 1) * height]
        after, to = image[(x + 1) * height : (x + 2) * height], smoothed[x * height : (x + 1) * height]
        for y in range(height):
            sums[y] = before[y] + here[y] + after[y]
        for y in range(1, height - 1):
            total = (sums[y - 1] + sums[y] + sums[y + 1] + np.float32(4.0) * here[y]) * fraction
            to[y] = np.float32(np.int32(total + _HALF))
        to[0], to[height - 1] = here[0], here[height - 1]


@compiled_helper
def _shrink(image, height, columns, column_fractions, rows, row_fractions, mixed, out):
    """Bilinear resize of (width, height) into out (rows, columns) uint8, as cv2.resize does it (no smoothing).

    New pixel i lies between old pixels columns[i] and columns[i] + 1, at column_fractions[i] of the way.
    """
    for x in range(len(columns)):
        fraction = column_fractions[x]
        at = columns[x] * height
        here = image[at : at + height]
        if fraction > 0:
            at += height
        after = image[at : at + height]
        for y in range(height):
            mixed[y] = here[y] + (after[y] - here[y]) * fraction
        for y in range(len(rows)):
            value = mixed[rows[y]]
            if row_fractions[y] > 0:
                value += (mixed[rows[y] + 1] - value) * row_fractions[y]
            out[y, x] = np.uint8(value + _HALF)


@compiled_helper
def _fill_tables(ink, seen, masks, grey_table, opacity_table):
    """Fill, per slot of coverage, the grey that the library pastes, and its opacity, 0..1.

    The library uses the grey of the colour as the mask, so faint ink comes out darker than black ink. seen
    (3, 256, SLOTS) is what rounding leaves of each colour.
    """
    red, green, blue = seen[0, np.int64(ink[0])], seen[1, np.int64(ink[1])], seen[2, np.int64(ink[2])]
    for slot in range(SLOTS):
        grey = _grey(red[slot], green[slot], blue[slot])
        grey_table[slot] = grey
        opacity_table[slot] = np.float32(masks[np.int64(grey + _HALF)]) / np.float32(255.0)


@compiled_helper
def _choose_colours(seed, paper, ink):
    """Fill the library's random paper and ink (3,), 0..255; returns the opacity of the ink."""
    for k in range(3):
        paper[k] = np.float32(_below(seed, k, _PAPER_RANGE) + 238)
        ink[k] = np.float32(_below(seed, 4 + k, _INK_RANGE) + 10)
    return _below(seed, _OPACITY_POSITION, _OPACITY_RANGE) + 220


@compiled_helper
def _measure_text(seed, units, glyphs, spaces, num_fonts, space_probability):
    """Width of the characters side by side, spaces included, and the position in the stream after them."""
    position = _DRAWS_BEFORE_TEXT
    total = 0
    for i in range(len(units)):
        position += 1
        if _uniform(seed, position - 1) > space_probability:
            total += spaces[_below(seed, position, num_fonts)]
            position += _DRAWS_PER_CHARACTER
        total += glyphs[units[i]].width
        position += _DRAWS_PER_CHARACTER
    return total, position


@compiled_helper
def _shift(seed, position, limit):
    """Uniform in -limit..limit, truncated to an integer."""
    return np.int64(_uniform(seed, position) * (limit + limit) - limit)


@compiled_helper
def _draw_text(canvas, canvas_width, seed, units, pixels, glyphs, spaces, settings, opacity, average, after, scratch):
    """Draw the characters from left to right; returns the position in the stream after the last draw."""
    position = _DRAWS_BEFORE_TEXT
    overlap = np.int64(settings.overlap * average)
    offset = np.int64(average * 0.1)
    for i in range(len(units)):
        position += 1
        if _uniform(seed, position - 1) > settings.space_probability:
            offset += spaces[_below(seed, position, settings.num_fonts)] - _below(seed, after, overlap + 1)
            after += 1
            position += _DRAWS_PER_CHARACTER
        glyph = glyphs[units[i]]
        cut_left = -(_below(seed, position + 1, settings.max_dx - settings.min_dx + 1) + settings.min_dx + glyph.left)
        cut_top = -(_below(seed, position + 2, settings.max_dy - settings.min_dy + 1) + settings.min_dy + glyph.top)
        cut_left, cut_top = cut_left if cut_left > 0 else 0, cut_top if cut_top > 0 else 0
        degrees = settings.min_angle + _uniform(seed, position + 3) * (settings.max_angle - settings.min_angle)
        min_x, min_y = settings.min_warp_x, settings.min_warp_y
        limit_x = glyph.width * _uniform(seed, position + 4) * (settings.max_warp_x - min_x) + min_x
        limit_y = glyph.height * _uniform(seed, position + 5) * (settings.max_warp_y - min_y) + min_y
        shifts = (
            _shift(seed, position + 6, limit_x),
            _shift(seed, position + 7, limit_y),
            _shift(seed, position + 8, limit_x),
            _shift(seed, position + 9, limit_y),
        )
        if glyph.ink_width > 0 and warp_glyph(
            pixels,
            glyph,
            cut_left,
            cut_top,
            opacity,
            degrees,
            shifts,
            scratch.first,
            scratch.second,
            scratch.weights,
            scratch.starts,
            scratch.counts,
            scratch.levels,
        ):
            paste_glyph(
                canvas,
                canvas_width,
                settings.draw_height,
                glyph,
                shifts,
                scratch.levels,
                offset,
                np.int64((settings.draw_height - glyph.height) / 2),
                scratch.grey_table,
                scratch.opacity_table,
            )
        offset += glyph.width - _below(seed, after, overlap + 1)
        after += 1
        position += _DRAWS_PER_CHARACTER
    return after


@compiled
def render_batch(
    seeds, starts, units, pixels, glyphs, spaces, settings, masks, seen, dot, shrink_x, shrink_y, sizes, out
):
    """Fill out (N, height, width) uint8. Image n depends on seeds[n] and the glyphs units[starts[n]:starts[n + 1]].

    The random numbers of an image are used in the order in which the library asks for them. sizes: the maximum numbers
    of a character's pixels, of filter weights, of rows or columns, and of a canvas's pixels.
    """
    width, height = settings.draw_width, settings.draw_height
    scratch = Scratch(
        np.empty(sizes[0], np.float32),
        np.empty(sizes[0], np.float32),
        np.empty(sizes[1], np.float32),
        np.empty(sizes[2], np.int64),
        np.empty(sizes[2], np.int64),
        np.empty(sizes[0], np.int16),
        np.empty(SLOTS, np.float32),
        np.empty(SLOTS, np.float32),
    )
    canvas, column = np.empty(sizes[3], np.float32), np.empty(height, np.float32)
    resized, smoothed = np.empty(width * height, np.float32), np.empty(width * height, np.float32)
    paper, ink = np.empty(3, np.float32), np.empty(3, np.float32)
    for n in range(len(seeds)):
        seed, text = seeds[n], units[starts[n] : starts[n + 1]]
        opacity = _choose_colours(seed, paper, ink)
        _fill_tables(ink, seen, masks, scratch.grey_table, scratch.opacity_table)
        text_width, position = _measure_text(seed, text, glyphs, spaces, settings.num_fonts, settings.space_probability)
        canvas_width = text_width if text_width > width else width
        background = _grey(paper[0], paper[1], paper[2])
        for i in range(canvas_width * height):
            canvas[i] = background
        average = text_width // len(text)
        position = _draw_text(
            canvas, canvas_width, seed, text, pixels, glyphs, spaces, settings, opacity, average, position, scratch
        )
        image = canvas
        if canvas_width > width:
            stride = cubic_weights(canvas_width, width, scratch.starts, scratch.counts, scratch.weights)
            resize_columns(canvas, height, width, scratch.starts, scratch.counts, scratch.weights, stride, resized)
            _clip_to_white(resized, width * height, paper, ink)
            image = resized
        _draw_noise(image, width, height, seed, position, dot, _grey(ink[0], ink[1], ink[2]))
        _smooth(image, width, height, column, smoothed)
        _shrink(smoothed, height, shrink_x[0], shrink_x[1], shrink_y[0], shrink_y[1], column, out[n])
