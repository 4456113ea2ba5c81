"""All weights as one vector: copied to and from the arrays of one or several devices, and updated as each by itself."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.config.sections import Network, Training
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.mxnet_internals import gradient_arrays
from ctc_ocr.training import parameter_vector
from ctc_ocr.training.network import TrainingNetwork
from ctc_ocr.training.optimizer import make_optimizer
from ctc_ocr.training.parameter_vector import ArrayCopies
from ctc_ocr.training.schedules import Course, Schedule
from tests.training_runs import CRNN, SMALL, cached, make_source

SHAPES = [(3, 4), (5,), (2, 2, 2)]
NAMES = ["l0_i2h_weight", "l0_i2h_bias", "conv0_weight"]


def arrays(seed: int, devices: int = 1) -> list[list[Any]]:
    generator = np.random.default_rng(seed)
    made = [generator.normal(size=shape).astype(np.float32) for shape in SHAPES]
    return [[mx.nd.array(each * (1 + device), mx.cpu(device)) for device in range(devices)] for each in made]


def flat(copies: list[list[Any]], device: int = 0) -> np.ndarray[Any, Any]:
    return np.concatenate([each[device].asnumpy().reshape(-1) for each in copies])


@pytest.fixture(params=["memory", "operators"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the host's memory, and by operators as on a GPU."""
    if request.param == "operators":
        monkeypatch.setattr(parameter_vector, "is_on_host", lambda array: False)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("devices", [1, 2])
def test_arrays_to_a_vector_and_back(devices: int) -> None:
    copies = arrays(0, devices)
    vectors = ArrayCopies(copies)
    vector = mx.nd.zeros(vectors.size)
    vectors.gather(vector)
    np.testing.assert_array_equal(vector.asnumpy(), flat(copies))
    vectors.gather_sum(vector)
    expected = sum((flat(copies, device) for device in range(devices)), np.zeros(25, np.float32))
    np.testing.assert_allclose(vector.asnumpy(), expected, rtol=1e-6)
    vectors.scatter(mx.nd.arange(25))
    mx.nd.waitall()
    for device in range(devices):
        np.testing.assert_array_equal(flat(copies, device), np.arange(25))


REFERENCES = {
    "adam": lambda: mx.optimizer.Adam(learning_rate=4e-3, wd=0.01, rescale_grad=0.5),
    "sgd": lambda: mx.optimizer.SGD(learning_rate=4e-3, wd=0.01, rescale_grad=0.5, momentum=0.9),
    "rmsprop": lambda: mx.optimizer.RMSProp(learning_rate=4e-3, wd=0.01, rescale_grad=0.5),
}
PARTS = {"adam": [2, 2, 2], "sgd": [1, 1, 1], "rmsprop": [1, 1, 1], "muon": [1, 2, 1]}


def training_of(name: str) -> Training:
    return Training(optimizer=name, schedule="constant", warmup_updates=0, weight_decay=0.01, batch_size=2)


def optimizer_of(name: str, updates_done: int = 0) -> Any:
    return make_optimizer(training_of(name), Schedule(training_of(name), Course(10)), updates_done, NAMES, SHAPES)


@pytest.mark.parametrize("name", list(REFERENCES))
def test_a_vector_is_updated_as_its_parameters_are_one_by_one(name: str) -> None:
    by_vector, each = optimizer_of(name), mx.optimizer.get_updater(REFERENCES[name]())
    weights, copies = mx.nd.array(flat(arrays(0))), arrays(0)
    for step in range(3):
        gradients = arrays(1 + step)
        by_vector.update(weights, mx.nd.array(flat(gradients)))
        for index, (weight, gradient) in enumerate(zip(copies, gradients, strict=True)):
            each(index, gradient[0], weight[0])
    np.testing.assert_allclose(weights.asnumpy(), flat(copies), rtol=1e-6)
    first = each.states[2][0] if isinstance(each.states[2], tuple) else each.states[2]
    np.testing.assert_allclose(by_vector.state_arrays()["2.0"], first.asnumpy(), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", list(PARTS))
def test_an_optimizer_goes_on_from_the_state_of_another(name: str) -> None:
    first, weights = optimizer_of(name), mx.nd.array(flat(arrays(0)))
    assert first.state_arrays() == {}
    for step in range(3):
        first.update(weights, mx.nd.array(flat(arrays(1 + step))))
    state = first.state_arrays()
    shapes = {f"{number}.{part}": SHAPES[number] for number in range(3) for part in range(PARTS[name][number])}
    assert {key: array.shape for key, array in state.items()} == shapes
    second = optimizer_of(name, updates_done=3)
    second.restore_state(weights, state)
    here, there = weights.copy(), weights.copy()
    gradient = mx.nd.array(flat(arrays(9)))
    first.update(here, gradient)
    second.update(there, gradient)
    assert (here.asnumpy() == there.asnumpy()).all()
    for foreign in ({**state, "3.0": state["2.0"]}, {**state, "2.0": state["1.0"]}):
        with pytest.raises(InputError, match="another optimizer or network"):
            second.restore_state(weights, foreign)


@pytest.mark.parametrize("kind", [SMALL.network, CRNN])
def test_the_vectors_are_what_the_network_computes_with(kind: Network, ubuntu_font: str) -> None:
    """Also after it has read images, which leaves weights in a layout of oneDNN."""
    settings = replace(SMALL, network=kind)
    batches = cached(make_source(ubuntu_font), 32)
    network = TrainingNetwork(Model(settings, Alphabet(("0", "1"))), batches, [mx.cpu()])
    network.init_optimizer(settings.training, Schedule(settings.training, Course(10)), 0)

    def check() -> None:
        parts = [network.parameters()[0][name].asnumpy().reshape(-1) for name in network._names]
        np.testing.assert_array_equal(network.vectors()["weights"].asnumpy(), np.concatenate(parts))
        if kind is CRNN:
            averages = [each.asnumpy() for each in network.parameters()[1].values()]
            np.testing.assert_array_equal(network.vectors()["moving averages"].asnumpy(), np.concatenate(averages))

    for _ in range(2):
        for batch in batches:
            network.begin_update(batch, 0)
            given = [copies[0].asnumpy() for copies in gradient_arrays(network._module)]
            network._training = replace(settings.training, clip_gradient=0.0)
            network.finish_update()
            flattened = np.concatenate([each.reshape(-1) for each in given])
            np.testing.assert_array_equal(network._gradient.asnumpy(), flattened)
            check()
        batches.reset()
        network.predict(batch)[0].wait_to_read()
        check()
        before = {name: array.copy() for name, array in network.vectors().items()}
        doubled = {name: 2 * array for name, array in before.items()}
        network.set_vectors(doubled)
        check()
        np.testing.assert_array_equal(network.vectors()["weights"].asnumpy(), doubled["weights"].asnumpy())
        network.predict(batch)[0].wait_to_read()
        network.set_vectors(before)
        check()
