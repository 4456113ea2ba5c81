"""ctc-ocr infer as it is run: its lines, its notices, its exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.cli.infer import main
from ctc_ocr.images.pixels import invert
from ctc_ocr.inference.batch_rows import BATCH_SIZE
from ctc_ocr.inference.prediction import Character
from ctc_ocr.inference.predictor import Predictor
from tests.infer.outputs import expected
from tests.models import save_example_model, save_own_model
from tests.reading_commands import (
    sizes_of_batches,
    with_unknown_architecture,
    write_history,
)

ROOT = Path(__file__).resolve().parents[2]


def test_one_image_of_digits(prefix, folder, capsys):
    path, prediction = expected(prefix, folder)[5]
    assert main(["--prefix", prefix, path]) == 0
    assert capsys.readouterr() == (f"Digits: [{', '.join(prediction.text)}]\n", "")


def test_one_image_of_another_alphabet(tmp_path, folder, capsys):
    save_own_model(tmp_path / "letters", alphabet="abcdé")
    path, prediction = expected(tmp_path / "letters", folder)[5]
    assert main(["--prefix", str(tmp_path / "letters"), path]) == 0
    assert capsys.readouterr().out == f"Text: {prediction.text}\n"


def test_model_of_mxnets_example(tmp_path, folder, capsys):
    save_example_model(str(tmp_path / "old"), "WarpCTC", width=16, height=10, hidden=8)
    path = str(folder / "00.png")
    prediction = Predictor(tmp_path / "old").predict([np.array(Image.open(path))])[0]
    assert main(["--prefix", str(tmp_path / "old"), "--epoch", "1", path]) == 0
    assert capsys.readouterr().out == f"Digits: [{', '.join(prediction.text)}]\n"


@pytest.mark.parametrize("batch_size", ["1", "7", "32", "100"])
def test_a_folder_is_read_line_by_line_whatever_the_batch_size(prefix, folder, capsys, batch_size, monkeypatch):
    lines = [f"{path}\t{prediction.text}\n" for path, prediction in expected(prefix, folder)]
    sizes = sizes_of_batches(monkeypatch, Predictor)
    assert main(["--prefix", prefix, "--batch_size", batch_size, str(folder)]) == 0
    size = min(int(batch_size), 70)
    assert sizes == [min(size, 70 - start) for start in range(0, 70, size)]
    assert BATCH_SIZE > 100
    assert capsys.readouterr() == ("".join(lines), "")


def test_epoch_chooses_the_model(prefix, folder, capsys):
    write_history(prefix, {1: 0.1, 2: 0.2})
    for argument, epoch in (
        (["--epoch", "1"], 1),
        (["--epoch", "2"], 2),
        ([], 1),
        (["--epoch", "best"], 1),
        (["--epoch", "newest"], 2),
    ):
        assert main(["--prefix", prefix, *argument, str(folder)]) == 0
        lines = [f"{path}\t{prediction.text}\n" for path, prediction in expected(prefix, folder, epoch)]
        assert capsys.readouterr().out == "".join(lines)


def test_an_architecture_that_is_not_registered(tmp_path, prefix, folder, capsys):
    with_unknown_architecture(tmp_path / "model")
    assert main(["--model", prefix, str(folder)]) == 2
    printed, notices = capsys.readouterr()
    assert notices.startswith(f"ctc-ocr infer: error: {prefix}.json: no architecture 'unheard_of'; there are: ")
    assert "--import" in notices
    assert (printed, notices.count("\n")) == ("", 1)


def test_the_model_has_a_hidden_older_flag(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    usage = capsys.readouterr().out
    assert usage.startswith("usage: ctc-ocr infer ")
    assert "--model MODEL" in usage
    assert "--prefix" not in usage


def shown(character):
    """A character as JSON has it, its numbers about the same."""
    others = [[unit, pytest.approx(value, rel=1e-4)] for unit, value in character.alternatives]
    return {
        "unit": character.unit,
        "probability": pytest.approx(character.probability, rel=1e-4),
        "left": pytest.approx(character.left, abs=0.06),
        "right": pytest.approx(character.right, abs=0.06),
        "alternatives": others,
    }


def test_json_lines(prefix, folder, capsys):
    assert main(["--prefix", prefix, "--json", str(folder)]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line, (path, prediction) in zip(found, expected(prefix, folder), strict=True):
        assert line == {
            "image": path,
            "text": prediction.text,
            "confidence": pytest.approx(prediction.confidence, rel=1e-4),
            "character_confidence": pytest.approx(prediction.character_confidence, rel=1e-4),
            "characters": [shown(each) for each in prediction.characters],
        }
    assert main(["--prefix", prefix, "--json", found[3]["image"]]) == 0
    assert json.loads(capsys.readouterr().out) == found[3] | {
        "confidence": pytest.approx(found[3]["confidence"], rel=1e-4),
        "character_confidence": pytest.approx(found[3]["character_confidence"], rel=1e-4),
        "characters": [shown(Character(**each)) for each in found[3]["characters"]],
    }


def test_light_ink_is_reported_and_inverted(prefix, folder, capsys):
    def lines():
        return [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]

    dark = [prediction.text for _, prediction in expected(prefix, folder)]
    files = sorted(folder.glob("*.png"))
    for file in files[:3]:
        Image.fromarray(invert(np.array(Image.open(file)))).save(file)
    arguments = ["--prefix", prefix, str(folder)]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert "3 image(s) look like light ink on dark paper" in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out.splitlines()[0] != f"{files[0]}\t{dark[0]}"

    assert main([*arguments, "--ink", "auto"]) == 0
    assert lines() == dark
    for file in files[3:]:
        Image.fromarray(invert(np.array(Image.open(file)))).save(file)
    assert main([*arguments, "--ink", "light"]) == 0
    assert lines() == dark


def test_unreadable_images_among_others(prefix, folder, capsys):
    lines = [f"{path}\t{prediction.text}\n" for path, prediction in expected(prefix, folder)]
    whole = (folder / "40.png").read_bytes()
    (folder / "40.png").write_bytes(whole[: len(whole) // 2])
    missing = str(folder / "missing.png")
    assert main(["--prefix", prefix, missing, str(folder)]) == 1
    captured = capsys.readouterr()
    assert captured.out == "".join(lines[:40] + lines[41:])
    first, second = captured.err.splitlines()
    assert first.startswith(f"ctc-ocr infer: {missing}: No such file")
    assert second.startswith(f"ctc-ocr infer: {folder / '40.png'}: broken image")


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
    for arguments, message in {
        ("--prefix", prefix): "give either images (files or folders) or --csv",
        ("--model", prefix, str(tmp_path / "no.png")): "no.png: No such file",
        ("--prefix", prefix, str(tmp_path / "text.png")): "text.png: not an image",
        ("--prefix", prefix, str(empty)): "no image files in this folder",
        ("--prefix", str(tmp_path / "nothing"), image): f"--model: {tmp_path / 'nothing'}: no model under this prefix",
        ("--prefix", prefix, "--epoch", "3", image): "no epoch 3 under this prefix",
        (
            "--prefix",
            f"{prefix}-0001.params",
            "--epoch",
            "2",
            image,
        ): "model-0001.params: this is epoch 1, and epoch 2 was asked for",
        ("--prefix", f"{prefix}-0003.params", image): "no epoch 3 under this prefix",
        ("--prefix", prefix, "x" * 300): "x: File name too long",
        ("--prefix", "x" * 300, image): "x: File name too long",
        ("--prefix", prefix, "--csv", "x" * 300): "x: File name too long",
        ("--prefix", prefix, "--labels", "x" * 300, image): "x: File name too long",
        ("--prefix", prefix, "--out", "x" * 300, image): "x: File name too long",
        ("--prefix", prefix, "--csv", str(tmp_path / "no.csv")): "no.csv: No such file",
        ("--prefix", prefix, "--csv", str(tmp_path / "no.csv"), image): "give either images",
        ("--prefix", prefix, "--out", "", "no.png"): ".: is a folder; expected",
        ("--prefix", prefix, "--out", "/", "no.png"): "/: is a folder; expected",
        ("--prefix", prefix, "--out", str(tmp_path), "no.png"): "is a folder; expected",
        ("--prefix", prefix, "--out", str(tmp_path), "--overwrite", "no.png"): "is a folder; expected",
        ("--prefix", prefix, "--out", "o.csv", "--json", image): "give one of them",
        ("--prefix", prefix, "--out", "o.csv", "--top_k", "2", image): "--out has one prediction for each image",
        ("--prefix", prefix, "--txt", "--json", image): "--json prints and --txt writes files",
        ("--prefix", prefix, "--txt", "--top_k", "2", image): "--txt has one prediction for each image",
        ("--prefix", prefix, "--pattern", "(.)", image): "--pattern: has no effect without --labels",
        ("--prefix", prefix, "--encoding", "cp1252", image): "--encoding: has no effect without --labels or --csv",
        ("--prefix", prefix, "--overwrite", image): "--overwrite: has no effect without --out or --txt",
    }.items():
        assert main(list(arguments)) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert message in captured.err
        assert len(captured.err.splitlines()) == 1
    wrong = {"--batch_size": ("0", "10001", "x"), "--cpu": ("0", "1025"), "--ink": ("red",), "--top_k": ("0", "4097")}
    for flag, value in ((flag, value) for flag, values in wrong.items() for value in values):
        with pytest.raises(SystemExit) as ended:
            main(["--prefix", prefix, flag, value, image])
        assert ended.value.code == 2
    from ctc_ocr.runtime.mxnet import mx

    if not mx.runtime.Features().is_enabled("CUDA"):
        assert main(["--prefix", prefix, "--gpu", "1", image]) == 2
        assert "without CUDA" in capsys.readouterr().err


def test_the_script_from_another_folder(folder, tmp_path):
    """The default model, a real process, a file name that is not UTF-8, and nothing but predictions on its output."""
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
    texts = [prediction.text.encode() for prediction in Predictor(tmp_path / "ocr").predict(images)]
    second = os.fsencode(folder / "01.png")
    assert done.stdout == name + b"\t" + texts[0] + b"\n" + second + b"\t" + texts[1] + b"\n"
    assert done.stderr == b""
    assert done.returncode == 0


def test_threads(prefix, folder, monkeypatch):
    for flags, expected_value in ((["--cpu", "3"], "3"), ([], "1")):
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        assert main(["--prefix", prefix, *flags, str(folder / "05.png")]) == 0
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MXNET_OMP_MAX_THREADS"] == expected_value
