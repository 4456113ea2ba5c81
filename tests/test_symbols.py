"""The LSTM's two graphs against each other and against plain NumPy."""

from typing import Any

import numpy as np
import pytest

from ctc_ocr import losses, symbols
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Data, Network
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.symbols import crnn
from ctc_ocr.symbols.lstm import Layer
from tests.models import lstm_parameters, numpy_layer, numpy_logits, to_mx

TOLERANCE = 1e-5  # of the largest value
NUMPY_ORDER = ("i2h_weight", "i2h_bias", "h2h_weight", "h2h_bias")  # of numpy_layer


def hyperparameters(lstm_graph: str, width: int = 12, height: int = 7, hidden: int = 5) -> Hyperparameters:
    return Hyperparameters(Data(width=width, height=height), Network(num_hidden=hidden, lstm_graph=lstm_graph))


def bound(lstm_graph: str, images: np.ndarray, labels: np.ndarray) -> "mx.executor.Executor":
    settings = hyperparameters(lstm_graph)
    logits = symbols.logits(mx.sym.Variable("data"), settings, 11)
    symbol = mx.sym.Group([losses.attach("ctc", logits, mx.sym.Variable("label")), mx.sym.BlockGrad(logits)])
    executor = symbol.simple_bind(
        mx.cpu(), data=images.shape, label=labels.shape, type_dict={"data": "uint8", "label": "float32"},
        grad_req={name: "null" if name in ("data", "label") else "write" for name in symbol.list_arguments()},
    )  # fmt: skip
    parameters = lstm_parameters(np.random.default_rng(3), 7, 5, 11, scale=0.6)
    executor.copy_params_from({**to_mx(parameters), "label": mx.nd.array(labels)})
    executor.arg_dict["data"][:] = mx.nd.array(images, dtype="uint8")
    executor.forward(is_train=True)
    executor.backward()
    return executor


@pytest.fixture(scope="module")
def batch() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    return generator.integers(0, 256, (3, 7, 12), dtype=np.uint8), generator.integers(1, 11, (3, 4)).astype(np.float32)


