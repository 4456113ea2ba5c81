"""The starter model: it reads after installation, and labelled images start from it where it fits."""

import csv
import importlib.util
import logging
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr.checkpoint.starter import starter_onnx_path, starter_path
from ctc_ocr.cli.bundle import main as bundle
from ctc_ocr.cli.evaluate import main as evaluate
from ctc_ocr.cli.infer import main as infer
from ctc_ocr.config.architectures import register_architecture
from ctc_ocr.config.presets import preset
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.config.taller_images import for_height
from ctc_ocr.onnx_models.file import OnnxModel
from ctc_ocr.training.data import training_data
from ctc_ocr.training.settings import LabelledImages
from ctc_ocr.training.start import starter_fits, why_not_starter
from starter.train import main as make_starter

MAX_BYTES = 4 * 2**20
SHORT = {"num_epoch": 1, "samples_per_epoch": 16, "batch_size": 8}


@pytest.fixture(scope="module")
def captchas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 captchas of the captcha package, with their labels."""
    folder = tmp_path_factory.mktemp("captchas") / "all"
    ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(), seed=1).write_folder(folder, 20)
    return folder


def test_it_is_small_and_knows_letters_and_digits() -> None:
    assert starter_path().stat().st_size <= MAX_BYTES
    predictor = ctc_ocr.Predictor("starter")
    assert len(predictor.alphabet.units) == 62
    network = preset("word").network
    assert predictor.hyperparameters.network.features == network.features  # so that `word` starts from it


def test_it_reads_most_characters_of_captchas_that_it_has_not_seen(captchas: Path) -> None:
    evaluation = ctc_ocr.evaluate("starter", captchas)
    assert evaluation.cer is not None
    assert evaluation.cer < 0.5


def test_infer_reads_with_it_where_there_is_no_other_model(
    captchas: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert infer([str(captchas)]) == 0
    printed = capsys.readouterr()
    assert "no model 'ocr' here: reading with the starter model" in printed.err
    assert len(printed.out.splitlines()) == 20
    assert infer(["--model", "starter", str(captchas)]) == 0
    named = capsys.readouterr()
    assert (named.out, "starter" in named.err) == (printed.out, False)
    assert evaluate([str(captchas)]) == 0
    assert "reading with the starter model" in capsys.readouterr().err
    assert bundle(["out.zip"]) == 2  # a model of the user's own is meant
    assert "--model: ocr: no model under this prefix" in capsys.readouterr().err


def test_labelled_images_start_from_it(captchas: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="ctc_ocr")
    ctc_ocr.train(preset("word", training=SHORT), captchas, tmp_path / "a", num_proc=1)
    assert "Starting from the starter model; --init_from none starts from nothing" in caplog.text
    assert "of pred_fc the blank and 10 of 10 units" in caplog.text or "new: nothing" in caplog.text
    caplog.clear()
    ctc_ocr.train(preset("word", training=SHORT), captchas, tmp_path / "b", num_proc=1, init_from="none")
    ctc_ocr.train(preset("word", training=SHORT), captchas, tmp_path / "a", num_proc=1, resume=True)
    assert "Starting from" not in caplog.text.replace("Starting MXNet", "")


def test_where_it_does_not_fit_training_starts_from_nothing(
    captchas: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="ctc_ocr")
    with (captchas / "labels.csv").open(encoding="utf-8") as file:
        rows = [(str(captchas / row["image"]), "деятель"[: len(row["label"])]) for row in csv.DictReader(file)]
    (tmp_path / "labels.csv").write_text("".join(f"{path},{label}\n" for path, label in rows), encoding="utf-8")
    ctc_ocr.train(preset("word", training=SHORT), tmp_path / "labels.csv", tmp_path / "a", num_proc=1)
    units = re.search(r"Starting from nothing: the starter model knows 0 of the (\d+) units in the labels", caplog.text)
    assert units is not None
    assert int(units[1]) > 0


@pytest.mark.parametrize(
    ("changes", "labels", "fits"),
    [
        ({}, "0123", True),
        ({}, "abcXYZ", True),
        ({}, "12-34", True),  # four of five are known
        ({}, "1-2-3--", False),
        ({}, "46 - 5 = ?", True),  # of what is not a space, three of six are known
        ({}, "4 - + = ?", False),
        ({}, "деятель", False),
        ({"network": {"dropout": 0.5}}, "0123", True),
        ({"network": {"num_hidden": 97}}, "0123", False),
        ({"data": {"height": 48}}, "0123", False),
        ({"data": {"height": 48}, "network": {"pool_heights": (2, 2, 1, 2, 3)}}, "0123", True),
        ({"data": {"height": 48}, "network": {"pool_heights": (2, 3, 1, 2, 2)}}, "0123", False),
        ({"data": {"height": 32}}, "0123", False),
        ({"data": {"channels": 3}}, "0123", False),
        ({"data": {"width": 300, "ink": "light"}}, "0123", True),
    ],
)
def test_what_it_fits(changes: dict[str, dict[str, object]], labels: str, fits: bool) -> None:
    assert starter_fits(preset("word", changes), Counter(labels)) == fits


@pytest.mark.parametrize(
    ("changes", "labels", "reason"),
    [
        ({}, "0123", ""),
        ({}, "1-2-3--", "knows 3 of the 7 units in the labels, less than half"),
        ({"network": {"num_hidden": 97, "dropout": 0.5}}, "0", "has another num_hidden"),
        ({"network": {"num_layers": 2}, "data": {"channels": 3}}, "0", "has another num_layers, channels"),
        ({"network": {"architecture": "cnn", "num_hidden": 97}, "data": {"keep_ratio": False}}, "0",
         "has another architecture"),
        ({"data": {"height": 48}}, "0", "has another number of rows after the convolutions"),
        ({"data": {"height": 36}, "network": {"pool_heights": (2, 2, 1, 2, 1)}}, "0", "has another number of rows"),
        ({"data": {"height": 36}}, "0", "reads images of a height of 40 or more, and these have 36"),
    ],
)  # fmt: skip
def test_why_it_does_not_fit(changes: dict[str, dict[str, object]], labels: str, reason: str) -> None:
    found = why_not_starter(preset("word", changes), Counter(labels))
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


def test_all_labels_decide_once_whether_it_is_a_start(captchas: Path, tmp_path: Path) -> None:
    """Those of validation too: by them, the alphabet gets the characters that are missing."""
    rows = [f"{path},деятель" for path in sorted(captchas.glob("*.png"))[:4]]
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    settings = preset("word")
    for validation, reason in ((captchas, ""), (tmp_path / "labels.csv", "knows 0 of the 56 units in the labels")):
        data = LabelledImages(tmp_path / "labels.csv", validation=validation, choose=())
        found = training_data(settings, data, progress=False, from_starter=True).why_not_starter
        assert found is not None
        assert found.startswith(reason)
        assert bool(found) == bool(reason)


def test_it_is_no_start_for_a_network_whose_lists_mean_something_else() -> None:
    add = register_architecture("free_lists", columns_per_step=2, needs_steps=False)
    add(lambda images, hyperparameters, num_classes, steps: images)
    try:
        settings = preset("word", network={"architecture": "free_lists", "strides": (1, 1)})
        assert why_not_starter(settings, Counter("0123")) == "has another architecture"
    finally:
        ARCHITECTURES._parts.pop("free_lists")


def test_all_of_it_fits_taller_images(captchas: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="ctc_ocr")
    for height in range(40, 97, 8):
        taller = for_height(preset("word"), height)
        assert (taller.data.height, taller.geometry.num_rows) == (height, preset("word").geometry.num_rows)
    session = ctc_ocr.TrainingSession(
        for_height(preset("word", training=SHORT), 64), captchas, ctc_ocr.RunOptions(str(tmp_path / "a"), num_proc=1)
    )
    session.run()
    assert "copied: conv0, conv1, conv2, conv3, conv4, l0_forward, l0_backward" in caplog.text
    assert "were trained with" not in caplog.text
    assert ctc_ocr.Predictor(tmp_path / "a").hyperparameters.data.height == 64


@pytest.mark.long
def test_how_it_is_made(fonts_folder: Path, tmp_path: Path) -> None:
    """A few updates of the documented command, which goes on where it was."""
    arguments = [str(fonts_folder), "--prefix", str(tmp_path / "runs" / "starter"), "--quick"]
    assert make_starter([*arguments, "--out", str(tmp_path / "starter.zip")]) == 0
    made = ctc_ocr.Predictor(tmp_path / "starter.zip")
    shipped = ctc_ocr.Predictor("starter")
    assert made.alphabet == shipped.alphabet
    assert made.hyperparameters.network == shipped.hyperparameters.network
    assert made.hyperparameters.data == shipped.hyperparameters.data
    assert made.hyperparameters.training.seed == shipped.hyperparameters.training.seed
    (tmp_path / "starter.zip").unlink()
    assert make_starter([*arguments, "--out", str(tmp_path / "starter.zip")]) == 0  # nothing is left to train
    with pytest.raises(SystemExit):
        make_starter([str(tmp_path), "--prefix", str(tmp_path / "other")])  # no fonts there


def test_the_starter_is_there_as_onnx_too(tmp_path: Path) -> None:
    """What an export writes today."""
    ctc_ocr.export_onnx("starter", tmp_path / "starter.onnx")
    made, shipped = (OnnxModel.read(path) for path in (tmp_path / "starter.onnx", starter_onnx_path()))
    assert made.description == shipped.description
    for name, weight in shipped.weights.items():
        made_weight = made.weights[name]
        assert isinstance(weight, np.ndarray)
        assert isinstance(made_weight, np.ndarray)
        np.testing.assert_allclose(made_weight, weight, rtol=1e-6)
    assert starter_onnx_path().stat().st_size < 4 * 2**20


def test_without_mxnet_the_starter_is_read_as_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Path(__file__).parent.parent / "docs" / "sample.png"
    expected = ctc_ocr.Predictor("starter").read(image)
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "mxnet" else find(name))
    predictor = ctc_ocr.Predictor("starter")
    assert predictor.prefix.endswith("starter.onnx")
    assert predictor.read(image).text == expected.text
