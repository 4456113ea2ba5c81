"""What a run is given when only a model to start from is named; and what is told about common mistakes."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr.alphabet import BLANK
from ctc_ocr.checkpoint.params_file import params_content, read_params
from ctc_ocr.cli.bundle import main as bundle
from ctc_ocr.cli.evaluate import main as evaluate
from ctc_ocr.cli.infer import main as infer
from ctc_ocr.cli.train import main as train
from ctc_ocr.training import job
from ctc_ocr.training.start import network_of

SMALL = ["--num_epoch=1", "--batch_size=8", "--cpu=1", "--num_proc=1"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prefix of a small network that was trained on captchas."""
    prefix = tmp_path_factory.mktemp("model") / "captchas"
    settings = ctc_ocr.preset(
        "lstm", data={"width": 40, "height": 20}, network={"num_layers": 1, "num_hidden": 8},
        training={"num_epoch": 1, "samples_per_epoch": 16, "batch_size": 8, "validation_samples": 8},
    )  # fmt: skip
    ctc_ocr.train(settings, prefix=prefix, num_proc=1)
    return prefix


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos") / "all"
    ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(), seed=1).write_folder(folder, 20)
    return folder


def test_the_network_is_that_of_the_model(model: Path, photos: Path, tmp_path: Path) -> None:
    assert network_of(model)["network"]["num_hidden"] == 8
    assert train([f"--data={photos}", f"--init_from={model}", f"--prefix={tmp_path / 'command'}", *SMALL]) == 0
    ctc_ocr.bundle_model(model, tmp_path / "model.zip")
    session = ctc_ocr.TrainingSession(None, photos, ctc_ocr.RunOptions(init_from=tmp_path / "model.zip"))
    for settings in (session.hyperparameters, ctc_ocr.Predictor(tmp_path / "command").hyperparameters):
        assert (settings.data.width, settings.data.height, settings.data.keep_ratio) == (40, 20, False)
        assert (settings.network.architecture, settings.network.num_hidden) == ("lstm", 8)
        assert settings.training.samples_per_epoch == 0  # as the preset for labelled images has it


def test_a_preset_or_flags_name_another_network(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [f"--data={photos}", f"--init_from={model}", f"--prefix={tmp_path / 'x'}", *SMALL]
    assert train([*flags, "--preset=word"]) == 2
    assert "no layer fits" in capsys.readouterr().err
    assert train([*flags, "--num_hidden=16"]) == 2
    assert "no layer fits" in capsys.readouterr().err
    assert train([*flags[:1], "--init_from=nothing", *SMALL]) == 2
    assert "--init_from: nothing: no model under this prefix" in capsys.readouterr().err


def test_a_run_does_not_start_from_the_run_that_it_replaces(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in model.parent.glob(f"{model.name}*") if path.is_file()}
    newest = max(name for name in before if name.endswith(".params"))
    for start in (model, model.parent / newest):
        assert train([f"--data={photos}", f"--init_from={start}", f"--prefix={model}", "--overwrite", *SMALL]) == 2
        complaint = f"--init_from: {start}: is of the run that --overwrite replaces: use another --prefix"
        assert complaint in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in model.parent.glob(f"{model.name}*") if path.is_file()} == before


def test_labels_that_need_more_steps_name_the_preset_for_lines(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="ctc_ocr")
    settings = ctc_ocr.preset("word", data={"width": 12, "height": 40})
    with pytest.raises(ctc_ocr.RunError, match=r"of its samples are invalid|is valid"):
        ctc_ocr.train(settings, photos, tmp_path / "x", num_proc=1)
    assert "use --preset line for lines of text" in caplog.text


@pytest.mark.parametrize(
    ("value", "said"), [({"num_hidden": 50}, "network={'num_hidden': 50}"), ({"x": 1}, "x: expec")]
)
def test_a_value_outside_its_section(value: dict[str, int], said: str) -> None:
    with pytest.raises(ctc_ocr.InputError) as caught:
        ctc_ocr.preset("lstm", **value)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_a_font_is_no_source(ubuntu_font: str) -> None:
    with pytest.raises(ctc_ocr.InputError, match="a font; accepted: labelled images"):
        ctc_ocr.open_source(ubuntu_font)


