"""ctc-ocr infer as it is run: its lines, its notices, its exit status."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.cli.data import main as data
from ctc_ocr.cli.infer import main
from ctc_ocr.cli.shown_predictions import is_rejected
from ctc_ocr.datasets.samples import Sample, SourceOptions
from ctc_ocr.datasets.sources import open_source, read_source
from ctc_ocr.datasets.sources.packs import write_pack
from ctc_ocr.images.pixels import invert
from ctc_ocr.inference.image_list import read_image_list
from ctc_ocr.inference.prediction import Prediction
from ctc_ocr.inference.predictor import BATCH_SIZE, Predictor
from tests.models import save_example_model, save_own_model
from tests.reading_commands import (
    LISTED,
    MODEL,
    PAIRS,
    SEARCH,
    sizes_of_batches,
    with_unknown_architecture,
    with_words,
    write_history,
)

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
    predictions = Predictor(prefix, epoch).predict([np.array(Image.open(file)) for file in files])
    assert len({each.text for each in predictions}) > 10
    return [(str(file), each) for file, each in zip(files, predictions, strict=True)]


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


def test_json_lines(prefix, folder, capsys):
    assert main(["--prefix", prefix, "--json", str(folder)]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line, (path, prediction) in zip(found, expected(prefix, folder), strict=True):
        assert line == {
            "image": path,
            "text": prediction.text,
            "confidence": pytest.approx(prediction.confidence, rel=1e-4),
            "character_confidence": pytest.approx(prediction.character_confidence, rel=1e-4),
            "characters": [[unit, pytest.approx(value, rel=1e-4)] for unit, value in prediction.characters],
        }
    assert main(["--prefix", prefix, "--json", found[3]["image"]]) == 0
    assert json.loads(capsys.readouterr().out) == found[3] | {
        "confidence": pytest.approx(found[3]["confidence"], rel=1e-4),
        "character_confidence": pytest.approx(found[3]["character_confidence"], rel=1e-4),
        "characters": [[unit, pytest.approx(value, rel=1e-4)] for unit, value in found[3]["characters"]],
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


def test_labels_are_printed_beside_the_predictions_of_their_images(prefix, folder, tmp_path, capsys):
    paths = sorted(folder.iterdir())
    read = [prediction.text for _, prediction in expected(prefix, folder)]
    rows = [f"{folder.name}/{path.name},{text}" for path, text in zip(paths, read, strict=True)]
    rows[0] = rows[0].rpartition(",")[0] + ",none of these"
    (tmp_path / "labels.csv").write_text("\n".join(["image,label", *rows[:-1]]) + "\n")
    assert main([str(folder), "--prefix", prefix, "--labels", str(tmp_path / "labels.csv")]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == f"{paths[0]}\t{read[0]}\tnone of these\tincorrect"
    assert lines[1] == f"{paths[1]}\t{read[1]}\t{read[1]}\tcorrect"
    assert lines[len(paths) - 1] == f"{paths[-1]}\t{read[-1]}"
    assert lines[-1].startswith(f"{len(paths) - 2} of {len(paths) - 1} correct (")
    assert f"labels.csv: no label for 1 image(s), the first is {paths[-1]}" in printed.err


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("image,label\nimages/00.png\n", "row 2: expected 2 fields separated by ',', got 1"),
        ('image,label\nimages/00.png,"1\nimages/01.png,2\n', "row 2: bad quoting"),
        ("image,label\nimages/00.png,1\nb\0.png,2\n", "row 3: contains a NUL byte"),
    ],
)
def test_invalid_rows_of_labels_are_told_and_the_others_used(prefix, folder, tmp_path, capsys, text, complaint):
    (tmp_path / "labels.csv").write_text(text + "images/02.png,none of these\n")
    assert main([str(folder), "--prefix", prefix, "--labels", str(tmp_path / "labels.csv")]) == 1
    printed = capsys.readouterr()
    assert f"ctc-ocr infer: invalid: {tmp_path}/labels.csv, {complaint}" in printed.err
    assert printed.out.splitlines()[2].endswith("\tnone of these\tincorrect")


def test_labels_are_those_of_any_source(prefix, folder, tmp_path, capsys):
    """As evaluate takes them: names, .txt files, a table with other columns, options; a pack has no image files."""
    (folder / "sub").mkdir()
    for name, label in (("00.png", 7), ("01.png", 8)):
        (folder / name).rename(folder / "sub" / f"{label}_{name}")
    (tmp_path / "table.csv").write_bytes("sep=;\nnr;text;file\n1;\xe9;images\\sub\\7_00.png\n".encode("cp1252"))
    write_pack(tmp_path / "pack", [Sample(str(folder / "02.png"), ("1",), "")], Alphabet(("1",)))

    def labels(*arguments, status=0):
        assert main(["--prefix", prefix, str(folder / "sub"), "--labels", *map(str, arguments)]) == status
        return [line.split("\t")[2] for line in capsys.readouterr().out.splitlines()[:2] if line.count("\t") == 3]

    assert labels(folder / "sub") == ["7", "8"]
    assert labels(folder / "sub", "--pattern", "_(.*)") == ["00", "01"]
    assert labels(tmp_path / "table.csv", "--encoding", "cp1252") == ["\xe9"]
    assert labels(tmp_path / "table.csv", "--encoding", "cp1252", "--label_column", "nr") == ["1"]
    assert main(["--prefix", prefix, str(folder / "sub"), "--labels", str(tmp_path / "table.csv")]) == 1
    assert "row 3: not UTF-8: 0xe9 at byte 3 of the row" in capsys.readouterr().err
    (folder / "sub" / "7_00.txt").write_text("x")
    assert labels(folder / "sub", status=1) == ["x"]
    assert main(["--prefix", prefix, str(folder / "sub"), "--labels", str(tmp_path / "pack.rec")]) == 2
    assert "pack.rec: its images are not files" in capsys.readouterr().err


def test_a_link_to_itself_cannot_be_read(prefix, folder, tmp_path, capsys):
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (tmp_path / "labels.csv").write_text("image,label\nimages/loop.png,1\n")
    arguments = ["--prefix", prefix, "--labels", str(tmp_path / "labels.csv"), str(folder / "loop.png")]
    assert main(arguments) == 1
    assert "loop.png: Too many levels of symbolic links" in capsys.readouterr().err


@pytest.mark.parametrize("flag", PAIRS)
def test_each_decoding_flag_changes_the_predictions(prefix, folder, tmp_path, capsys, flag):
    words = tmp_path / "words.txt"
    words.write_text("".join(f"{prediction.text}\n" for _, prediction in expected(prefix, folder)[::3]))
    printed = []
    for flags in PAIRS[flag]:
        assert main(["--prefix", prefix, *with_words(flags, words), str(folder)]) == 0
        printed.append(capsys.readouterr().out)
        assert len(printed[-1].splitlines()) == 70
    assert printed[0] != printed[1]


def test_alternatives_of_an_image(prefix, folder, tmp_path, capsys):
    image = str(folder / "05.png")
    search = ["--prefix", prefix, *SEARCH]
    assert main([*search, image]) == 0
    best = capsys.readouterr().out
    assert main([*search, "--top_k", "3", image]) == 0
    name, *shown = capsys.readouterr().out.rstrip("\n").split("\t")
    assert name == image
    assert main([*search, "--top_k", "3", "--json", image]) == 0
    alternatives = json.loads(capsys.readouterr().out)["alternatives"]
    assert shown == [f"{each['text']} ({each['log_probability']:.3f})" for each in alternatives]
    assert best == f"Digits: [{', '.join(alternatives[0]['text'])}]\n"
    assert len({each["text"] for each in alternatives}) == 3
    assert "score" not in alternatives[0]
    # A single prediction has its log probability too.
    assert main([*search, "--top_k", "1", "--json", image]) == 0
    assert json.loads(capsys.readouterr().out)["alternatives"] == alternatives[:1]


def test_scores_are_shown_if_they_order_the_predictions(prefix, folder, tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("0123456789\n")
    for flags in (MODEL, (*SEARCH, "--length_bonus", "2.5")):
        arguments = ["--prefix", prefix, *with_words(flags, words), "--top_k", "3", str(folder / "05.png")]
        assert main([*arguments, "--json"]) == 0
        alternatives = json.loads(capsys.readouterr().out)["alternatives"]
        scores = [each["score"] for each in alternatives]
        assert scores == sorted(scores, reverse=True)
        assert main(arguments) == 0
        shown = capsys.readouterr().out.rstrip("\n").split("\t")[1:]
        assert shown == [f"{e['text']} (score {e['score']:.3f}, {e['log_probability']:.3f})" for e in alternatives]
        if flags != MODEL:
            for each in alternatives:
                assert each["score"] == pytest.approx(each["log_probability"] + 2.5 * len(each["text"]), abs=1e-5)


def test_an_image_without_a_possible_text(prefix, folder, tmp_path, capsys):
    """JSON has no infinity."""
    words = tmp_path / "words.txt"
    words.write_text("0123456789" * 9)
    flags = [*with_words(LISTED, words), "--separators", "", "--top_k", "2", "--json"]
    assert main(["--prefix", prefix, *flags, str(folder / "05.png")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["alternatives"] == [{"text": "", "log_probability": None}]


def test_threads(prefix, folder, monkeypatch):
    for flags, expected_value in ((["--cpu", "3"], "3"), ([], "1")):
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        assert main(["--prefix", prefix, *flags, str(folder / "05.png")]) == 0
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MXNET_OMP_MAX_THREADS"] == expected_value


@pytest.fixture
def half_rejected(prefix, folder):
    """Flags that reject about half of the images, path and prediction of each, and whether it is rejected."""
    predictions = expected(prefix, folder)
    minimum = float(np.median([each.confidence for _, each in predictions]))
    rejected = [each.confidence < minimum for _, each in predictions]
    assert 20 < sum(rejected) < 50
    return ["--prefix", prefix, "--min_confidence", str(minimum)], predictions, rejected


def test_a_rejected_prediction_is_not_shown_in_any_form(prefix, folder, capsys):
    arguments = ["--prefix", prefix, *SEARCH, "--top_k", "3", str(folder)]

    def lines(*flags):
        assert main([*arguments, *flags]) == 0
        return capsys.readouterr().out.splitlines()

    everything = [json.loads(line) for line in lines("--json")]
    minimum = np.median([each["alternatives"][0]["log_probability"] for each in everything])
    flags = ["--min_confidence", str(np.exp(minimum))]
    rejected = 0
    for each, text, printed in zip(everything, lines(*flags), map(json.loads, lines("--json", *flags)), strict=True):
        if each["alternatives"][0]["log_probability"] < minimum:
            assert printed == {**each, "text": None, "characters": None, "alternatives": []}
            assert text == f"{each['image']}\t?"
            rejected += 1
        else:
            assert printed == each
            assert text.startswith(f"{each['image']}\t{each['text']} (")
    assert 20 < rejected < 50


def test_a_rejected_prediction_is_neither_correct_nor_incorrect(half_rejected, folder, tmp_path, capsys):
    flags, predictions, rejected = half_rejected
    rows = [f"images/{Path(path).name},{each.text}\n" for path, each in predictions]
    (tmp_path / "labels.csv").write_text("image,label\n" + "".join(rows))
    arguments = [*flags, "--labels", str(tmp_path / "labels.csv"), str(folder)]
    assert main(arguments) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{path}\t{'?' if is_low else each.text}\t{each.text}\t{'rejected' if is_low else 'correct'}"
        for (path, each), is_low in zip(predictions, rejected, strict=True)
    ]
    given = 70 - sum(rejected)
    assert last == f"{given} of {given} correct (1.0000), {sum(rejected)} rejected"
    assert main(["--min_confidence", "1", *[each for each in arguments if each not in flags[2:]], *flags[:2]]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0 of 0 correct, 70 rejected"


def test_the_file_of_predictions_has_the_rejected_ones(half_rejected, folder, tmp_path, capsys):
    flags, predictions, rejected = half_rejected
    assert main([*flags, "--out", str(tmp_path / "out.csv"), str(folder)]) == 0
    assert capsys.readouterr().out == ""
    for row, (path, each), is_low in zip(rows_of(tmp_path / "out.csv"), predictions, rejected, strict=True):
        given = ("", "rejected") if is_low else (each.text, "read")
        assert (row["image"], row["text"], row["status"]) == (f"images/{Path(path).name}", *given)
        assert float(row["confidence"]) == pytest.approx(each.confidence, abs=1e-5)


@pytest.mark.parametrize(
    ("confidence", "minimum", "rejected"), [(0.5, 0.5, False), (0.4, 0.5, True), (None, 0.5, False)]
)
def test_what_is_rejected(confidence, minimum, rejected):
    assert is_rejected(Prediction("1", [2], confidence), minimum) is rejected
    assert is_rejected(Prediction("1", [2], float("nan")), minimum)


def rows_of(path):
    """The rows of --out, {column: value} each."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image", "text", "confidence", "character_confidence", "status"]
    return rows


