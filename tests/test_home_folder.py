"""Paths that begin with ~ where no shell has replaced it."""

from collections.abc import Callable
from pathlib import Path

import pytest

import ctc_ocr
from ctc_ocr.cli.main import main
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.home_folder import refuse_tilde
from ctc_ocr.training.prefix import usable_prefix

IMAGE = Path(__file__).parents[1] / "docs" / "sample.png"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(here)
    return folder


def use_prefix(prefix: str) -> None:
    with usable_prefix(prefix):
        raise AssertionError


WRITTEN: dict[str, Callable[[str], object]] = {
    "~/models/x": use_prefix,
    "~/x.zip": lambda path: ctc_ocr.bundle_model("starter", path),
    "~/captchas": lambda path: ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(), 1).write_folder(path, 2),
}
READ: dict[str, Callable[[str], object]] = {
    "~/photos": ctc_ocr.open_source,
    "~/photos/a.png": lambda path: ctc_ocr.Predictor("starter").read(path),
    "~/model": ctc_ocr.Predictor,
    "~/model.onnx": ctc_ocr.Predictor,
    "~/fonts": lambda path: ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(), 1, path),
}


@pytest.mark.parametrize(("path", "use"), [*WRITTEN.items(), *READ.items()])
def test_no_folder_is_made_or_looked_for_that_is_called_tilde(
    home: Path, path: str, use: Callable[[str], object]
) -> None:
    with pytest.raises(InputError) as error:
        use(path)
    expected = home / path.removeprefix("~/")
    assert error.value.where == path
    assert error.value.reason == (
        f"~ is the home folder in a shell only, at the beginning of a word; expected {expected}"
    )
    assert not list(Path.cwd().iterdir())


def test_a_flag_with_an_equals_sign_is_no_beginning_of_a_word(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["infer", str(IMAGE), "--out=~/read.csv"]) == 2
    said = capsys.readouterr().err
    assert "~/read.csv: ~ is the home folder in a shell only" in said
    assert f"expected {home}/read.csv" in said
    assert not list(Path.cwd().iterdir())


def test_what_is_called_so_is_taken(home: Path) -> None:
    Path("~").mkdir()
    refuse_tilde("~/x.csv")
    for name in ("~draft.png", "a/~/x", "x~", "./~/x"):
        refuse_tilde(name)
