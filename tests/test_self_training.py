"""Training with images that have no labels."""

import csv
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import ctc_ocr
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.experiments import self_training
from ctc_ocr.experiments.self_training import UNCHECKED, Reading, least_confidence, train_with_unlabelled

ROOT = Path(__file__).resolve().parent.parent
SHORT = {"num_epoch": 1, "samples_per_epoch": 64, "batch_size": 16, "warmup_updates": 0, "learning_rate": 1e-4}


def test_the_least_confidence_keeps_the_precision_of_validation() -> None:
    readings = [Reading("right", 1 - number / 100) for number in range(40)]
    labels = ["right"] * 40
    assert least_confidence(readings, labels) == pytest.approx(0.61)
    for wrong in (20, 21, 22, 23):
        labels[wrong] = "other"
    # 20 of 20 and 20 of 21 are enough; 36 of 40 are not.
    assert least_confidence(readings, labels) == pytest.approx(0.80)
    assert least_confidence(readings, ["other"] * 40) > 1
    assert least_confidence(readings[:9], labels[:9]) == UNCHECKED


def test_equal_confidences_are_enough_together_or_not_at_all() -> None:
    readings = [Reading("right", 1.0)] * 30
    assert least_confidence(readings, ["right"] * 19 + ["other"] * 11) > 1
    assert least_confidence(readings, ["right"] * 29 + ["other"]) == 1.0


