"""The benchmark of serving runs, with tiny sizes."""

import re
from pathlib import Path

import pytest

import ctc_ocr
from benchmarks.serving import __main__ as benchmark
from tests.servers import STARTER


@pytest.fixture
def images(tmp_path: Path) -> str:
    ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(), seed=0).write_folder(tmp_path / "images", 4)
    return f"--images={tmp_path / 'images'}"


@pytest.mark.slow
def test_rates_and_parts(images: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "CONNECTIONS", (1, 4))
    assert benchmark.main([str(STARTER), images, "--requests=8", "--rounds=1"]) == 0
    said = capsys.readouterr().out
    for connections in (1, 4):
        assert f"starter, {connections} connections: requests" in said
        assert f"starter, {connections} connections: percentile 99" in said
        (line,) = re.findall(rf"^\| {connections} \|.*$", said, re.MULTILINE)
        parts = [float(cell) for cell in line.strip("| ").split(" | ")[1:]]
        assert parts[0] == pytest.approx(sum(parts[1:6]), abs=0.05)
        assert all(each > 0 for each in parts[:5])


@pytest.mark.slow
def test_answers_are_checked(images: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark.main([str(STARTER), images, "--checked=60"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("starter: 60 of 60 requests answered, 0 wrong. With SIGTERM in the middle: ")
    assert said.endswith(" 0 wrong, 0 accepted and not answered, exit status 0.\n")
