"""Frozen layers stay as they are, to the bit, and all others are trained."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.freezing import frozen_layers
from ctc_ocr.training.network import training_symbol
from ctc_ocr.training.trainer import Trainer
from tests.training_runs import CRNN, make_source, run, streamed, training

FROZEN = ("conv0_", "conv1_", "l0_forward_")


@pytest.fixture
def source(ubuntu_font: str) -> GeneratedSource:
    return make_source(ubuntu_font)


def values(trainer: Trainer) -> dict[str, np.ndarray]:
    arguments, auxiliary = trainer.network.parameters()
    return {name: array.asnumpy() for name, array in {**arguments, **auxiliary}.items()}


def trainer_of(source: GeneratedSource, **changes: object) -> Trainer:
    settings = replace(training(**changes), network=CRNN)
    model = Model(settings, Alphabet(tuple(settings.data.alphabet)))
    return Trainer(model, streamed(source, settings.training.samples_per_epoch), [mx.cpu()])


@pytest.mark.parametrize(("optimizer", "average_power"), [("muon", 8.0), ("adam", 8.0), ("sgd", 0.0), ("rmsprop", 0.0)])
def test_frozen_layers_do_not_change_to_the_bit(
    source: GeneratedSource, tmp_path: Path, optimizer: str, average_power: float
) -> None:
    settings = replace(
        training(freeze=("conv", "l0_forward"), optimizer=optimizer, weight_decay=0.1, average_power=average_power),
        network=CRNN,
    )
    before = values(trainer_of(source, freeze=("conv", "l0_forward")))
    trainer, _ = run(settings, source, tmp_path / "m")
    after = values(trainer)
    assert {name for name in after if name.startswith(FROZEN)} > {"conv0_norm_moving_mean", "conv1_norm_gamma"}
    for name, value in after.items():
        if name.startswith(FROZEN):
            np.testing.assert_array_equal(value, before[name], err_msg=name)
        elif not name.endswith("h2h_bias"):  # zero at the start, and alike: adam moves it, too
            assert (value != before[name]).any(), name
    resumed, _ = run(
        replace(settings, training=replace(settings.training, num_epoch=3)), source, tmp_path / "m", first=8
    )
    np.testing.assert_array_equal(values(resumed)["conv0_weight"], before["conv0_weight"])


def test_without_freezing_all_of_these_change(source: GeneratedSource, tmp_path: Path) -> None:
    before = values(trainer_of(source))
    trainer, _ = run(replace(training(), network=CRNN), source, tmp_path / "m")
    assert all((value != before[name]).any() for name, value in values(trainer).items())


def test_frozen_batch_norm_normalises_by_its_moving_averages(source: GeneratedSource) -> None:
    """The loss in training is that of reading, if nothing else than batch norm differs between them."""
    for freeze, is_same in ((("conv",), True), (("l0",), False)):
        trainer = trainer_of(source, freeze=freeze)
        batch = next(streamed(source, 32))
        reading = trainer.network.predict(batch)[0].asnumpy()
        in_training = trainer.network.begin_update(batch, 0)[0].asnumpy()
        assert np.allclose(reading, in_training, rtol=1e-5) == is_same


def test_the_gradients_of_other_layers_are_those_without_freezing(source: GeneratedSource) -> None:
    """Where batch norm makes no difference: the last layers, after an update of nothing but these."""
    symbol = training_symbol(trainer_of(source, freeze=("conv",)).model)
    shapes = {"data": (4, 20, 40), "label": (4, 2)}
    executor = symbol.simple_bind(mx.cpu(), type_dict={"data": "uint8", "label": "float32"}, **shapes)
    generator = np.random.default_rng(0)
    for name, array in executor.arg_dict.items():
        if name not in shapes:
            array[:] = mx.nd.array(generator.normal(scale=0.3, size=array.shape))
    for array in executor.aux_dict.values():
        array[:] = mx.nd.array(generator.uniform(0.5, 1.5, array.shape))
    executor.arg_dict["data"][:] = mx.nd.array(generator.integers(0, 256, (4, 20, 40)), dtype="uint8")
    executor.arg_dict["label"][:] = mx.nd.array([[1, 2], [2, 0], [1, 0], [2, 1]])

    def loss() -> float:
        return float(executor.forward(is_train=True)[0].asnumpy().sum())

    loss()
    executor.backward()
    # Through the batch norms with fixed statistics, down to the first bias-like parameter.
    for name, place in itertools.product(("conv0_norm_beta", "pred_fc_bias"), (0, 1)):
        slope, array = executor.grad_dict[name].asnumpy()[place], executor.arg_dict[name]
        start, found = array.asnumpy(), []
        for step in (1e-2, -1e-2):
            moved = start.copy()
            moved[place] += step
            array[:] = mx.nd.array(moved)
            found.append(loss())
        array[:] = mx.nd.array(start)
        assert slope == pytest.approx((found[0] - found[1]) / 2e-2, rel=0.05, abs=2e-2), name


NAMES = [
    "conv1_weight",
    "conv1_norm_gamma",
    "conv10_weight",
    "l0_forward_i2h_weight",
    "l0_backward_i2h_bias",
    "pred_fc_bias",
]


def test_names_and_beginnings_of_names() -> None:
    assert frozen_layers(["conv1"], NAMES) == ["conv1"]
    assert frozen_layers(["conv", "pred_fc"], NAMES) == ["conv1", "conv10", "pred_fc"]
    assert frozen_layers(["l0", "conv1"], NAMES) == ["l0_forward", "l0_backward", "conv1"]
    with pytest.raises(InputError, match="training.freeze: no layer 'dense'; there are: conv1, conv10, l0_forward"):
        frozen_layers(["conv1", "dense"], NAMES)
    with pytest.raises(InputError, match="all layers are frozen"):
        frozen_layers(["conv", "l0", "pred_fc"], NAMES)


def test_images_of_different_widths_and_the_other_losses(source: GeneratedSource) -> None:
    """Their graphs have more inputs and operators than are in the network itself."""
    settings = replace(training(freeze=("conv",), loss="warpctc"), network=CRNN)
    lines = replace(settings, data=replace(settings.data, keep_ratio=True))
    symbol = training_symbol(Model(lines, Alphabet(("0", "1"))))
    arguments = symbol.list_arguments()
    assert len(set(arguments)) == len(arguments)
    assert {"data", "steps", "label"} < set(arguments)
