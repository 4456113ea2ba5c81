"""The first part of an exported graph: from pixels to what the first layer is given, as ctc_ocr.images does it."""

from ctc_ocr.images.pixels import INK_LEVEL, INK_PERCENTILE, MIN_STRETCHED, PAPER_LEVEL, PAPER_PERCENTILE
from ctc_ocr.onnx_models.graph import INT32, INT64, Graph, Value


def columns_inside(graph: Graph, maps: Value, widths: Value) -> Value:
    """(N, 1, 1, W) bool of maps (N, C, H, W): which columns are an image's own, of `widths` (N,) int64."""
    width = graph.add("Gather", graph.add("Shape", maps), graph.constant(3), axis=0)
    numbers = graph.add("Range", graph.constant(0), width, graph.constant(1))
    return graph.add("Less", numbers, graph.add("Reshape", widths, graph.constant([-1, 1, 1, 1])))


def stretched(graph: Graph, maps: Value, inside: Value | None) -> Value:
    """`stretch_contrast` of each image: maps (N, C, H, W) float32 of whole numbers from 0 to 255, and which columns are
    inside them (None: all)."""
    counted = graph.add("Expand", graph.constant(True), graph.add("Shape", maps)) if inside is None else inside
    counted = graph.add("Expand", counted, graph.add("Shape", maps))
    ink = _level_at(graph, maps, counted, INK_PERCENTILE)
    paper = _level_at(graph, maps, counted, PAPER_PERCENTILE)
    contrast = graph.add("Max", graph.add("Sub", paper, ink), graph.constant(float(MIN_STRETCHED)))
    scale = graph.add("Div", graph.constant(PAPER_LEVEL - INK_LEVEL), contrast)
    levels = graph.add("Add", graph.add("Mul", graph.add("Sub", maps, paper), scale), graph.constant(PAPER_LEVEL))
    return graph.add("Round", graph.add("Clip", levels, graph.constant(0.0), graph.constant(255.0)))


def _level_at(graph: Graph, maps: Value, counted: Value, percent: int) -> Value:
    """(N, 1, 1, 1): the lowest level that at least this percentage of the counted pixels do not exceed. It is found bit
    by bit, from the highest on: a bit is set where too few pixels are below."""
    percentage = graph.add("Mul", _count(graph, counted), graph.constant(percent))
    needed = graph.add("Div", graph.add("Add", percentage, graph.constant(99)), graph.constant(100))  # rounded up
    level = graph.constant(0.0)
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        tried = graph.add("Add", level, graph.constant(float(bit)))
        below = _count(graph, graph.add("And", graph.add("Less", maps, tried), counted))
        level = graph.add("Where", graph.add("Less", below, needed), tried, level)
    return level


def _count(graph: Graph, pixels: Value) -> Value:
    """(N, 1, 1, 1) int64: how many of (N, C, H, W) bool are true."""
    counts = graph.add("ReduceSum", graph.cast(pixels, INT32), graph.constant([1, 2, 3]))
    return graph.cast(counts, INT64)


def padded(graph: Graph, maps: Value, columns_per_step: int, value: float) -> Value:
    """Maps (N, C, H, W) with columns of `value` added at the right, up to a multiple of `columns_per_step`."""
    width = graph.add("Gather", graph.add("Shape", maps), graph.constant([3]), axis=0)
    more = graph.add("Mod", graph.add("Neg", width), graph.constant([columns_per_step]))
    zeros = graph.constant([0] * 7)
    return graph.add("Pad", maps, graph.add("Concat", zeros, more, axis=0), graph.constant(value))


def steps_of(graph: Graph, widths: Value, columns_per_step: int) -> Value:
    """(N,) int64: the time steps of images of `widths` (N,) int64 columns."""
    more = graph.add("Add", widths, graph.constant(columns_per_step - 1))
    return graph.cast(graph.add("Div", more, graph.constant(columns_per_step)), INT64)
