"""ctc-ocr evaluate as it is run: its table, its JSON, what it says of bad rows, its exit status."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.cli.evaluate import main
from ctc_ocr.prediction import Predictor
from tests.models import save_own_model

ROOT = Path(__file__).resolve().parent.parent
CONFIDENT = "confidence  answered  right of these"


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """The command sets the number of threads for its process: not for the tests after it."""
    for name in ("OMP_NUM_THREADS", "MXNET_OMP_MAX_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")


@pytest.fixture
def model(tmp_path):
    """A run's folder with one model, whose readings differ."""
    (tmp_path / "run").mkdir()
    save_own_model(tmp_path / "run" / "ocr", seed=2)
    return tmp_path / "run"


@pytest.fixture
def table(tmp_path, model):
    """A CSV of 60 images: of each three, one has the label that the model reads, one that without its last character
    and one that with a letter added, which the model does not know."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    predictor, rows = Predictor(model / "ocr"), []
    while len(rows) < 60:
        levels = np.where(rng.random((10, 16)) < 0.3, rng.integers(0, 120, (10, 16)), 240).astype(np.uint8)
        text = predictor.read(levels).text
        if len(text) < 2:
            continue
        file = folder / f"{len(rows):02}.png"
        Image.fromarray(levels).save(file)
        rows.append(f"images/{file.name},{(text, text[:-1], text + 'x')[len(rows) % 3]}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "labels.csv"


def report(tmp_path, *arguments):
    """(exit status, figures) of a run."""
    file = tmp_path / "figures.json"
    status = main([*map(str, arguments), "--json", str(file)])
    return status, json.loads(file.read_text(encoding="utf-8"))


def test_figures_of_known_readings(tmp_path, model, table, capsys):
    status, figures = report(tmp_path, model, table)
    assert status == 0
    assert (figures["model"], figures["epoch"], figures["source"]) == (str(model / "ocr"), 1, str(table))
    assert (figures["samples"], figures["right"], figures["accuracy"]) == (60, 20, 20 / 60)
    assert (figures["replaced"], figures["missed"], figures["inserted"]) == (0, 20, 20)
    labels = [line.split(",")[1] for line in table.read_text().splitlines()]
    assert figures["cer"] == 40 / sum(map(len, labels))
    assert figures["outside_alphabet"] == {"samples": 20, "units": {"x": 20}}
    assert {"truth": "x", "read": None, "count": 20} in figures["confusions"]
    assert figures["problems"] == {"count": 0, "first": []}
    told, notices = capsys.readouterr()
    assert notices == ""
    assert "20 of 60, 95 % interval 0.2273 to 0.4594" in told
    assert "20 images, so wrong: 'x' 20" in told
    assert "'x'   -        20" in told
    assert CONFIDENT in told


def test_the_size_of_batches_makes_no_difference(tmp_path, model, table):
    _, figures = report(tmp_path, model / "ocr", table)
    _, small = report(tmp_path, model / "ocr", table, "--batch_size", 3)
    for name in ("lcs_ratio", "calibration_error"):
        assert figures.pop(name) == pytest.approx(small.pop(name), rel=1e-4)
    coverages = [each.pop("coverage") for each in (figures, small)]
    assert abs(len(coverages[0]) - len(coverages[1])) <= 2  # confidences differ by rounding
    assert figures == small


def test_bad_rows_and_images_are_counted_and_the_first_are_listed(tmp_path, model, table, capsys):
    (tmp_path / "images" / "00.png").write_bytes(b"no image")
    missing = "".join(f"images/missing{number}.png,1\n" for number in range(12))
    table.write_text(table.read_text() + "no label\n" + missing)
    status, figures = report(tmp_path, model, table)
    assert status == 1
    assert (figures["samples"], figures["problems"]["count"], len(figures["problems"]["first"])) == (59, 14, 10)
    told = capsys.readouterr().err
    assert f"left out: {table}, row 61" in told
    assert f"left out: {table}, row 1: " in told
    assert "not an image" in told
    assert "left out: 4 more" in told


def test_each_way_of_reading_changes_the_figures(tmp_path, model, table):
    labels = [line.split(",")[1] for line in table.read_text().splitlines()]
    words = tmp_path / "words.txt"
    words.write_text("\n".join(sorted(set(labels))) + "\n")
    figures = {}
    for flags in (
        (),
        ("--beam_width", 20),
        ("--words", words),
        ("--beam_width", 1, "--length_bonus", -3),
        ("--allowed", "0123"),
        ("--language_model", words, "--lm_weight", 2),
        ("--language_model", words, "--lm_weight", 2, "--lm_order", 1),
    ):
        status, told = report(tmp_path, model, table, *flags)
        assert status == 0
        figures[flags] = (told["right"], told["cer"], told["lcs_ratio"], told["calibration_error"])
    assert len(set(figures.values())) == len(figures)


def test_words_and_separators(tmp_path, model, table, capsys):
    words = tmp_path / "words.txt"
    words.write_text("0\nabc\n")
    _, one = report(tmp_path, model, table, "--words", words, "--separators", "")
    assert "left out 1 word(s) that the alphabet cannot spell, 'abc' first" in capsys.readouterr().err
    assert {each["read"] for each in one["confusions"]} <= {"0", None}
    _, more = report(tmp_path, model, table, "--words", words, "--separators", "1")
    assert {each["read"] for each in more["confusions"]} <= {"0", "1", None}
    assert one["cer"] != more["cer"]


def test_a_least_confidence_is_shown(tmp_path, model, table, capsys):
    least = "0.000002"
    _, figures = report(tmp_path, model, table, "--min_confidence", least)
    told = figures["min_confidence"]
    assert told["threshold"] == float(least)
    assert 0 < told["samples"] < 60
    (line,) = [line.split() for line in capsys.readouterr().out.splitlines() if line.split()[:1] == [least]]
    assert line[1:] == [f"{told['coverage']:.4f}", f"{told['accuracy']:.4f}"]


def test_a_folder_of_file_names_and_the_model_by_its_epoch(tmp_path, model):
    save_own_model(model / "ocr", epoch=2, seed=3)
    folder = tmp_path / "named"
    folder.mkdir()
    for number in range(5):
        Image.fromarray(np.full((10, 16), 240, np.uint8)).save(folder / f"77_{number}.png")
    epochs = [report(tmp_path, model, folder, *flags)[1]["epoch"] for flags in ((), ("--epoch", 1))]
    assert epochs == [2, 1]


def test_the_command_as_a_process_of_its_own(model, table):
    command = [sys.executable, "-m", "ctc_ocr", "evaluate", str(model), str(table)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("read exactly")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--allowed", "0é"), "not in the alphabet: 'é'"),
        (("--words", "missing.txt"), "missing.txt: cannot be read"),
        (("--language_model", "missing.txt"), "missing.txt: cannot be read"),
        (("--lm_weight", "1"), "--lm_weight means nothing without --language_model"),
        (("--separators", "."), "--separators means nothing without --words"),
        (("--json", "missing/figures.json"), "missing/figures.json: cannot be written"),
        (("--length_bonus", "nan"), "finite number, not nan"),
    ],
)
def test_bad_flags_are_explained(model, table, capsys, flags, message):
    assert main([str(model), str(table), *flags]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("flags", [("--min_confidence", "1.5"), ("--beam_width", "0"), ("--lm_order", "x")])
def test_bad_numbers_are_refused(model, table, flags):
    with pytest.raises(SystemExit) as ended:
        main([str(model), str(table), *flags])
    assert ended.value.code == 2


def test_which_model_is_meant(tmp_path, model, table, capsys):
    assert main([str(tmp_path / "images"), str(table)]) == 2
    assert "0 models in this folder; one is expected" in capsys.readouterr().err
    save_own_model(model / "other")
    assert main([str(model), str(table)]) == 2
    assert f"2 models in this folder: {model / 'ocr'}, {model / 'other'}" in capsys.readouterr().err


def test_nothing_to_evaluate(tmp_path, model, capsys):
    (tmp_path / "bad.csv").write_text("missing.png,1\n")
    assert main([str(model), str(tmp_path / "bad.csv")]) == 1
    told = capsys.readouterr().err
    assert "not one of its 1 images could be evaluated" in told
