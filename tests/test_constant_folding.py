"""Folded graphs compute the same as whole ones, with fewer nodes."""

import numpy as np
import pytest

from ctc_ocr.inference.constant_folding import fold_constants
from ctc_ocr.runtime.mxnet import mx


def run(symbol, arguments, data):
    shapes = {name: array.shape for name, array in arguments.items() if name in symbol.list_arguments()}
    executor = symbol.simple_bind(mx.cpu(), grad_req="null", data=data.shape, **shapes)
    executor.copy_params_from(arguments, allow_extra_params=True)
    executor.arg_dict["data"][:] = data
    return [each.asnumpy() for each in executor.forward(is_train=False)]


def operators(symbol):
    return [name for name in symbol.get_internals().list_outputs() if name not in symbol.list_arguments()]


@pytest.fixture
def arrays():
    generator = np.random.default_rng(0)
    return {name: mx.nd.array(generator.normal(size=(4, 3))) for name in ("a", "b")}


def test_what_depends_on_parameters_alone_is_computed_once(arrays):
    a, b, data = (mx.sym.Variable(name) for name in ("a", "b", "data"))
    halves = mx.sym.SliceChannel(mx.sym.exp(a) * b, num_outputs=2, axis=0)
    # Both outputs of one constant node, one of them twice; a parameter as an input of other nodes; two heads.
    hidden = mx.sym.broadcast_add(mx.sym.dot(data, halves[0]), mx.sym.sum(halves[1]))
    whole = mx.sym.Group(
        [mx.sym.broadcast_add(hidden, mx.sym.mean(halves[0])), mx.sym.broadcast_mul(mx.sym.sum(data), b)]
    )
    folded, values = fold_constants(whole, arrays)
    given = np.random.default_rng(1).normal(size=(5, 2)).astype(np.float32)
    for expected, found in zip(run(whole, arrays, given), run(folded, values, given), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert set(values) == set(folded.list_arguments()) - {"data"}
    assert not any(name.startswith(("exp", "slicechannel", "mean")) for name in operators(folded))
    assert any(name.startswith("exp") for name in operators(whole))


def test_a_graph_without_constants_is_unchanged(arrays):
    whole = mx.sym.broadcast_add(mx.sym.Variable("data"), mx.sym.Variable("a")) + mx.sym.zeros((4, 3))
    folded, values = fold_constants(whole, arrays)
    assert operators(folded) == operators(whole)
    assert set(values) == {"a"}
    given = np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(run(folded, values, given)[0], given + arrays["a"].asnumpy())
