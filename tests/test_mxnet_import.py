"""MXNet imported quickly is the same MXNet."""

import json
import subprocess
import sys
from typing import Any

import pytest

PLAIN = "import numpy as np; np.bool = bool; import mxnet as mx"
QUICK = "from ctc_ocr.runtime.mxnet import mx"
# Of all modules of operators: what is in them, and where it says that it is from.
NAMES = """
import json, sys
FOLDERS = tuple(f"mxnet.{each}." for each in (
    "ndarray", "symbol", "numpy", "numpy_extension", "contrib.ndarray", "contrib.symbol"))
found = {}
for name, module in list(sys.modules.items()):
    if f"{name}.".startswith(FOLDERS):
        inside = vars(module).items()
        found[name] = {each: getattr(value, "__module__", "") for each, value in inside if callable(value)}
print(json.dumps(found))
"""
NETWORK = """
data, label = mx.sym.Variable("data"), mx.sym.Variable("label")
made = mx.sym.Activation(mx.sym.FullyConnected(mx.sym.relu(data) * 2 + data, num_hidden=3), act_type="tanh", name="a")
loss = mx.sym.contrib.ctc_loss(mx.sym.reshape(made, shape=(-4, 4, -1, 0)), label)
arrays = {"data": mx.nd.arange(40).reshape((8, 5)), "label": mx.nd.ones((2, 2)), "fullyconnected0_weight":
          mx.nd.linalg.gemm2(mx.nd.ones((3, 1)), mx.nd.arange(5).reshape((1, 5))) / 50,
          "fullyconnected0_bias": mx.nd.zeros(3)}
executor = loss.bind(mx.cpu(), arrays, {name: mx.nd.zeros_like(each) for name, each in arrays.items()})
executor.forward(is_train=True)
executor.backward(mx.nd.ones(2))
gradients = {name: each.asnumpy().tolist() for name, each in executor.grad_dict.items()}
import json
print(json.dumps([json.loads(loss.tojson()), executor.outputs[0].asnumpy().tolist(), gradients]))
"""
LEFT_OUT = ("onnx", "requests", "setuptools", "distutils", "distutils.version", "mxnet.gluon.nn")


def printed(code: str) -> Any:
    """What a program prints as JSON."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python 3.12 has no distutils, which MXNet's own import needs")
@pytest.mark.parametrize("program", [NAMES, NETWORK], ids=["names", "network"])
@pytest.mark.slow
def test_it_has_the_same_operators(program: str) -> None:
    plain, quick = (printed(f"{how}\n{program}") for how in (PLAIN, QUICK))
    assert plain == quick


def test_modules_that_nothing_uses_are_not_loaded() -> None:
    found = printed(f"{QUICK}\nimport json, sys\nprint(json.dumps([n for n in {LEFT_OUT} if n in sys.modules]))")
    assert found == []


def test_they_are_loaded_at_their_first_use() -> None:
    program = f"""{QUICK}
import json
layer = mx.gluon.nn.Dense(3)
layer.initialize()
print(json.dumps([layer(mx.nd.ones((2, 4))).shape, mx.test_utils.same(1, 1), mx.nd.relu.__name__]))"""
    assert printed(program) == [[2, 3], True, "relu"]


def test_a_wrong_argument_is_told_as_by_mxnet() -> None:
    program = f"""{QUICK}
import json
try:
    mx.sym.FullyConnected(mx.sym.Variable("a"), number=3)
except Exception as error:
    print(json.dumps(str(error)))"""
    assert "number" in printed(program)
