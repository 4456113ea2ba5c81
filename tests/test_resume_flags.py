"""What flags and --config say beside --resume, and what of it a run accepts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import ctc_ocr
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.cli.train import parser, session_of
from ctc_ocr.config.hyperparameters import Hyperparameters


@pytest.fixture
def settings(tmp_path: Path) -> Hyperparameters:
    """Those of the run `ocr`, with choices of its own: the preset has others."""
    chosen = ctc_ocr.preset("word", data={"views": 5, "height": 48}, training={"workers": 1, "samples_per_epoch": 640})
    (tmp_path / "ocr.json").write_text(Model(chosen, Alphabet(("a", "b"))).to_json())
    return chosen


def resumed(folder: Path, *flags: str) -> Hyperparameters:
    given = ["--data", "photos", "--resume", "--prefix", str(folder / "ocr"), *flags]
    return session_of(parser().parse_args(given)).hyperparameters


def test_a_config_changes_only_what_it_names(tmp_path: Path, settings: Hyperparameters) -> None:
    (tmp_path / "part.json").write_text(json.dumps({"training": {"num_epoch": 7}, "augmentation": {"max_blur": 1.5}}))
    config = f"--config={tmp_path / 'part.json'}"
    expected = replace(
        settings,
        training=replace(settings.training, num_epoch=7),
        augmentation=replace(settings.augmentation, max_blur=1.5),
    )
    assert resumed(tmp_path) == settings
    assert resumed(tmp_path, config) == resumed(tmp_path, config, "--preset=word") == expected
    more = replace(expected, training=replace(expected.training, num_epoch=9))
    assert resumed(tmp_path, config, "--num_epoch=9") == more


def test_a_task_of_another_network_has_no_effect(
    tmp_path: Path, settings: Hyperparameters, caplog: pytest.LogCaptureFixture
) -> None:
    assert resumed(tmp_path, "--task=single_kana") == settings
    assert "--task single_kana has no effect: a run that is resumed keeps its own network" in caplog.text
