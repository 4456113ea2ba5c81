"""lstm_ocr_infer as it is run: its lines, its notices, its exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.cli.infer import main
from ctc_ocr.images import invert
from ctc_ocr.prediction import Predictor
from tests.models import save_example_model, save_own_model

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """The command sets the number of threads for its process: not for the tests after it."""
    for name in ("OMP_NUM_THREADS", "MXNET_OMP_MAX_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")


@pytest.fixture
def prefix(tmp_path):
    save_own_model(tmp_path / "model", epoch=1, seed=1)
    save_own_model(tmp_path / "model", epoch=2, seed=2)
    return str(tmp_path / "model")


@pytest.fixture
def folder(tmp_path):
    """70 images of mostly light paper."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(70):
        levels = np.where(rng.random((10, 16)) < 0.3, rng.integers(0, 120, (10, 16)), 240)
        Image.fromarray(levels.astype(np.uint8)).save(folder / f"{index:02}.png")
    return folder


def expected(prefix, folder, epoch=None):
    files = sorted(folder.glob("*.png"))
    readings = Predictor(prefix, epoch).predict([np.array(Image.open(file)) for file in files])
    assert len({reading.text for reading in readings}) > 10
    return [(str(file), reading) for file, reading in zip(files, readings, strict=True)]


def test_one_image_of_digits(prefix, folder, capsys):
    path, reading = expected(prefix, folder)[5]
    assert main(["--prefix", prefix, path]) == 0
    assert capsys.readouterr() == (f"Digits: [{', '.join(reading.text)}]\n", "")


def test_one_image_of_another_alphabet(tmp_path, folder, capsys):
    save_own_model(tmp_path / "letters", alphabet="abcdé")
    path, reading = expected(tmp_path / "letters", folder)[5]
    assert main(["--prefix", str(tmp_path / "letters"), path]) == 0
    assert capsys.readouterr().out == f"Text: {reading.text}\n"


def test_model_of_mxnets_example(tmp_path, folder, capsys):
    save_example_model(str(tmp_path / "old"), "WarpCTC", width=16, height=10, hidden=8)
    path = str(folder / "00.png")
    reading = Predictor(tmp_path / "old").predict([np.array(Image.open(path))])[0]
    assert main(["--prefix", str(tmp_path / "old"), "--epoch", "1", path]) == 0
    assert capsys.readouterr().out == f"Digits: [{', '.join(reading.text)}]\n"


@pytest.mark.parametrize("batch_size", ["1", "7", "32", "100"])
def test_a_folder_is_read_line_by_line_whatever_the_batch_size(prefix, folder, capsys, batch_size):
    assert main(["--prefix", prefix, "--batch_size", batch_size, str(folder)]) == 0
    lines = [f"{path}\t{reading.text}\n" for path, reading in expected(prefix, folder)]
    assert capsys.readouterr() == ("".join(lines), "")


def test_epoch_chooses_the_model(prefix, folder, capsys):
    for argument, epoch in ((["--epoch", "1"], 1), (["--epoch", "2"], 2), ([], 2)):
        assert main(["--prefix", prefix, *argument, str(folder)]) == 0
        lines = [f"{path}\t{reading.text}\n" for path, reading in expected(prefix, folder, epoch)]
        assert capsys.readouterr().out == "".join(lines)