FORMS = {
    "a header and other columns": 'image,label,more\na.png,"1, 2",x\nb c.png,3,y\n',
    "a label with another delimiter in it": 'a.png,"x; y"\nb c.png,z\n',
    "a byte order mark and tabs": "\ufeffa.png\tx, y\nb c.png\t;\n",
    "units": "a.png;|x|yz|\nb c.png;|,|\n",
    "a header with a splitter": "image;|label|\na.png;|x|\nb c.png;|y|\n",
    "line ends of Windows": "image,label\r\na.png,x\r\nb c.png,y\r\n",
    "line ends of old Macs": "a.png,x\rb c.png,y\r",
    "paths alone, an empty line, and no line end": "a.png\n\nb c.png",
    "quoted paths": '"a.png",x\n"b c.png"\n',
    "what is a line end in Unicode alone": "a.png,x\u2028y\u0085z\v\f\nb c.png,\u2029\n",
    "a header of other words": "Bild;Kennzeichen\na.png;x\nb c.png;y\n",
    "earlier predictions": "image,text,confidence,status\na.png,x,0.9,read\nb c.png,,,unreadable\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_csv_files(tmp_path, form):
    table = tmp_path / "in.csv"
    table.write_bytes(FORMS[form].encode())
    assert [(each.name, each.path, each.problem) for each in read_image_list(table)] == [
        (name, tmp_path / name, "") for name in ("a.png", "b c.png")
    ]


def test_csv_in_and_out(prefix, folder, tmp_path, capsys):
    """A row for each row, with the path from the new folder, or the row itself if that names no image."""
    predictions = {f"images/{Path(path).name}": each for path, each in expected(prefix, folder)}
    (folder / "a, b.png").write_bytes((folder / "03.png").read_bytes())
    given = [
        b"image,label",
        b"images/00.png,x",
        b'images/01.png,"never closed',
        b",no path",
        b"images/none.png,x",
        b"images/\x00.png,x",
        b"images/\xff.png,x",
        b'"images/a, b.png",x',
        b"images/02.png,x",
    ]
    table, out = tmp_path / "in.csv", tmp_path / "new" / "out.csv"
    table.write_bytes(b"\n".join(given))
    assert main(["--model", prefix, "--csv", str(table), "--out", str(out)]) == 1
    printed, notices = capsys.readouterr()
    assert printed == ""
    assert [line.split(": ")[:3] for line in notices.splitlines()] == [
        ["ctc-ocr infer", f"{table}, row 3", "bad quoting"],
        ["ctc-ocr infer", f"{table}, row 4", "no path"],
        ["ctc-ocr infer", f"{table}, row 5", str(folder / "none.png")],
        ["ctc-ocr infer", f"{table}, row 6", "contains a NUL byte"],
        ["ctc-ocr infer", f"{table}, row 7", "not UTF-8"],
    ]
    data = out.read_bytes()
    assert [line.rsplit(b",", 1)[1] for line in data.splitlines()[1:]] == [
        b"read", *[b"unreadable"] * 5, b"read", b"read",
    ]  # fmt: skip
    assert b"images/\xff.png" in data
    assert rb"images/\x00.png" in data
    out.write_bytes(data.replace(b"\xff", b"").replace(rb"\x00", b""))
    rows = rows_of(out)
    assert [row["image"] for row in rows] == [
        "../images/00.png", 'images/01.png,"never closed', "", "../images/none.png", "images/.png,x", "images/.png,x",
        "../images/a, b.png", "../images/02.png",
    ]  # fmt: skip
    for row, name in ((rows[0], "images/00.png"), (rows[6], "images/03.png"), (rows[7], "images/02.png")):
        assert row["text"] == predictions[name].text
        assert float(row["confidence"]) == pytest.approx(predictions[name].confidence, abs=1e-5)
    assert {row["text"] + row["confidence"] for row in rows[1:6]} == {""}
    assert main(["--model", prefix, "--csv", str(table)]) == 1
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines == [[row["image"].removeprefix("../"), row["text"]] for row in rows if row["status"] == "read"]


@pytest.mark.parametrize("text", ["", "\n\n", "image,label\n", "\ufeffimage\n"])
def test_a_csv_file_that_names_no_images(prefix, tmp_path, capsys, text):
    (tmp_path / "in.csv").write_text(text, encoding="utf-8")
    assert main(["--model", prefix, "--csv", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv")]) == 2
    assert "in.csv: names no images" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_the_file_of_predictions_replaces_nothing_without_overwrite(prefix, folder, tmp_path, capsys):
    out, table, image = tmp_path / "out.csv", tmp_path / "in.csv", str(folder / "00.png")
    beside = tmp_path / "out.csv.part"
    beside.write_text("a file of somebody's")
    table.write_text("images/00.png\n")
    arguments = ["--model", prefix, "--out", str(out), image]
    assert main(arguments) == 0
    first = out.read_text()
    assert main([*arguments[:-1], str(folder / "01.png")]) == 2
    assert "out.csv: exists already: replace it with --overwrite" in capsys.readouterr().err
    assert out.read_text() == first
    assert main([*arguments[:-1], str(folder / "01.png"), "--overwrite"]) == 0
    assert [row["image"] for row in rows_of(out)] == ["images/01.png"]
    assert beside.read_text() == "a file of somebody's"
    for flag in ("--csv", "--labels"):
        others = [] if flag == "--csv" else [image]
        assert main(["--model", prefix, "--overwrite", flag, str(table), "--out", str(table), *others]) == 2
        assert f"in.csv: would replace {flag}: use another name" in capsys.readouterr().err
    assert table.read_text() == "images/00.png\n"


def test_the_target_of_a_link_and_a_pipe_are_written_to(prefix, folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target, link, pipe = tmp_path / "elsewhere" / "target.csv", tmp_path / "link.csv", tmp_path / "pipe"
    target.write_text("old")
    link.symlink_to(target)
    image = str(folder / "00.png")
    assert main(["--model", prefix, "--out", str(link), "--overwrite", image]) == 0
    assert link.is_symlink()
    assert [row["image"] for row in rows_of(target)] == ["images/00.png"]  # from the folder of the link
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert main(["--model", prefix, "--out", str(pipe), image]) == 0
        assert os.read(reader, 2**16) == target.read_bytes().replace(b"images/00.png", image.encode())
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_prefix_wins_over_a_folder_of_its_name_and_a_params_file_is_its_epoch(prefix, folder, capsys):
    def texts(model):
        assert main(["--model", str(model), str(folder)]) == 0
        return [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]

    newest, first = ([prediction.text for _, prediction in expected(prefix, folder, epoch)] for epoch in (2, 1))
    Path(prefix).mkdir()
    assert texts(prefix) == newest
    assert texts(f"{prefix}-0001.params") == first
    assert newest != first
    save_own_model(Path(prefix) / "inner", epoch=1, seed=1)
    assert texts(f"{prefix}/inner") == first


def test_predictions_are_a_source_from_any_folder(half_rejected, folder, tmp_path, capsys, monkeypatch):
    """Rejected and unreadable images are counted and give no sample."""
    flags, predictions, rejected = half_rejected
    (folder / "70.png").write_text("no image")
    monkeypatch.chdir(folder)
    assert main([*flags, "--out", "../elsewhere/out.csv", "."]) == 1
    monkeypatch.chdir(tmp_path)
    assert open_source("elsewhere/out.csv").form.endswith(f"; skipped: {sum(rejected)} rejected, 1 unreadable")
    samples, problems = read_source("elsewhere/out.csv")
    assert problems == []
    assert [each.label for each in samples] == [
        each.text for (_, each), is_low in zip(predictions, rejected, strict=True) if not is_low
    ]
    assert all(each.read_bytes() for each in samples)
    capsys.readouterr()
    assert data(["check", "elsewhere/out.csv"]) == 0
    assert f"skipped: {sum(rejected)} rejected, 1 unreadable" in capsys.readouterr().out
    out = tmp_path / "elsewhere" / "none.csv"
    assert main([*flags, "--min_confidence", "1", "--out", str(out), str(folder / "00.png")]) == 0
    assert data(["check", str(out)]) == 2
    assert "none.csv: no row has a text: 1 rejected. Fill in the texts" in capsys.readouterr().err


# How spreadsheets save a file again: delimiter, encoding, line ends, and whether (1) all fields are quoted.
SAVED: dict[str, tuple[str, str, str, Literal[0, 1]]] = {
    "LibreOffice": (",", "utf-8", "\n", 0),
    "LibreOffice, all text quoted": (";", "utf-8", "\n", 1),
    "Excel, CSV UTF-8": (";", "utf-8-sig", "\r\n", 0),
    "Excel, Unicode text": ("\t", "utf-16", "\r\n", 0),
}


@pytest.mark.parametrize("program", SAVED)
def test_predictions_corrected_in_a_spreadsheet_are_labels(prefix, folder, tmp_path, capsys, program):
    """An added column, corrected texts, a rejected text filled in, a comma in numbers."""
    out = tmp_path / "out.csv"
    assert main(["--prefix", prefix, "--out", str(out), str(folder)]) == 0
    rows = rows_of(out)
    rows[1] |= {"text": "", "status": "rejected"}
    rows[2] |= {"text": "", "status": "rejected"}
    corrected = ["Gew\xe4sser; 1, 2", "\u0142\xf3d\u017a", None, *[row["text"] for row in rows[3:]]]
    delimiter, encoding, end, quoting = SAVED[program]
    with (tmp_path / "saved.csv").open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)
        writer.writerow([*rows[0], "checked by"])
        for row, text in zip(rows, corrected, strict=True):
            row |= {"text": text or "", "confidence": row["confidence"].replace(".", ",")}  # as in German
            writer.writerow([*row.values(), "me" if text else ""])
    samples, problems = read_source(tmp_path / "saved.csv")
    assert problems == []
    assert [each.label for each in samples] == [each for each in corrected if each is not None]
    assert data(["check", str(tmp_path / "saved.csv")]) == 0
    printed = capsys.readouterr().out
    assert "skipped: 1 rejected" in printed
    assert "samples: 69 valid, 0 invalid" in printed
    assert "\u017a 1" in printed


def test_texts_beside_the_images_are_a_source(half_rejected, folder, tmp_path, capsys):
    flags, predictions, rejected = half_rejected
    (folder / "70.png").write_text("no image")
    assert main([*flags, "--txt", str(folder)]) == 1
    assert capsys.readouterr().out == ""
    given = {Path(path).stem: each.text for (path, each), low in zip(predictions, rejected, strict=True) if not low}
    assert {path.stem: path.read_bytes().decode() for path in folder.glob("*.txt")} == {
        name: f"{text}\n" for name, text in given.items()
    }
    assert {Path(each.image).stem: each.label for each in read_source(folder)[0]} == given
    assert not list(folder.glob(".*"))

    first = folder / f"{next(iter(given))}.txt"
    first.write_text("corrected")
    assert main([*flags, "--txt", str(folder)]) == 2
    assert f".txt: exists already, and {len(given) - 1} more, beside the images" in capsys.readouterr().err
    assert first.read_text() == "corrected"
    assert main([*flags, "--txt", "--overwrite", "--min_confidence", "1", str(folder / first.stem) + ".png"]) == 0
    assert not first.exists()  # rejected now
    assert main([*flags, "--txt", "--overwrite", str(folder)]) == 1
    assert first.read_text() == f"{given[first.stem]}\n"


def test_two_images_do_not_share_a_text(prefix, folder, capsys):
    (folder / "00.jpg").write_bytes((folder / "00.png").read_bytes())
    (folder / "x.txt").write_bytes((folder / "00.png").read_bytes())
    assert main(["--prefix", prefix, "--txt", str(folder)]) == 2
    assert f"00.txt: would be the text of {folder / '00.jpg'} and of {folder / '00.png'}" in capsys.readouterr().err
    assert main(["--prefix", prefix, "--txt", "--overwrite", str(folder / "x.txt")]) == 2
    assert "x.txt: an image of this name cannot have a .txt file beside it" in capsys.readouterr().err
    assert (folder / "x.txt").read_bytes() == (folder / "00.png").read_bytes()


def test_a_list_of_images_in_another_column_and_encoding(tmp_path):
    for content, options in (
        ("nr;Datei;text\n1;\xe9.png;x\n", {"encoding": "cp1252"}),
        ("nr,a,b\n1,\xe9.png,x.png\n", {"image_column": "A"}),
        ("1,x.png,\xe9.png\n", {"image_column": "3"}),
    ):
        encoding = options.get("encoding", "utf-8")
        (tmp_path / "list.csv").write_bytes(content.encode(encoding))
        listed = read_image_list(tmp_path / "list.csv", SourceOptions(**options))  # type: ignore[arg-type]
        assert [(each.name, each.problem) for each in listed] == [("\xe9.png", "")]
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").touch()
    (tmp_path / "list.csv").write_text("sub\\a.png\nsub\\b.png\n")
    found, missing = read_image_list(tmp_path / "list.csv")
    assert (found.name, found.path, found.problem) == ("sub\\a.png", tmp_path / "sub" / "a.png", "")
    assert missing.problem == f"no such file: sub\\b.png; tried also {tmp_path / 'sub' / 'b.png'}"
