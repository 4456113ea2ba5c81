"""The private parts of MXNet that are used, on real modules."""

from typing import Any

import numpy as np
import pytest

from ctc_ocr.runtime.host_memory import host_view, is_on_host
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.mxnet_internals import (
    bound_executor,
    data_address,
    gradient_arrays,
    note_changed_parameters,
    parameter_arrays,
)

WEIGHT = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32)
INPUT = np.array([[1.0, 0.0], [0.0, 2.0]], np.float32)


def network() -> Any:
    """The sum of INPUT @ WEIGHT.T per image; each row of the weight's gradient is the sum of the images."""
    outputs = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, no_bias=True, name="layer")
    return mx.sym.MakeLoss(mx.sym.sum(outputs, axis=1))


def batch() -> Any:
    return mx.io.DataBatch([mx.nd.array(INPUT)], [])


@pytest.fixture
def module() -> Any:
    """Bound on two devices, each with one image of the batch."""
    made = mx.mod.Module(network(), label_names=None, context=[mx.cpu(0), mx.cpu(1)])
    made.bind([("data", (2, 2))])
    made.init_params(arg_params={"layer_weight": mx.nd.array(WEIGHT)})
    made.init_optimizer(kvstore=None, optimizer="sgd", optimizer_params={"learning_rate": 1.0, "momentum": 0.5})
    return made


def test_parameters_are_those_that_compute(module: Any) -> None:
    ((first, second),) = parameter_arrays(module)
    assert (first.context, second.context) == (mx.cpu(0), mx.cpu(1))
    np.testing.assert_array_equal(first.asnumpy(), WEIGHT)
    second[:] = 0
    module.forward(batch(), is_train=False)
    assert module.get_outputs()[0].asnumpy().tolist() == [9.0, 0.0]


def test_gradients_are_those_that_update(module: Any) -> None:
    module.forward_backward(batch())
    ((first, second),) = gradient_arrays(module)
    assert first.asnumpy().tolist() == [[1.0, 0.0]] * 3
    assert second.asnumpy().tolist() == [[0.0, 2.0]] * 3
    first[:] = 10
    module.update()
    rescaled = 10 / 2  # a Module divides by the batch size
    np.testing.assert_array_equal(parameter_arrays(module)[0][0].asnumpy(), WEIGHT - rescaled)


def test_weights_that_were_changed_in_place_are_copied_again_once_it_is_noted() -> None:
    made = mx.mod.Module(network(), label_names=None)
    made.bind([("data", (2, 2))])
    made.init_params(arg_params={"layer_weight": mx.nd.array(WEIGHT)})
    host_view(parameter_arrays(made)[0][0])[:] = 7
    assert made.get_params()[0]["layer_weight"].asnumpy().max() == 6
    note_changed_parameters(made)
    assert made.get_params()[0]["layer_weight"].asnumpy().min() == 7


def test_the_bound_executor_can_be_fed() -> None:
    made = mx.mod.Module(network(), label_names=None)
    made.bind([("data", (2, 2))], for_training=False)
    made.set_params({"layer_weight": mx.nd.array(WEIGHT)}, {})
    executor = bound_executor(made)
    executor.arg_dict["data"][:] = mx.nd.array(INPUT)
    (sums,) = executor.forward(is_train=False)
    assert sums.asnumpy().tolist() == [9.0, 24.0]


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int64", "float16"])
def test_a_host_view_is_the_memory_itself(dtype: str) -> None:
    array = mx.nd.array(np.arange(6).reshape(2, 3), dtype=dtype)
    view = host_view(array)
    assert is_on_host(array)
    assert (view.dtype, view.shape, view.ctypes.data) == (np.dtype(dtype), (2, 3), data_address(array))
    view[1, 2] = 50
    assert array.asnumpy().tolist() == [[0, 1, 2], [3, 4, 50]]
    array[0, 0] = 7
    assert host_view(array)[0, 0] == 7


def test_a_host_view_waits_for_the_computation() -> None:
    array = mx.nd.ones((500, 500))
    for _ in range(10):
        array = mx.nd.dot(array, array) / 500
    assert host_view(array)[0, 0] == pytest.approx(1.0)


def test_a_view_of_a_slice() -> None:
    array = mx.nd.array(np.arange(12).reshape(4, 3))
    np.testing.assert_array_equal(host_view(array[1:3]), np.arange(3, 9).reshape(2, 3))
