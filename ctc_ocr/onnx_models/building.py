"""A model's network as an ONNX graph, from its hyperparameters and parameters: layer by layer, without MXNet.

Inputs: `images` uint8, (N, H, W) or (N, H, W, 3), and, for models that keep the aspect ratio, `widths` (N,) int64, the
columns that are an image's own. Outputs: `log_probs` (T, N, C) float32 and `steps` (N,) int64, how many of the T time
steps are an image's own; with greedy decoding, `codes` (N, T) int64 too, the best path's text, with zeros in between.
"""

import numpy as np

from ctc_ocr.alphabet import BLANK
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.onnx_models import layers, normalising
from ctc_ocr.onnx_models.graph import FLOAT, INT32, INT64, UINT8, Graph, Value
from ctc_ocr.onnx_models.quantising import Quantised
from ctc_ocr.onnx_models.weights import Weights


def build(
    settings: Hyperparameters, weights: Weights, num_classes: int, greedy: bool = False, of_example: bool = False
) -> Graph:
    """The graph of a built-in architecture. `of_example`: a model of MXNet's own example/ctc, which is given grey
    levels from 0 to 1."""
    graph = Graph()
    data = settings.data
    width = "width" if data.keep_ratio else data.width
    colours = (3,) if data.channels == 3 else ()
    images = graph.input("images", UINT8, ("batch", data.height, width, *colours))
    widths = graph.input("widths", INT64, ("batch",)) if data.keep_ratio else None
    for name, value in weights.items():
        if isinstance(value, Quantised):
            graph.quantised_weight(name, value)
        else:
            graph.weight(name, value)
    maps = _normalised(graph, settings, images, widths, of_example)
    steps = None if widths is None else normalising.steps_of(graph, widths, settings.geometry.columns_per_step)
    network = {"lstm": _lstm, "crnn": _crnn, "cnn": _cnn}[settings.network.architecture]
    log_probs = network(graph, maps, settings, steps)
    time = "time" if data.keep_ratio else settings.geometry.num_steps
    graph.output(log_probs, "log_probs", FLOAT, (time, "batch", num_classes))
    all_steps = steps or _all_steps(graph, log_probs)
    graph.output(all_steps, "steps", INT64, ("batch",))
    if greedy:
        graph.output(_greedy(graph, log_probs, all_steps), "codes", INT64, ("batch", time))
    return graph


def _normalised(
    graph: Graph, settings: Hyperparameters, images: Value, widths: Value | None, of_example: bool
) -> Value:
    """(N, channels, H, W) float32 of images: what the first layer is given. W is a multiple of the columns per step."""
    data, network = settings.data, settings.network
    if data.channels == 3:
        maps = graph.add("Transpose", images, perm=[0, 3, 1, 2])
    else:
        maps = graph.add("Unsqueeze", images, graph.constant([1]))
    maps = graph.cast(maps, FLOAT)
    if of_example:
        return graph.add("Mul", maps, graph.constant(np.float32(1 / 255)))
    inside = None if widths is None else normalising.columns_inside(graph, maps, widths)
    if data.normalise == "image":
        maps = normalising.stretched(graph, maps, inside)
    # As the package pads images: with a whole level.
    paper = float(round(min(max(network.input_mean, 0), 255)))
    maps = maps if inside is None else graph.add("Where", inside, maps, graph.constant(paper))
    darkness = graph.add("Sub", graph.constant(network.input_mean), maps)
    maps = graph.add("Mul", darkness, graph.constant(np.float32(1.0 / network.input_scale)))
    if widths is None:
        return maps
    padding = (np.float32(network.input_mean) - np.float32(paper)) * np.float32(1.0 / network.input_scale)
    return normalising.padded(graph, maps, settings.geometry.columns_per_step, float(padding))


