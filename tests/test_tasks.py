"""Tasks by name: what they stand for, on the command line and in Python."""

from pathlib import Path
from typing import Any

import pytest

import ctc_ocr
from ctc_ocr.cli.train import main as train
from ctc_ocr.cli.train import parser, set_up
from ctc_ocr.config.presets import PRESETS
from ctc_ocr.config.registries import TASKS


def settings(*flags: str) -> ctc_ocr.Hyperparameters:
    return set_up(parser().parse_args(["--data=x", *flags]))[0]


@pytest.fixture
def own_task() -> Any:
    ctc_ocr.register_task("mine", ctc_ocr.Task("character", changes={"network": {"dense": [9], "dropout": 0.1}}))
    yield "mine"
    TASKS._parts.pop("mine")


def test_each_task_names_a_preset_that_there_is_and_parts_of_pages() -> None:
    for name in ("single_kana", "single_character", "kana_sequence", "line"):
        task = TASKS.get(name)
        assert task.preset in PRESETS
        assert (task.scope, task.charset) in {
            (scope, chars) for scope in ("char", "seq", "line") for chars in ("kana", "all")
        }
        assert settings(f"--task={name}") == task.hyperparameters()


def test_flags_win_over_a_task_and_a_task_over_its_preset(own_task: str) -> None:
    assert settings("--task=mine").network.dense == (9,)
    found = settings("--task=mine", "--dense=7", "--preset=character_baseline")
    assert (found.network.dense, found.network.dropout) == ((7,), 0.1)
    assert found.network.features == PRESETS["character_baseline"]["network"]["features"]


def test_what_a_task_says_of_pages_is_taken_where_no_flag_does(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "book_coordinate.csv").touch()
    arguments = parser().parse_args([f"--data={tmp_path}", "--task=kana_sequence"])
    set_up(arguments)
    assert (arguments.scope, arguments.charset, arguments.seq_length) == ("seq", "kana", (3, 3))
    arguments = parser().parse_args([f"--data={tmp_path}", "--task=kana_sequence"])
    arguments.charset = "hiragana"
    set_up(arguments)
    assert arguments.charset == "hiragana"


def test_other_images_are_what_a_task_would_cut_out_of_pages() -> None:
    arguments = parser().parse_args(["--data=x.csv", "--task=kana_sequence"])
    settings, _ = set_up(arguments)
    assert (arguments.scope, arguments.charset, arguments.seq_length) == (None, None, None)
    assert settings.data.writing == "vertical"


def test_bad_names_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path, own_task: str) -> None:
    with pytest.raises(SystemExit) as exit_of:
        train(["--data", str(tmp_path), "--task", "single_kanas"])
    assert exit_of.value.code == 2
    assert "invalid choice: 'single_kanas'; accepted: single_kana, " in (error := capsys.readouterr().err)
    assert "mine" in error
    assert train(["--task", "single_kana"]) == 2
    assert "--task: has no effect without --data" in capsys.readouterr().err
    with pytest.raises(ctc_ocr.InputError, match="the task 'line' is built in"):
        ctc_ocr.register_task("line", ctc_ocr.Task("line"))