@pytest.mark.parametrize("lstm_graph", ["unrolled", "fused"])
def test_logits_are_those_of_the_equations(lstm_graph: str, batch: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = batch
    network = Network()
    columns = (network.input_mean - images.astype(np.float64).transpose(2, 0, 1)) / network.input_scale
    expected = numpy_logits(columns, lstm_parameters(np.random.default_rng(3), 7, 5, 11, scale=0.6))
    executor = bound(lstm_graph, images, labels)
    np.testing.assert_allclose(executor.outputs[2].asnumpy(), expected, atol=1e-4)
    np.testing.assert_array_equal(executor.outputs[1].asnumpy(), expected.argmax(axis=2).T)


def test_cells_agree_in_outputs_and_gradients(batch: tuple[np.ndarray, np.ndarray]) -> None:
    one, other = (bound(lstm_graph, *batch) for lstm_graph in ("unrolled", "fused"))
    for first, second in zip(one.outputs, other.outputs, strict=True):
        np.testing.assert_allclose(first.asnumpy(), second.asnumpy(), atol=TOLERANCE * abs(first.asnumpy()).max())
    gradients = {name: each.asnumpy() for name, each in one.grad_dict.items() if each is not None}
    assert len(gradients) == 10
    for name, gradient in gradients.items():
        assert abs(gradient).max() > 0
        np.testing.assert_allclose(
            other.grad_dict[name].asnumpy(), gradient, atol=TOLERANCE * abs(gradient).max(), err_msg=name
        )


@pytest.mark.parametrize("lstm_graph", ["unrolled", "fused"])
def test_weights_have_the_examples_names_and_nothing_else_is_asked_for(lstm_graph: str) -> None:
    symbol = symbols.logits(mx.sym.Variable("data"), hyperparameters(lstm_graph), 11)
    shapes, outputs, _ = symbol.infer_shape(data=(2, 7, 12))
    assert outputs == [(12, 2, 11)]
    assert dict(zip(symbol.list_arguments(), shapes, strict=True)) == {
        "data": (2, 7, 12),
        "l0_i2h_weight": (20, 7),
        "l0_i2h_bias": (20,),
        "l0_h2h_weight": (20, 5),
        "l0_h2h_bias": (20,),
        "l1_i2h_weight": (20, 5),
        "l1_i2h_bias": (20,),
        "l1_h2h_weight": (20, 5),
        "l1_h2h_bias": (20,),
        "pred_fc_weight": (11, 5),
        "pred_fc_bias": (11,),
    }


def crnn_settings(**changes: Any) -> Hyperparameters:
    shape: dict[str, Any] = {
        "features": (3, 5),
        "kernels": (3, 5),
        "strides": (1, 1),
        "pool_heights": (2, 3),
        "pool_widths": (2, 3),
        **changes,
    }
    network = Network("crnn", num_layers=2, num_hidden=4, **shape)
    return Hyperparameters(Data(width=24, height=9, max_length=2, min_length=1), network)


def shapes_of(settings: Hyperparameters) -> tuple[list[tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Shapes of the logits of two images, and of all arguments."""
    symbol = symbols.logits(mx.sym.Variable("data"), settings, 11)
    shapes, outputs, _ = symbol.infer_shape(data=(2, 9, 24))
    return outputs, dict(zip(symbol.list_arguments(), shapes, strict=True))


def test_crnn_divides_the_width_by_its_pools() -> None:
    settings = crnn_settings()
    outputs, found = shapes_of(settings)
    assert outputs == [(settings.geometry.num_steps, 2, 11)] == [(4, 2, 11)]
    assert found["conv0_weight"] == (3, 1, 3, 3)
    assert found["conv1_weight"] == (5, 3, 5, 5)
    assert found["l0_backward_i2h_weight"] == (16, 5 * settings.geometry.num_rows)
    assert found["l1_forward_i2h_weight"] == (16, 8)
    assert found["conv1_norm_gamma"] == (5,)
    assert "conv1_bias" not in found


def test_crnn_divides_the_width_by_its_strides() -> None:
    settings = crnn_settings(strides=(3, 2), pool_heights=(1, 1), pool_widths=(1, 1))
    outputs, found = shapes_of(settings)
    assert outputs == [(settings.geometry.num_steps, 2, 11)] == [(4, 2, 11)]
    assert found["l0_forward_i2h_weight"] == (16, 5 * settings.geometry.num_rows) == (16, 5 * 2)


def test_without_batch_norm_convolutions_have_a_bias() -> None:
    _, found = shapes_of(crnn_settings(batch_norm=False))
    assert found["conv1_bias"] == (5,)
    assert not [name for name in found if "norm" in name]


def test_both_directions_are_those_of_the_equations() -> None:
    generator = np.random.default_rng(0)
    columns = generator.normal(size=(7, 2, 3)).astype(np.float32)
    symbol = crnn.bidirectional(mx.sym.Variable("data"), None, num_hidden=5, input_size=3, name="l0")
    executor = symbol.simple_bind(mx.cpu(), data=columns.shape)
    parameters = both_directions(generator)
    executor.copy_params_from(to_mx(parameters))
    found = executor.forward(data=mx.nd.array(columns))[0].asnumpy()
    np.testing.assert_allclose(found, numpy_bidirectional(columns, parameters), atol=1e-5)


def test_backwards_begins_at_the_last_step_of_each_image() -> None:
    generator = np.random.default_rng(0)
    columns = generator.normal(size=(7, 3, 3)).astype(np.float32)
    own = [7, 4, 1]
    symbol = crnn.bidirectional(
        mx.sym.Variable("data"), mx.sym.Variable("steps"), num_hidden=5, input_size=3, name="l0"
    )
    executor = symbol.simple_bind(mx.cpu(), data=columns.shape, steps=(3,))
    parameters = both_directions(generator)
    executor.copy_params_from(to_mx(parameters))
    found = executor.forward(data=mx.nd.array(columns), steps=mx.nd.array(own))[0].asnumpy()
    for number, steps in enumerate(own):
        expected = numpy_bidirectional(columns[:steps, number : number + 1], parameters)
        np.testing.assert_allclose(found[:steps, number : number + 1], expected, atol=1e-5)


def both_directions(generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Parameters of l0_forward and l0_backward, of 5 units over 3 inputs."""
    found: dict[str, np.ndarray] = {}
    for direction in ("forward", "backward"):
        drawn = lstm_parameters(generator, 3, 5, 11)
        found |= {f"l0_{direction}_{name}": drawn[f"l0_{name}"] for name in Layer._fields}
    return found


def numpy_bidirectional(columns: np.ndarray, parameters: dict[str, np.ndarray]) -> np.ndarray:
    forward, backward = (
        numpy_layer(columns[order], *(parameters[f"l0_{direction}_{name}"] for name in NUMPY_ORDER))[order]
        for direction, order in (("forward", slice(None)), ("backward", slice(None, None, -1)))
    )
    return np.concatenate([forward, backward], axis=2)