def test_json_lines(prefix, folder, capsys):
    assert main(["--prefix", prefix, "--json", str(folder)]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line, (path, reading) in zip(found, expected(prefix, folder), strict=True):
        assert line == {"image": path, "text": reading.text, "confidence": pytest.approx(reading.confidence, abs=1e-5)}
    assert main(["--prefix", prefix, "--json", found[3]["image"]]) == 0
    assert json.loads(capsys.readouterr().out) == found[3] | {
        "confidence": pytest.approx(found[3]["confidence"], abs=1e-5)
    }


def test_light_ink_is_noticed_and_turned_over(prefix, folder, capsys):
    def lines():
        return [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]

    dark = [reading.text for _, reading in expected(prefix, folder)]
    files = sorted(folder.glob("*.png"))
    for file in files[:3]:
        Image.fromarray(invert(np.array(Image.open(file)))).save(file)
    arguments = ["--prefix", prefix, str(folder)]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert "light ink on dark paper in 3 image(s)" in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out.splitlines()[0] != f"{files[0]}\t{dark[0]}"

    assert main([*arguments, "--ink", "auto"]) == 0
    assert lines() == dark
    for file in files[3:]:
        Image.fromarray(invert(np.array(Image.open(file)))).save(file)
    assert main([*arguments, "--ink", "light"]) == 0
    assert lines() == dark


def test_unreadable_images_among_others(prefix, folder, capsys):
    lines = [f"{path}\t{reading.text}\n" for path, reading in expected(prefix, folder)]
    whole = (folder / "40.png").read_bytes()
    (folder / "40.png").write_bytes(whole[: len(whole) // 2])
    missing = str(folder / "missing.png")
    assert main(["--prefix", prefix, missing, str(folder)]) == 1
    captured = capsys.readouterr()
    assert captured.out == "".join(lines[:40] + lines[41:])
    first, second = captured.err.splitlines()
    assert first.startswith(f"lstm_ocr_infer: {missing}: No such file")
    assert second.startswith(f"lstm_ocr_infer: {folder / '40.png'}: broken image")


def test_a_chunk_without_one_readable_image(prefix, tmp_path, capsys):
    assert main(["--prefix", prefix, str(tmp_path / "a.png"), str(tmp_path / "b.png")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 2


def test_bad_arguments_end_with_status_2(prefix, folder, tmp_path, capsys):
    image = str(folder / "00.png")
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "text.png").write_text("text")
    for arguments, said in {
        ("--prefix", prefix): "give either images (files or folders) or --csv",
        ("--prefix", prefix, str(tmp_path / "no.png")): "no.png: No such file",
        ("--prefix", prefix, str(tmp_path / "text.png")): "text.png: not an image",
        ("--prefix", prefix, str(empty)): "no image files in this folder",
        ("--prefix", str(tmp_path / "nothing"), image): "no model under the prefix",
        ("--prefix", prefix, "--epoch", "3", image): "no epoch 3 under the prefix",
    }.items():
        assert main(list(arguments)) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert said in captured.err
        assert len(captured.err.splitlines()) == 1
    for arguments in (["--batch_size", "0", image], ["--cpu", "0", image], ["--ink", "red", image]):
        with pytest.raises(SystemExit) as ended:
            main(["--prefix", prefix, *arguments])
        assert ended.value.code == 2
    from ctc_ocr._mxnet import mx

    if not mx.runtime.Features().is_enabled("CUDA"):
        assert main(["--prefix", prefix, "--gpu", "1", image]) == 2
        assert "without CUDA" in capsys.readouterr().err


def test_the_script_from_another_folder(folder, tmp_path):
    """The default prefix, a real process, a file name that is no UTF-8, and nothing but readings on its output."""
    save_own_model(tmp_path / "ocr")
    name = os.fsencode(tmp_path) + b"/\xff.png"
    Image.open(folder / "00.png").save(os.fsdecode(name))
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "lstm_ocr_infer.py"), "--cpu", "1", name, str(folder / "01.png")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
        check=False,
    )
    images = [np.array(Image.open(folder / name)) for name in ("00.png", "01.png")]
    texts = [reading.text.encode() for reading in Predictor(tmp_path / "ocr").predict(images)]
    second = os.fsencode(folder / "01.png")
    assert done.stdout == name + b"\t" + texts[0] + b"\n" + second + b"\t" + texts[1] + b"\n"
    assert done.stderr == b""
    assert done.returncode == 0


def test_truths_stand_beside_the_readings_of_their_own_images(prefix, folder, tmp_path, capsys):
    paths = sorted(folder.iterdir())
    read = [reading.text for _, reading in expected(prefix, folder)]
    rows = [f"{folder.name}/{path.name},{text}" for path, text in zip(paths, read, strict=True)]
    rows[0] = rows[0].rpartition(",")[0] + ",none of these"
    (tmp_path / "labels.csv").write_text("\n".join(["image,label", *rows[:-1]]) + "\n")
    assert main([str(folder), "--prefix", prefix, "--labels", str(tmp_path / "labels.csv")]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == f"{paths[0]}\t{read[0]}\tnone of these\twrong"
    assert lines[1] == f"{paths[1]}\t{read[1]}\t{read[1]}\tright"
    assert lines[len(paths) - 1] == f"{paths[-1]}\t{read[-1]}"
    assert lines[-1].startswith(f"{len(paths) - 2} of {len(paths) - 1} right (")
    assert f"has no label for 1 image(s), {paths[-1]} first" in said.err


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a.png,1\n", "row 1: expected the header image,label, got 'a.png,1'"),
        ("image,label\na.png\n", "row 2: expected 2 fields, got 1"),
        ("", "row 1: expected the header"),
    ],
)
def test_labels_that_are_none(prefix, folder, tmp_path, capsys, text, complaint):
    (tmp_path / "labels.csv").write_text(text)
    assert main([str(folder), "--prefix", prefix, "--labels", str(tmp_path / "labels.csv")]) == 2
    assert complaint in capsys.readouterr().err
