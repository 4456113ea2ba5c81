"""The table of a network's layers, against what MXNet infers and what the equations say."""

import math
from typing import Any

import pytest

from ctc_ocr import symbols
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Data, Network
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.symbols.summary import describe, describe_model, layers

CRNN = {"features": (4, 6), "kernels": (3, 5), "strides": (1, 2), "pool_heights": (2, 1), "pool_widths": (1, 1)}


def model(data: dict[str, Any] | None = None, **network: Any) -> Model:
    sizes = {"width": 40, "height": 20, "max_length": 3, **(data or {})}
    return Model(Hyperparameters(Data(**sizes), Network(**network)), Alphabet(tuple("abcde")))


@pytest.mark.parametrize(
    "described",
    [
        model(),
        model(lstm_graph="unrolled"),
        model(num_layers=3, num_hidden=7),
        model(architecture="crnn", **CRNN),
        model(architecture="crnn", dropout=0.5, batch_norm=False, **CRNN),
        model({"keep_ratio": True}),
        model({"channels": 3, "keep_ratio": True}, architecture="crnn", **CRNN),
    ],
)
def test_the_total_is_that_of_all_parameters(described: Model) -> None:
    data = described.hyperparameters.data
    logits = symbols.logits(mx.sym.Variable("data"), described.hyperparameters, 6)
    shape = (2, 20, 40, 3) if data.channels == 3 else (2, 20, 40)
    shapes, _, _ = logits.infer_shape(data=shape)
    expected = sum(map(math.prod, shapes)) - math.prod(shape)
    assert sum(layer.size for layer in layers(logits, {"data": shape})) == expected
    assert f"\n{expected:,} parameters" in describe_model(described)


def test_the_table_of_a_crnn() -> None:
    described = model({"channels": 3, "keep_ratio": True}, architecture="crnn", num_layers=1, dropout=0.25, **CRNN)
    hidden, columns = 100, 6 * 5
    direction = 4 * hidden * (columns + hidden + 2)
    expected = f"""
        Layer Operator Output Parameters
        data input 8 x 20 x 40 x 3
        conv0 Convolution 3x3 8 x 4 x 20 x 40 {3 * 4 * 9}
        conv0_norm BatchNorm 8 x 4 x 20 x 40 8
        Pooling 2x1 8 x 4 x 10 x 40 0
        conv1 Convolution 5x5 step 2x2 8 x 6 x 5 x 20 {4 * 6 * 25}
        conv1_norm BatchNorm 8 x 6 x 5 x 20 12
        l0_forward LSTM 20 x 8 x 100 {direction:,}
        l0_backward LSTM 20 x 8 x 100 {direction:,}
        Dropout 0.25 20 x 8 x 200 0
        pred_fc FullyConnected 20 x 8 x 6 1,206
        {108 + 8 + 600 + 12 + 2 * direction + 1206:,} parameters, and 20 moving averages of batch norm"""
    found = describe_model(described, batch_size=8).splitlines()
    assert [line.split() for line in found] == [line.split() for line in expected.strip().splitlines()]


def test_an_unrolled_lstm_is_told_once() -> None:
    table = describe_model(model(lstm_graph="unrolled"))
    assert len(table.splitlines()) == 8
    assert "l0_i2h   FullyConnected  40 x 1 x 400" in table


def test_a_symbol_of_ones_own() -> None:
    hidden = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="first")
    symbol = mx.sym.FullyConnected(mx.sym.relu(hidden), num_hidden=2, name="second")
    assert describe(symbol, {"data": (5, 4)}).splitlines()[1:] == [
        "data    input           5 x 4",
        "first   FullyConnected  5 x 3           15",
        "second  FullyConnected  5 x 2            8",
        "23 parameters",
    ]
