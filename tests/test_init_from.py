"""A model that begins with what fits of another one's weights."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import model_files
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.model_files import Checkpoint
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.trainer import Trainer
from ctc_ocr.training.transfer import layer_of, shared_classes
from tests.training_runs import CRNN, SMALL, Batches

DIGITS = "0123456789"


def crnn(height: int = 20, **network: Any) -> Hyperparameters:
    settings = replace(SMALL, network=replace(CRNN, **{"num_layers": 2, **network}))
    return replace(settings, data=replace(settings.data, height=height))


def trainer(settings: Hyperparameters, units: str, seed: int = 0) -> Trainer:
    settings = replace(settings, training=replace(settings.training, seed=seed))
    made = Trainer(Model(settings, Alphabet(tuple(units))), Batches(settings).iterator(), [mx.cpu()])
    arguments, auxiliary = made.network.parameters()  # moving averages and biases that are not those of every new model
    generator = np.random.default_rng(seed)
    arrays = {**arguments, **auxiliary}
    for name in [*auxiliary, "pred_fc_bias"]:
        arrays[name][:] = generator.uniform(1, 2, arrays[name].shape)
    made.network.set_parameters(arguments, auxiliary)
    return made


def parameters(one: Trainer) -> dict[str, np.ndarray]:
    arguments, auxiliary = one.network.parameters()
    return {name: array.asnumpy() for name, array in {**arguments, **auxiliary}.items()}


def save(
    settings: Hyperparameters, units: str, folder: Path, seed: int = 1
) -> tuple[Checkpoint, dict[str, np.ndarray]]:
    """Another model, as it is stored, and its parameters."""
    made = trainer(settings, units, seed)
    arguments, auxiliary = made.network.parameters()
    model_files.save(folder / "other", 1, made.network.symbol, arguments, auxiliary, made.model)
    return model_files.load(folder / "other"), parameters(made)


def same(layer: str, one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    names = [name for name in one if layer_of(name) == layer]
    assert names
    return all(one[name].shape == other[name].shape and (one[name] == other[name]).all() for name in names)


LAYERS = ("conv0", "conv1", "l0_forward", "l0_backward", "l1_forward", "l1_backward")


def test_a_model_of_the_same_shape_and_alphabet_is_taken_whole(tmp_path: Path) -> None:
    stored, other = save(crnn(), DIGITS, tmp_path)
    new = trainer(crnn(), DIGITS)
    assert not same("conv0", parameters(new), other)
    taken = new.initialise_from(stored)
    assert taken.layers == (*LAYERS, "pred_fc")
    assert taken.new == ()
    for name, values in parameters(new).items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


def test_of_another_alphabet_the_shared_units_are_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stored, other = save(crnn(), DIGITS, tmp_path)
    new = trainer(crnn(), "z5ab0")
    before = parameters(new)
    with caplog.at_level(logging.INFO, logger="ctc_ocr"):
        taken = new.initialise_from(stored)
    after = parameters(new)
    assert (taken.layers, taken.new, taken.classes, taken.num_classes) == (LAYERS, ("pred_fc",), 3, 6)
    assert all(same(layer, after, other) for layer in LAYERS)
    assert {name for name in after if name.endswith("moving_mean")} == {
        "conv0_norm_moving_mean",
        "conv1_norm_moving_mean",
    }
    for name in ("pred_fc_weight", "pred_fc_bias"):
        np.testing.assert_array_equal(after[name][[0, 2, 5]], other[name][[0, 6, 1]])  # the blank, 5 and 0
        np.testing.assert_array_equal(after[name][[1, 3, 4]], before[name][[1, 3, 4]])
    assert (
        f"Starting from {tmp_path}/other-0001.params: copied: conv0, conv1, l0_forward, l0_backward, l1_forward, "
        "l1_backward; of pred_fc the blank and 2 of 5 units; new: pred_fc"
    ) in caplog.text


def test_as_many_other_units_are_not_taken_for_the_same(tmp_path: Path) -> None:
    stored, other = save(crnn(), DIGITS, tmp_path)
    new = trainer(crnn(), DIGITS[::-1])
    assert new.initialise_from(stored).new == ()
    np.testing.assert_array_equal(parameters(new)["pred_fc_weight"][1:], other["pred_fc_weight"][:0:-1])


@pytest.mark.parametrize(
    ("changes", "new_layers", "classes"),
    [
        ({"height": 36}, ("l0_forward", "l0_backward"), 11),  # more rows come out of the convolutions
        ({"features": (4, 9)}, ("conv1", "l0_forward", "l0_backward"), 11),
        ({"num_hidden": 9}, LAYERS[2:] + ("pred_fc",), 0),
        ({"batch_norm": False}, ("conv0", "conv1"), 11),
        ({"num_layers": 3}, ("l2_forward", "l2_backward", "pred_fc"), 0),  # the last layer would read another language
    ],
)
def test_layers_of_another_size_begin_anew(
    tmp_path: Path, changes: dict[str, Any], new_layers: tuple[str, ...], classes: int
) -> None:
    stored, other = save(crnn(), DIGITS, tmp_path)
    new = trainer(crnn(**changes), DIGITS)
    before = parameters(new)
    taken = new.initialise_from(stored)
    after = parameters(new)
    assert (taken.new, taken.classes) == (new_layers, classes)
    assert set(taken.layers) == {*LAYERS, "pred_fc"} - set(new_layers)
    assert all(same(layer, after, other) for layer in taken.layers)
    assert all(same(layer, after, before) for layer in new_layers)


def test_a_last_layer_with_other_inputs_begins_anew(tmp_path: Path) -> None:
    """Of a file in which it does not fit the layer below."""
    stored, _ = save(crnn(), DIGITS, tmp_path)
    stored.arg_params["pred_fc_weight"] = mx.nd.ones((11, 7))
    taken = trainer(crnn(), DIGITS).initialise_from(stored)
    assert (taken.new, taken.classes) == (("pred_fc",), 0)


def test_weights_that_expect_other_pixels_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stored, _ = save(crnn(), DIGITS, tmp_path)
    settings = crnn()
    trainer(settings, DIGITS).initialise_from(stored)
    assert "The copied weights were trained with" not in caplog.text
    changed = replace(
        settings, network=replace(settings.network, input_scale=60.0), data=replace(settings.data, ink="light")
    )
    trainer(changed, DIGITS).initialise_from(stored)
    assert "The copied weights were trained with ink=dark; it is light now" in caplog.text
    assert "The copied weights were trained with input_scale=20.0; it is 60.0 now" in caplog.text
    trainer(replace(changed, data=replace(settings.data, ink="auto")), DIGITS).initialise_from(stored)
    assert "it is auto now" not in caplog.text  # which gives the network dark ink, too


def test_a_model_with_nothing_in_common_is_refused(tmp_path: Path) -> None:
    stored, _ = save(SMALL, "01", tmp_path)
    new = trainer(crnn(), "01")
    before = parameters(new)
    with pytest.raises(
        InputError, match=r"other-0001\.params: no layer fits: expected some of conv0_weight \(4, 1, 3, 3\)"
    ):
        new.initialise_from(stored)
    assert all(same(layer, parameters(new), before) for layer in (*LAYERS, "pred_fc"))


def test_a_model_whose_classes_nobody_knows_is_refused(tmp_path: Path) -> None:
    save(crnn(), DIGITS, tmp_path)
    (tmp_path / "other.json").unlink()
    with pytest.raises(InputError, match=r"other\.json: missing: it has the model's alphabet"):
        trainer(crnn(), DIGITS).initialise_from(model_files.load(tmp_path / "other"))


def test_the_weights_taken_are_those_that_are_trained(tmp_path: Path) -> None:
    stored, other = save(crnn(), "01", tmp_path)
    settings = crnn()
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (8, 20, 40)).astype(np.uint8)
    batches = Batches(settings, [{"images": images, "labels": np.ones((8, 2), np.float32)}])
    losses = []
    for begun in (False, True):
        iterator = batches.iterator()
        new = Trainer(Model(settings, Alphabet(("0", "1"))), iterator, [mx.cpu()])
        if begun:
            new.initialise_from(stored)
        losses.append(new.updates.make(next(iterator))[0].asnumpy())
    iterator = batches.iterator()
    same_model = Trainer(Model(settings, Alphabet(("0", "1"))), iterator, [mx.cpu()])
    same_model.network.set_parameters(stored.arg_params, stored.aux_params)
    np.testing.assert_array_equal(losses[1], same_model.updates.make(next(iterator))[0].asnumpy())
    assert abs(losses[0] - losses[1]).max() > 0.01
    assert set(other) == set(parameters(same_model))


def test_units_of_several_characters_are_shared_as_they_are() -> None:
    one, other = Alphabet(("ch", "c", "h", "ß")), Alphabet(("h", "ß", "ch", "x"))
    assert shared_classes(one, other) == ([0, 1, 3, 4], [0, 3, 1, 2])
