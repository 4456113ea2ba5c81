"""The table of a network's layers, against what MXNet infers and what the equations say."""

import math
from typing import Any

import pytest

from ctc_ocr import symbols
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Data, Network
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.symbols.summary import describe, describe_network, layers

CRNN: dict[str, Any] = {
    "features": (4, 6),
    "kernels": (3, 5),
    "strides": (1, 2),
    "pool_heights": (2, 1),
    "pool_widths": (1, 1),
}

NUM_CLASSES = 6


def settings(data: dict[str, Any] | None = None, **network: Any) -> Hyperparameters:
    sizes = {"width": 40, "height": 20, "max_length": 3, **(data or {})}
    return Hyperparameters(Data(**sizes), Network(**network))


@pytest.mark.parametrize(
    "described",
    [
        settings(),
        settings(lstm_graph="unrolled"),
        settings(num_layers=3, num_hidden=7),
        settings(architecture="crnn", **CRNN),
        settings(architecture="crnn", dropout=0.5, batch_norm=False, **CRNN),
        settings({"keep_ratio": True}),
        settings({"channels": 3, "keep_ratio": True}, architecture="crnn", **CRNN),
    ],
)
def test_the_total_is_that_of_all_parameters(described: Hyperparameters) -> None:
    logits = symbols.logits(mx.sym.Variable("data"), described, NUM_CLASSES)
    shape = (2, 20, 40, 3) if described.data.channels == 3 else (2, 20, 40)
    shapes, _, _ = logits.infer_shape(data=shape)
    expected = sum(map(math.prod, shapes)) - math.prod(shape)
    assert sum(layer.size for layer in layers(logits, {"data": shape})) == expected
    assert f"\n{expected:,} parameters" in describe_network(described, NUM_CLASSES)


def test_the_table_of_a_crnn() -> None:
    described = settings({"channels": 3, "keep_ratio": True}, architecture="crnn", num_layers=1, dropout=0.25, **CRNN)
    hidden, columns = 100, 6 * 5
    direction = 4 * hidden * (columns + hidden + 2)
    expected = f"""
        Layer Operator Output Parameters
        data input 8 x 20 x 40 x 3
        conv0 Convolution 3x3 8 x 4 x 20 x 40 {3 * 4 * 9}
        conv0_norm BatchNorm 8 x 4 x 20 x 40 8
        Pooling 2x1 8 x 4 x 10 x 40 0
        conv1 Convolution 5x5 stride 2x2 8 x 6 x 5 x 20 {4 * 6 * 25}
        conv1_norm BatchNorm 8 x 6 x 5 x 20 12
        l0_forward LSTM 20 x 8 x 100 {direction:,}
        l0_backward LSTM 20 x 8 x 100 {direction:,}
        Dropout 0.25 20 x 8 x 200 0
        pred_fc FullyConnected 20 x 8 x 6 1,206
        {108 + 8 + 600 + 12 + 2 * direction + 1206:,} parameters, and 20 moving averages of batch norm"""
    found = describe_network(described, NUM_CLASSES, batch_size=8).splitlines()
    assert [line.split() for line in found] == [line.split() for line in expected.strip().splitlines()]


def test_an_unrolled_lstm_is_one_layer() -> None:
    table = describe_network(settings(lstm_graph="unrolled"), NUM_CLASSES)
    assert len(table.splitlines()) == 8
    assert "l0_i2h   FullyConnected  40 x 1 x 400" in table


def test_a_symbol_without_hyperparameters() -> None:
    hidden = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="first")
    symbol = mx.sym.FullyConnected(mx.sym.relu(hidden), num_hidden=2, name="second")
    assert describe(symbol, {"data": (5, 4)}).splitlines()[1:] == [
        "data    input           5 x 4",
        "first   FullyConnected  5 x 3           15",
        "second  FullyConnected  5 x 2            8",
        "23 parameters",
    ]


def test_operators_with_fewer_attributes() -> None:
    columns = mx.sym.Convolution(mx.sym.Variable("data"), num_filter=2, kernel=(3,), stride=(2,), name="columns")
    symbol = mx.sym.FullyConnected(mx.sym.Pooling(columns, global_pool=True), num_hidden=1, name="last")
    assert [layer.operator for layer in layers(symbol, {"data": (5, 4, 9)})] == [
        "Convolution 3 stride 2",
        "Pooling global",
        "FullyConnected",
    ]
