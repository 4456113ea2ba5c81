"""Training with images that have no labels."""

import csv
import shutil
from pathlib import Path

import pytest

import ctc_ocr
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.experiments import self_training
from ctc_ocr.experiments.self_training import UNCHECKED, Reading, least_confidence, train_with_unlabelled

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
    settings = ctc_ocr.preset("word", training=SHORT)
    options = ctc_ocr.RunOptions(prefix=str(tmp_path / "ocr"), num_proc=1)
    result = train_with_unlabelled(captchas / "labelled", unlabelled, settings, options, rounds=1)
    assert result.finished
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


def test_bad_arguments(captchas: Path, tmp_path: Path) -> None:
    options = ctc_ocr.RunOptions(prefix=str(tmp_path / "ocr"))
    with pytest.raises(ctc_ocr.InputError, match="no image files in this folder"):
        train_with_unlabelled(captchas / "labelled", tmp_path, options=options)
    with pytest.raises(ctc_ocr.InputError, match="rounds: expected 1 or more"):
        train_with_unlabelled(captchas / "labelled", captchas / "unlabelled", options=options, rounds=0)
    with pytest.raises(ctc_ocr.InputError, match="unlabelled: cannot be continued by resume"):
        train_with_unlabelled(captchas / "labelled", captchas / "unlabelled", options=ctc_ocr.RunOptions(resume=True))
