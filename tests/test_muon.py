"""Muon, against a singular value decomposition and a plain loop in NumPy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.muon import Muon, is_matrix, orthogonalised
from ctc_ocr.training.schedules import Course, Schedule
from ctc_ocr.training.trainer import Trainer
from tests.training_runs import CRNN, cached, make_source, run, training, weights

RATE, SIZE = 0.01, 8  # the batch size of training_runs


@pytest.fixture
def source(ubuntu_font: str) -> GeneratedSource:
    return make_source(ubuntu_font)


def by_singular_values(matrix: np.ndarray) -> np.ndarray:
    """What the iterations make of a matrix, applied to its singular values alone."""
    left, values, right = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    values = values / np.sqrt((values**2).sum())
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return (left * values) @ right


@pytest.mark.parametrize("shape", [(7, 7), (40, 10), (10, 40), (1, 5)])
def test_singular_values_become_one_and_singular_vectors_stay(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    found = orthogonalised(matrix)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_singular_values(matrix), atol=1e-4)
    values = np.linalg.svd(found, compute_uv=False)
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_a_network_may_have_matrices_only() -> None:
    weights, settings = mx.nd.zeros((6,)), training().training
    Muon(settings, Schedule(settings, Course(10)), 0, ["a_weight"], [(2, 3)]).update(weights, mx.nd.ones((6,)))
    assert (weights.asnumpy() < 0).all()


def test_a_gradient_of_zeros_moves_nothing() -> None:
    assert not orthogonalised(np.zeros((3, 4), np.float32)).any()


def test_weights_of_layers_but_the_last_are_matrices() -> None:
    shapes = {"l0_i2h_weight": (8, 3), "l0_i2h_bias": (8,), "conv0_weight": (4, 1, 3, 3), "pred_fc_weight": (3, 2)}
    assert [name for name, shape in shapes.items() if is_matrix(name, shape)] == ["l0_i2h_weight", "conv0_weight"]


@pytest.mark.parametrize("network", ["lstm", "crnn"])
def test_updates_are_those_of_the_reference(source: GeneratedSource, network: str) -> None:
    settings = training(optimizer="muon", learning_rate=RATE, schedule="constant", warmup_updates=0, weight_decay=0.1)
    if network == "crnn":
        settings = replace(settings, network=CRNN)
    batches = cached(source, 24)
    trainer = Trainer(Model(settings, Alphabet(("0", "1"))), batches, [mx.cpu()])
    before = weights(trainer)
    means, variances = ({name: np.zeros_like(array) for name, array in before.items()} for _ in range(2))
    for number, batch in enumerate(batches, 1):
        trainer.updates.make(batch)
        found = weights(trainer)
        for name, gradient in clipped_gradients(trainer).items():
            weight, is_moved = before[name], is_matrix(name, before[name].shape)
            if not is_moved:
                gradient = gradient + 0.1 * weight  # weight decay of MXNet's Adam
            means[name] += 0.1 * (gradient - means[name])
            variances[name] += 0.001 * (gradient**2 - variances[name])
            if is_moved:
                ahead = (0.9 * means[name] + 0.1 * gradient).reshape(len(weight), -1)
                scale = 5 * np.sqrt(max(1, ahead.shape[0] / ahead.shape[1]))
                step = scale * by_singular_values(ahead).reshape(weight.shape)
                expected = (1 - RATE * 0.1) * weight - RATE * step
            else:
                rate = RATE * np.sqrt(1 - 0.999**number) / (1 - 0.9**number)
                expected = weight - rate * means[name] / (np.sqrt(variances[name]) + 1e-8)
            np.testing.assert_allclose(found[name], expected, atol=2e-4, err_msg=f"{name} at {number}")
        before = found


def clipped_gradients(trainer: Trainer) -> dict[str, np.ndarray]:
    """The gradients that the last update used, of the mean loss of its batch."""
    network = trainer.network
    shapes = network._parameters.shapes
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    parts = np.split(network._gradient.asnumpy() / SIZE, ends[:-1])
    return {n: part.reshape(shape) for n, part, shape in zip(network._names, parts, shapes, strict=True)}


def test_two_devices_learn_what_one_learns_and_go_on_where_they_were(source: GeneratedSource, tmp_path: Path) -> None:
    settings = training(optimizer="muon")
    one, _ = run(settings, source, tmp_path / "one")
    two, _ = run(settings, source, tmp_path / "two", contexts=2)
    for file in tmp_path.glob("two-0002*"):
        file.unlink()
    resumed, _ = run(settings, source, tmp_path / "two", first=4, contexts=2)
    for name, array in weights(two).items():
        np.testing.assert_array_equal(weights(resumed)[name], array, err_msg=name)
        np.testing.assert_allclose(weights(one)[name], array, atol=1e-3, err_msg=name)
