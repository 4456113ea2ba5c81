"""A thousand images, read without MXNet: on Python 3.13 with NumPy 2, and in JavaScript."""

import csv
from pathlib import Path

import pytest

import ctc_ocr
from ctc_ocr.checkpoint.starter import starter_onnx_path
from tests.test_base_install import Install, install
from tests.test_reader_js import reader as reader_fixture
from tests.test_reader_js import texts

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]
reader = reader_fixture
COUNT = 1000


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("images") / "captchas"
    settings = ctc_ocr.Data(alphabet="23456789abdefhkmnprtwxyABDEFGHKLMNPRTXY", min_length=3, max_length=6)
    ctc_ocr.CaptchaWriter.create(settings, seed=3).write_folder(folder, COUNT)
    return sorted(folder.glob("*.png"))


@pytest.fixture(scope="module")
def expected(images: list[Path]) -> list[str]:
    """By MXNet."""
    found = [each.text for each in ctc_ocr.Predictor("starter").predict(images, confidence=False)]
    assert len(set(found)) > 0.9 * COUNT
    return found


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Install:
    return install("3.13", tmp_path_factory.mktemp("elsewhere"), "onnx")


def test_a_python_without_mxnet_reads_the_same(elsewhere: Install, images: list[Path], expected: list[str]) -> None:
    assert "not installed (extra [cpu])" in elsewhere.run("ctc-ocr", "info").stdout
    assert elsewhere.output("python", "-c", "import numpy; print(numpy.__version__)").startswith("2.")
    done = elsewhere.run("ctc-ocr", "infer", str(images[0].parent), "--out", "found.csv")
    assert done.returncode == 0, done.stderr
    with (elsewhere.folder / "found.csv").open(newline="", encoding="utf-8") as file:
        assert [row["text"] for row in csv.DictReader(file)] == expected


def test_javascript_reads_the_same(reader: Path, images: list[Path]) -> None:
    """But for the lengths that are expected and for several views, which this reader leaves out."""
    greedy = ctc_ocr.Predictor(starter_onnx_path())
    greedy.decoder = ctc_ocr.Decoder().bind(greedy.alphabet)
    found = texts(reader, starter_onnx_path(), images)
    assert found == [each.text for each in greedy.predict(images, confidence=False)]
    one_view = ctc_ocr.Predictor(starter_onnx_path(), decoder=ctc_ocr.Decoder(views=1))
    usual = [each.text for each in one_view.predict(images, confidence=False)]
    assert sum(one == other for one, other in zip(found, usual, strict=True)) > 0.99 * COUNT
