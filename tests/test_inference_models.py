"""Which checkpoint a path and an epoch stand for, older descriptions, and architectures of the user's own."""

import json

import numpy as np
import pytest

from ctc_ocr import symbols
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import model_files
from ctc_ocr.checkpoint.calibration_file import save_calibrations
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.run_files import select_checkpoint
from ctc_ocr.config.architectures import Architecture
from ctc_ocr.config.hyperparameters import Hyperparameters, read_sections
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.config.sections import Data, Network
from ctc_ocr.decoding.greedy import greedy
from ctc_ocr.errors import InputError
from ctc_ocr.evaluation.calibration import Calibration
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.runtime.mxnet import mx
from tests.models import chosen, save_example_model, save_own_model, to_mx
from tests.mxnet_network import network_of
from tests.reading_commands import with_unknown_architecture, write_history


@pytest.fixture
def run(tmp_path):
    """The prefix of a run with epochs 1 to 3, of which the second is the best."""
    (tmp_path / "run").mkdir()
    prefix = tmp_path / "run" / "ocr"
    for epoch in (1, 2, 3):
        save_own_model(prefix, epoch=epoch, seed=epoch)
    write_history(prefix, {1: 0.3, 2: 0.1, 3: 0.2})
    return prefix


@pytest.mark.parametrize(
    ("path", "epoch", "expected"),
    [
        ("ocr", None, 2),
        ("ocr", "newest", 3),
        ("ocr", "best", 2),
        ("ocr", 1, 1),
        ("", None, 2),
        ("", "best", 2),
        ("ocr-0001.params", None, 1),
        ("ocr-0001.params", 1, 1),
    ],
)
def test_a_path_and_an_epoch_stand_for_a_checkpoint(run, path, epoch, expected):
    path = run.parent / path
    assert select_checkpoint(path, epoch) == (str(run), expected)
    predictor = Predictor(path, epoch)
    assert (predictor.prefix, predictor.epoch) == (str(run), expected)
    assert model_files.load(run, expected).epoch == expected


@pytest.mark.parametrize(
    ("path", "epoch", "reason"),
    [
        ("ocr", 4, "no epoch 4 under this prefix; accepted: 1 to 3, best, newest"),
        ("ocr", "latest", "no epoch latest under this prefix; accepted: 1 to 3, best, newest"),
        ("ocr-0001.params", 2, "this is epoch 1, and epoch 2 was asked for: give the prefix instead"),
        ("ocr-0001.params", "best", "this is epoch 1, and epoch best was asked for: give the prefix instead"),
        ("ocr-0004.params", None, "no epoch 4 under this prefix; accepted: 1 to 3, best, newest"),
    ],
)
def test_checkpoints_that_do_not_exist(run, path, epoch, reason):
    with pytest.raises(InputError) as raised:
        select_checkpoint(run.parent / path, epoch)
    assert raised.value.reason == reason
    assert raised.value.where in (str(run), str(run.parent / path))


def test_without_a_history_the_newest_is_read_unless_the_best_is_asked_for(run):
    assert (Predictor(run).epoch, model_files.load(run).epoch) == (2, 2)
    run.with_name("ocr-history.csv").unlink()
    assert (Predictor(run).epoch, model_files.load(run).epoch) == (3, 3)
    with pytest.raises(InputError, match=r"ocr-history\.csv: .*the best one is not known"):
        Predictor(run, "best")
    write_history(run, {7: 0.1})
    assert Predictor(run).epoch == 3
    with pytest.raises(InputError, match=r"ocr-history\.csv: has no row of an existing epoch"):
        Predictor(run, "best")


@pytest.mark.parametrize("text", ["", "a,b\n", "epoch\n"])
def test_a_broken_history_lets_no_other_epoch_pass_for_the_best(run, text):
    run.with_name("ocr-history.csv").write_text(text)
    for epoch in (None, "best"):
        with pytest.raises(
            InputError, match=r"ocr-history\.csv.*the best epoch is not known: name one, such as newest"
        ):
            Predictor(run, epoch)
    assert (Predictor(run, "newest").epoch, Predictor(run, 1).epoch) == (3, 1)
    assert Predictor(f"{run}-0001.params").epoch == 1


def test_a_model_that_is_not_found_names_what_was_looked_for_and_what_there_is(run):
    with pytest.raises(
        InputError, match=r"plates: no model under this prefix: .*plates-0001\.params or a later"
    ) as error:
        Predictor(run.with_name("plates"))
    assert error.value.reason.endswith(f"; there are: {run}")


def test_repr(run):
    assert repr(Predictor(run, "best", batch_size=4)) == (
        f"<Predictor {str(run)!r}, epoch 2: lstm, 10 units, batch_size 4>"
    )


OF_VERSION_1 = {
    "format": "ctc_ocr model",
    "version": 1,
    "hyperparameters": {
        "data": {
            "alphabet": "abcd", "min_length": 1, "max_length": 2, "renderer": "fast", "draw_width": 160,
            "draw_height": 60, "width": 16, "height": 10, "keep_ratio": False, "channels": 1, "ink": "dark",
            "normalise": "fixed",
        },
        "network": {
            "architecture": "lstm", "num_layers": 2, "num_hidden": 6, "cell": "unrolled",
            "features": [32, 48, 64, 96], "kernels": [3, 3, 3, 3], "strides": [1, 1, 1, 1],
            "pool_heights": [2, 2, 2, 2], "pool_widths": [2, 2, 1, 1], "batch_norm": True, "dropout": 0.0,
            "input_mean": 225.0, "input_scale": 20.0,
        },
        "training": {
            "loss": "ctc", "batch_size": 32, "num_epoch": 12, "samples_per_epoch": 15000, "validation_samples": 3000,
            "optimizer": "adam", "learning_rate": 0.004, "momentum": 0.9, "weight_decay": 0.0, "warmup_steps": 77,
            "schedule": "cosine", "plateau_patience": 5, "plateau_factor": 0.5, "stop_patience": 0, "keep": 0,
            "clip_gradient": 1.0, "seed": 0, "target_accuracy": 0.0,
        },
        "augmentation": {
            "augment": False, "max_rotation": 0.5, "max_slant": 0.125, "max_scale": 0.1, "max_padding": 0.1,
            "max_shift": 0.1, "max_warp": 0.0, "max_brightness": 0.1, "max_contrast": 0.3, "max_blur": 0.5,
            "max_noise": 0.0, "max_hue": 0.0, "max_saturation": 0.0,
        },
    },
    "alphabet": {"a": 1, "b": 2, "c": 3, "d": 4},
}  # fmt: skip