def test_infer_says_what_it_was_given_in_place_of_images(
    model: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert infer([str(model), str(photos)]) == 2
    assert f"{model}: a model; expected images, and --model {model}" in capsys.readouterr().err
    assert infer(["--model", str(model), str(photos / "labels.csv")]) == 2
    assert f"--csv {photos / 'labels.csv'} reads the images" in capsys.readouterr().err


def test_many_empty_texts_are_told(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a model that outputs nothing but blanks."""
    for path in model.parent.glob("captchas*"):
        shutil.copy(path, tmp_path)
    params = tmp_path / "captchas-0001.params"
    arrays = read_params(params)
    arrays["arg:pred_fc_bias"] = np.where(np.arange(11) == BLANK, 100, 0).astype(np.float32)
    params.write_bytes(params_content(arrays))
    assert infer(["--model", str(tmp_path / "captchas"), str(photos)]) == 0
    printed = capsys.readouterr()
    assert "20 of 20 texts are empty; see docs/guide/troubleshooting.md" in printed.err


def test_a_model_in_place_of_images_or_of_a_file_is_told(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate([str(model)]) == 2
    assert f"{model}: a model; expected labelled images, and --model {model}" in capsys.readouterr().err
    assert bundle([str(model)]) == 2
    assert f"{model}: a model; expected OUT.zip, and --model {model}" in capsys.readouterr().err


def test_a_start_whose_last_layer_is_not_that_of_its_alphabet_is_refused(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in model.parent.glob(f"{model.name}*"):
        shutil.copy(path, tmp_path / path.name.replace(model.name, "start"))
    params = tmp_path / "start-0001.params"
    arrays = read_params(params)
    flags = [f"--data={photos}", f"--init_from={tmp_path / 'start'}", f"--prefix={tmp_path / 'x'}", *SMALL]
    change: Any
    for change in (lambda each: each[:-1], None):
        for name in [name for name in arrays if "pred_fc" in name]:
            kept = arrays.pop(name)
            if change is not None:
                arrays[name] = change(kept)
        params.write_bytes(params_content(arrays))
        assert train(flags) == 2
        error = capsys.readouterr().err
        assert "does not have the 11 classes of the model's alphabet" in error


@pytest.mark.slow
def test_a_run_goes_on_without_a_start_that_is_another_now(
    model: Path, photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its averages would be with other weights than it started from."""
    for path in model.parent.glob(f"{model.name}*"):
        shutil.copy(path, tmp_path / path.name.replace(model.name, "start"))
    options: Any = {"prefix": tmp_path / "x", "num_proc": 1, "progress": False}
    ctc_ocr.train(_epochs(1, tmp_path / "start"), str(photos), init_from=tmp_path / "start", **options)
    caplog.set_level(logging.INFO, logger="ctc_ocr")
    ctc_ocr.train(_epochs(2, tmp_path / "start"), str(photos), resume=True, **options)
    assert "cannot be used any more" not in caplog.text
    params = tmp_path / "start-0001.params"
    params.write_bytes(params_content({name: 2 * array for name, array in read_params(params).items()}))
    ctc_ocr.train(_epochs(3, tmp_path / "start"), str(photos), resume=True, **options)
    told = [each for each in caplog.messages if "cannot be used any more" in each]
    assert len(told) == 1
    assert told[0].endswith("start-0001.params: it has other weights than when the run began")


def _epochs(count: int, model: Path) -> ctc_ocr.Hyperparameters:
    sections = network_of(model)
    few = {"num_epoch": count, "batch_size": 8, "samples_per_epoch": 16}
    return ctc_ocr.preset("word", {**sections, "training": few})


def test_a_run_that_its_minutes_have_ended_names_them(
    photos: Path, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = _epochs(1000, model)
    settings = replace(settings, training=replace(settings.training, max_minutes=0.0001))
    options: Any = {"prefix": tmp_path / "x", "num_proc": 1, "progress": False}
    ctc_ocr.train(settings, str(photos), init_from="none", **options)
    caplog.set_level(logging.INFO, logger="ctc_ocr")
    ctc_ocr.train(settings, str(photos), resume=True, **options)
    assert "The run ended after 1 epochs; a larger --max_minutes (it is 0.0001) continues it" in caplog.messages


@pytest.mark.parametrize(
    ("start", "init_from", "started"),
    [(None, None, False), ("a model", None, True), (None, "", False), (None, "../other-0001.params", True)],
)
def test_a_resumed_run_still_knows_that_it_started_from_a_model(
    start: Any, init_from: str | None, started: bool
) -> None:
    """Else "few images without a model to start from" would be the reason why it reads little."""
    point = None if init_from is None else SimpleNamespace(model=SimpleNamespace(init_from=init_from or None))
    assert job._started(start, cast(Any, point)) == started