@pytest.fixture(scope="module")
def captchas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `labelled` and `unlabelled` of 30 captchas each."""
    folder = tmp_path_factory.mktemp("captchas")
    for name, seed in (("labelled", 1), ("unlabelled", 2)):
        ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(), seed=seed).write_folder(folder / name, 30)
    (folder / "unlabelled" / "labels.csv").unlink()
    return folder


@pytest.mark.slow
def test_sure_readings_are_trained_on_and_validation_stays_apart(
    captchas: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_training, "UNCHECKED", 0.0)  # all images that are not read as empty
    caplog.set_level("INFO", logger="ctc_ocr")
    with (captchas / "labelled" / "labels.csv").open(encoding="utf-8") as file:
        labels = list(csv.DictReader(file))
    unlabelled = tmp_path / "unlabelled"
    shutil.copytree(captchas / "unlabelled", unlabelled)
    for each in labels:  # all of the labelled images are among the unlabelled ones too, those for validation included
        shutil.copy(captchas / "labelled" / each["image"], unlabelled / f"again-{each['image']}")
    # Labels in a form of their own, which is not that of what was read, and a choice that the last training keeps.
    own = tmp_path / "unlabelled" / "own.csv"
    rows = [f"{captchas / 'labelled' / each['image']};{each['label']}" for each in labels]
    own.write_text("\n".join(["file;text", *rows]), encoding="utf-8")
    described = ctc_ocr.SourceOptions(label_column="text", image_column="file", delimiter=";")
    data = ctc_ocr.LabelledImages(own, options=described, choose=("ink",))
    settings = ctc_ocr.preset("word", data={"ink": "light"}, training=SHORT)
    options = ctc_ocr.RunOptions(prefix=str(tmp_path / "ocr"), num_proc=1, init_from="none")
    result = train_with_unlabelled(data, unlabelled, settings, options, rounds=1)
    assert result.finished
    chosen = [message for message in caplog.messages if "chosen from the images" in message]
    assert len(chosen) == 1
    assert ctc_ocr.Predictor(tmp_path / "ocr").hyperparameters.data.ink == "dark"
    assert not [message for message in caplog.messages if "round0" in message]
    assert "Training 2 of 2" in caplog.text
    assert "Unlabelled images read with a confidence of 0.00 or more" in caplog.text
    known = ctc_ocr.Predictor(tmp_path / "ocr").known_images()
    assert known is not None
    parts = [known.part(each.digest) for each in check_source(captchas / "labelled").samples]
    held_out = parts.count("validation")
    assert 0 < held_out < 30
    assert parts.count("training") == 30 - held_out
    # No image is in the last training twice: once with its label, and once with what was read in it.
    numbers = [int(each.split()[0]) for each in caplog.messages if "images for training" in each]
    unlabelled_alone = len(list((captchas / "unlabelled").glob("*.png")))
    assert numbers[0] == 30 - held_out < numbers[1] <= 30 - held_out + unlabelled_alone
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("ocr")) == ["unlabelled"]


@pytest.mark.slow
def test_images_that_are_only_trained_on_stay_and_longer_readings_than_labels_take_no_part(
    captchas: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_training, "UNCHECKED", 0.0)
    caplog.set_level("INFO", logger="ctc_ocr")
    ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(alphabet="QX"), seed=3).write_folder(tmp_path / "only", 4)
    data = ctc_ocr.LabelledImages(captchas / "labelled", max_units=4, training_only=tmp_path / "only")
    settings = ctc_ocr.preset("word", training=SHORT)
    options = ctc_ocr.RunOptions(prefix=str(tmp_path / "ocr"), num_proc=1)
    ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(min_length=4, max_length=7), seed=4).write_folder(tmp_path / "more", 20)
    train_with_unlabelled(data, tmp_path / "more", settings, options, rounds=1)
    assert {"Q", "X"} <= set(ctc_ocr.Predictor(tmp_path / "ocr").alphabet.units)
    first, second = (int(each.split()[0]) for each in caplog.messages if "images for training" in each)
    assert first < second < first + 20
    assert not [each for each in caplog.messages if each.startswith("Invalid")]


def test_a_run_that_is_there_is_refused_before_the_first_training(
    captchas: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="ctc_ocr")
    (tmp_path / "ocr-0001.params").write_bytes(b"")
    options = ctc_ocr.RunOptions(prefix=str(tmp_path / "ocr"))
    with pytest.raises(ctc_ocr.InputError, match="there is a run under the prefix"):
        train_with_unlabelled(captchas / "labelled", captchas / "unlabelled", options=options)
    assert "Training 1" not in caplog.text
    assert [each.name for each in tmp_path.iterdir()] == ["ocr-0001.params"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_an_earlier_training_says_that_nothing_is_kept(
    captchas: Path, tmp_path: Path, number: signal.Signals
) -> None:
    flags = ["--init_from=none", "--preset=word", "--num_epoch=100000", "--samples_per_epoch=32", "--num_proc=1"]
    sources = ["--data", str(captchas / "labelled"), "--unlabelled", str(captchas / "unlabelled")]
    process = subprocess.Popen(
        [sys.executable, "-m", "ctc_ocr", "train", *sources, "--prefix=models/ocr", "--workers=1", *flags],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stderr is not None
    assert any("Epoch 1: " in line for line in process.stderr)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number, said
    assert "nothing is kept" in said
    assert "The run is saved" not in said
    assert "ctc-ocr infer" not in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_bad_arguments(captchas: Path, tmp_path: Path) -> None:
    options = ctc_ocr.RunOptions(prefix=str(tmp_path / "ocr"))
    with pytest.raises(ctc_ocr.InputError, match="no image files in this folder"):
        train_with_unlabelled(captchas / "labelled", tmp_path, options=options)
    with pytest.raises(ctc_ocr.InputError, match=r"labels.csv: not an image"):
        train_with_unlabelled(captchas / "labelled", captchas / "labelled" / "labels.csv", options=options)
    with pytest.raises(ctc_ocr.InputError, match="rounds: expected 1 or more"):
        train_with_unlabelled(captchas / "labelled", captchas / "unlabelled", options=options, rounds=0)
    with pytest.raises(ctc_ocr.InputError, match="unlabelled: cannot be continued by resume"):
        train_with_unlabelled(captchas / "labelled", captchas / "unlabelled", options=ctc_ocr.RunOptions(resume=True))