def _lstm(graph: Graph, maps: Value, settings: Hyperparameters, steps: Value | None) -> Value:
    """Log probabilities (W, N, C) of maps (N, channels, H, W): see ctc_ocr.symbols.lstm."""
    hidden = _columns(graph, maps)
    for index in range(settings.network.num_layers):
        hidden = layers.lstm(graph, hidden, f"l{index}", settings.network.num_hidden, 1, None)
    return layers.classify(graph, hidden)


def _crnn(graph: Graph, maps: Value, settings: Hyperparameters, steps: Value | None) -> Value:
    """Log probabilities (T, N, C) of maps (N, channels, H, W): see ctc_ocr.symbols.crnn."""
    network, columns = settings.network, settings.geometry.columns_per_step
    maps = _masked(graph, maps, steps, columns)
    for index in range(len(network.features)):
        maps = layers.block(graph, maps, network, index)
        columns //= network.strides[index] * network.pool_widths[index]
        maps = _masked(graph, maps, steps, columns)
    hidden = _columns(graph, maps)
    lengths = None if steps is None else graph.cast(steps, INT32)
    for index in range(network.num_layers):
        hidden = layers.lstm(graph, hidden, f"l{index}", network.num_hidden, 2, lengths)
    return layers.classify(graph, hidden)


def _cnn(graph: Graph, maps: Value, settings: Hyperparameters, steps: Value | None) -> Value:
    """Log probabilities (1, N, C) of maps (N, channels, H, W): see ctc_ocr.symbols.cnn."""
    network = settings.network
    for index in range(len(network.features)):
        maps = layers.block(graph, maps, network, index)
    if network.pooling == "average":
        maps = graph.add("GlobalAveragePool", maps)
    hidden = graph.add("Flatten", maps, axis=1)
    for index in range(len(network.dense)):
        hidden = graph.add("Relu", layers.dense(graph, hidden, f"dense{index}"))
    return layers.classify(graph, graph.add("Unsqueeze", hidden, graph.constant([0])))


def _masked(graph: Graph, maps: Value, steps: Value | None, columns_per_step: int) -> Value:
    """Maps (N, C, H, W) with 0 beyond the columns of each image's time steps."""
    if steps is None:
        return maps
    own = graph.add("Mul", steps, graph.constant(columns_per_step))
    return graph.add("Mul", maps, graph.cast(normalising.columns_inside(graph, maps, own), FLOAT))


def _columns(graph: Graph, maps: Value) -> Value:
    """(W, N, C * H) of maps (N, C, H, W)."""
    return graph.add("Reshape", graph.add("Transpose", maps, perm=[3, 0, 1, 2]), graph.constant([0, 0, -1]))


def _all_steps(graph: Graph, log_probs: Value) -> Value:
    """(N,) int64: T of log_probs (T, N, C), for each image."""
    shape = graph.add("Shape", log_probs)
    time, count = (graph.add("Gather", shape, graph.constant([axis]), axis=0) for axis in (0, 1))
    return graph.add("Expand", time, count)


def _greedy(graph: Graph, log_probs: Value, steps: Value) -> Value:
    """(N, T) int64 of log_probs (T, N, C): a unit's code at the first time step of its run in the best path, else 0."""
    path = graph.add("Transpose", graph.add("ArgMax", log_probs, axis=2, keepdims=0), perm=[1, 0])  # (N, T)
    time = graph.add("Gather", graph.add("Shape", path), graph.constant(1), axis=0)
    before = graph.add("Pad", path, graph.constant([0, 1, 0, 0]), graph.constant(-1))  # the path, one step later
    before = graph.add(
        "Slice", before, graph.constant([0]), graph.add("Reshape", time, graph.constant([1])), graph.constant([1])
    )
    is_first = graph.add("Not", graph.add("Equal", path, before))
    numbers = graph.add("Range", graph.constant(0), time, graph.constant(1))
    inside = graph.add("Less", numbers, graph.add("Unsqueeze", steps, graph.constant([1])))
    return graph.add("Where", graph.add("And", is_first, inside), path, graph.constant(BLANK))
