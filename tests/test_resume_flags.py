"""What flags and --config say beside --resume, and what of it a run accepts."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import ctc_ocr
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.cli.train import parser, session_of
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.training.resume import ResumePoint, check_fraction, check_resumable, newest
from ctc_ocr.training.run_state import RunState
from tests.test_known_images import captchas
from tests.test_known_images import settings as small


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


def test_the_fraction_of_a_run(caplog: pytest.LogCaptureFixture) -> None:
    def begun_with(fraction: float | None) -> ResumePoint:
        return cast(ResumePoint, SimpleNamespace(prefix="ocr", state=RunState(10, validation_fraction=fraction)))

    for of_run, given in ((0.2, 0.2), (0.2, None), (0.2, 0.0), (0.0, None), (None, None)):
        check_fraction(begun_with(of_run), given)
    assert caplog.text == ""
    for of_run in (0.2, 0.0):
        with pytest.raises(ctc_ocr.InputError, match="^ocr: cannot resume: the run was not begun with validation_fr"):
            check_fraction(begun_with(of_run), 0.5)
    check_fraction(begun_with(None), 0.5)
    assert "validation_fraction 0.5 has no effect: a run that is resumed keeps its split" in caplog.text


@pytest.mark.parametrize(
    ("name", "value", "fingerprint"),
    [("batch_size", 64, "of labelled images"), ("batch_size", 64, ""), ("seed", 1, "")],
)
def test_what_says_which_images_follow_cannot_change(name: str, value: int, fingerprint: str) -> None:
    settings, alphabet = ctc_ocr.preset("word"), Alphabet(("a", "b"))
    state = RunState(100, fingerprint=fingerprint)
    point = cast(ResumePoint, SimpleNamespace(prefix="ocr", model=Model(settings, alphabet), state=state))
    changed = ctc_ocr.preset("word", training={"learning_rate": 0.5, name: value})
    old = getattr(settings.training, name)
    with pytest.raises(ctc_ocr.InputError, match=f"^ocr: cannot resume: the run has {name}={old}, and {value} was giv"):
        check_resumable(point, Model(changed, alphabet), 100, state.fingerprint)
    other_rate = ctc_ocr.preset("word", training={"learning_rate": 0.5})
    check_resumable(point, Model(other_rate, alphabet), 100, state.fingerprint)


def test_the_graph_of_the_lstm_cannot_change() -> None:
    """A state within an epoch has all weights in one vector, in the order in which the graph has them."""
    fused, unrolled = (ctc_ocr.preset("lstm", network={"lstm_graph": graph}) for graph in ("fused", "unrolled"))
    alphabet = Alphabet(("a", "b"))
    point = cast(ResumePoint, SimpleNamespace(prefix="ocr", model=Model(fused, alphabet), state=RunState(100)))
    reason = "^ocr: cannot resume: the run has lstm_graph=fused, and unrolled was given; "
    with pytest.raises(ctc_ocr.InputError, match=reason):
        check_resumable(point, Model(unrolled, alphabet), 100, "")


@pytest.mark.slow
def test_a_resumed_run_keeps_its_fraction(tmp_path: Path) -> None:
    photos = captchas(tmp_path / "photos", 20, 1)

    def train(num_epoch: int, fraction: float | None, **options: Any) -> None:
        data = ctc_ocr.LabelledImages(photos, validation_fraction=fraction)
        ctc_ocr.train(small(num_epoch=num_epoch), data, tmp_path / "ocr", num_proc=1, **options)

    train(1, 0.3, init_from="none")
    train(2, None, resume=True)
    assert newest(str(tmp_path / "ocr")).state.validation_fraction == 0.3
    train(3, 0.3, resume=True)
    with pytest.raises(ctc_ocr.InputError, match="was not begun with validation_fraction 0.4"):
        train(4, 0.4, resume=True)