def test_a_description_of_version_1_is_read(tmp_path):
    """As version 0.1 wrote it, with the names cell, warmup_steps and max_slant."""
    save_own_model(tmp_path / "m", alphabet="abcd")
    images = list(np.random.default_rng(0).integers(0, 256, (5, 10, 16), dtype=np.uint8))
    expected = Predictor(tmp_path / "m").predict(images)
    description = tmp_path / "m.json"
    assert json.loads(description.read_text())["version"] == 2
    description.write_text(json.dumps(OF_VERSION_1))
    predictor = Predictor(tmp_path / "m")
    assert predictor.predict(images) == expected
    found = predictor.hyperparameters
    assert (found.network.lstm_graph, found.training.warmup_updates, found.augmentation.max_shear) == (
        "unrolled",
        77,
        0.125,
    )
    # As --config: a description, or its hyperparameters alone.
    assert Hyperparameters.from_dict(read_sections(description)) == found
    description.write_text(json.dumps(OF_VERSION_1["hyperparameters"]))
    assert Hyperparameters.from_dict(read_sections(description)) == found


def columns_network(images, hyperparameters, num_classes, steps):
    """An architecture of a user's own: logits of each column of pixels."""
    columns = mx.sym.transpose(mx.sym.cast(images, dtype="float32") / 255, axes=(2, 0, 1))
    logits = mx.sym.FullyConnected(columns, num_hidden=num_classes, flatten=False, name="columns")
    if steps is not None:
        logits = mx.sym.SequenceMask(logits, steps, use_sequence_length=True)
    return mx.sym.identity(logits, name="pred_fc")


def save_columns_model(prefix, keep_ratio=True, with_steps=True, graph="fused"):
    settings = Hyperparameters(
        data=Data(alphabet="abc", width=20, height=6, min_length=1, max_length=1, keep_ratio=keep_ratio),
        network=Network(architecture="columns", lstm_graph=graph),
    )
    steps = mx.sym.Variable("steps") if with_steps else None
    symbol = symbols.logits(mx.sym.Variable("data"), settings, 4, steps)
    rng = np.random.default_rng(0)
    parameters = {"columns_weight": rng.normal(size=(4, 6)), "columns_bias": rng.normal(size=4)}
    parameters = {name: value.astype(np.float32) for name, value in parameters.items()}
    model_files.save(prefix, 1, symbol, to_mx(parameters), {}, Model(settings, Alphabet(tuple("abc"))))
    return parameters


def register(monkeypatch, needs_steps):
    architecture = Architecture(columns_network, lambda network: 1, needs_steps)
    monkeypatch.setitem(ARCHITECTURES._parts, "columns", architecture)


@pytest.mark.parametrize("needs_steps", [True, False])
@pytest.mark.parametrize("keep_ratio", [True, False])
def test_an_architecture_of_the_users_own(tmp_path, monkeypatch, needs_steps, keep_ratio):
    """`unrolled` has a meaning for the architecture lstm only."""
    register(monkeypatch, needs_steps)
    with_steps = needs_steps and keep_ratio
    parameters = save_columns_model(tmp_path / "m", keep_ratio, with_steps, "fused" if keep_ratio else "unrolled")
    predictor = Predictor(tmp_path / "m")
    assert network_of(predictor)._graph.takes_steps == with_steps
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, (6, width), dtype=np.uint8) for width in ((20, 3, 7) if keep_ratio else (20, 20))]
    for image, prediction in zip(images, predictor.predict(images), strict=True):
        logits = image.T / 255 @ parameters["columns_weight"].T + parameters["columns_bias"]
        assert [prediction.codes] == greedy(logits[:, None])
    # Another stored symbol changes nothing: the registered function builds the network.
    save_columns_model(tmp_path / "m", keep_ratio, not with_steps, "fused" if keep_ratio else "unrolled")
    again = Predictor(tmp_path / "m")
    assert network_of(again)._graph.takes_steps == with_steps
    assert again.predict(images) == predictor.predict(images)


def test_an_architecture_that_is_not_registered(tmp_path, monkeypatch):
    register(monkeypatch, needs_steps=True)
    save_columns_model(tmp_path / "m")
    with_unknown_architecture(tmp_path / "m")
    with pytest.raises(InputError, match="no architecture 'unheard_of'.*--import") as raised:
        Predictor(tmp_path / "m")
    assert raised.value.where == str(tmp_path / "m.json")


def test_paths_of_runs_with_calibrations_and_without_descriptions(tmp_path):
    save_example_model(str(tmp_path / "old"), "ctc", width=16, height=10, hidden=8)
    save_calibrations(tmp_path / "old", {1: chosen(Calibration(0.5, 0.0))})
    predictor = Predictor(tmp_path / "old-0001.params")
    assert predictor.calibration == Calibration(0.5, 0.0)
    with pytest.raises(InputError, match="the best one is not known"):
        Predictor(tmp_path / "old", "best")
