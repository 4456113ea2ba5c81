"""ctc-ocr evaluate as it is run: its table, its JSON, its notices, its exit status."""

import csv
import gc
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.cli import evaluate
from ctc_ocr.cli.data import main as data
from ctc_ocr.cli.evaluate import main
from ctc_ocr.cli.infer import main as infer_command
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.datasets.sources import open_source
from ctc_ocr.errors import RunError
from ctc_ocr.images.pixels import invert
from ctc_ocr.inference.batch_rows import BATCH_SIZE
from ctc_ocr.inference.predictor import Predictor
from tests.models import save_own_model
from tests.reading_commands import (
    PAIRS,
    fix_threads,
    sizes_of_batches,
    with_unknown_architecture,
    with_words,
    write_history,
)

ROOT = Path(__file__).resolve().parent.parent
CONFIDENT = "confidence  coverage  accuracy"


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    fix_threads(monkeypatch)


@pytest.fixture
def model(tmp_path):
    """A run's folder with one model, whose predictions differ."""
    (tmp_path / "run").mkdir()
    save_own_model(tmp_path / "run" / "ocr", seed=2)
    return tmp_path / "run"


@pytest.fixture
def table(tmp_path, model):
    """A CSV of 60 images. Of each three, the labels are the model's prediction, the prediction without its last
    character, and the prediction with a letter added that is not in the alphabet."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    predictor, rows = Predictor(model / "ocr"), list[str]()
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
    file.unlink(missing_ok=True)
    status = main([*map(str, arguments), "--report", str(file)])
    return status, json.loads(file.read_text(encoding="utf-8"))


def test_figures_of_known_predictions(tmp_path, model, table, capsys):
    status, figures = report(tmp_path, model, table)
    assert status == 0
    assert (figures["model"], figures["epoch"], figures["source"]) == (str(model / "ocr"), 1, str(table))
    assert (figures["samples"], figures["correct"], figures["accuracy"]) == (60, 20, 20 / 60)
    assert (figures["substitutions"], figures["deletions"], figures["insertions"]) == (0, 20, 20)
    labels = [line.split(",")[1] for line in table.read_text().splitlines()]
    assert figures["cer"] == 40 / sum(map(len, labels))
    assert figures["outside_alphabet"] == {"samples": 20, "units": {"x": 20}}
    assert {"label": "x", "predicted": None, "count": 20} in figures["confusions"]
    assert figures["invalid"] == {"samples": 0, "first": []}
    assert figures["inverted"] == 0
    printed, notices = capsys.readouterr()
    assert notices == ""
    assert "20 of 60, 95 % confidence interval 0.2273 to 0.4594" in printed
    assert "20 labels, never correct: 'x' 20" in printed
    assert "'x'    -             20" in printed
    assert CONFIDENT in printed


def test_json_is_printed_in_place_of_the_table(tmp_path, model, table, capsys):
    _, figures = report(tmp_path, model, table)
    capsys.readouterr()
    assert main([str(model), str(table), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == figures


def test_an_architecture_that_is_not_registered(model, table, capsys):
    with_unknown_architecture(model / "ocr")
    assert main([str(model), str(table)]) == 2
    printed, notices = capsys.readouterr()
    assert notices.startswith(
        f"ctc-ocr evaluate: error: {model / 'ocr.json'}: no architecture 'unheard_of'; there are: "
    )
    assert "--import" in notices
    assert (printed, notices.count("\n")) == ("", 1)


def test_the_size_of_batches_makes_no_difference(tmp_path, model, table, monkeypatch):
    sizes = sizes_of_batches(monkeypatch, Predictor)
    _, figures = report(tmp_path, model / "ocr", table)
    assert sizes == [60]
    assert BATCH_SIZE > 60
    _, small = report(tmp_path, model / "ocr", table, "--batch_size", 7)
    assert sizes[1:] == [7] * 8 + [4]
    for name in ("lcs_ratio", "expected_calibration_error"):
        assert figures.pop(name) == pytest.approx(small.pop(name), rel=1e-4)
    coverages = [each.pop("coverage") for each in (figures, small)]
    assert abs(len(coverages[0]) - len(coverages[1])) <= 2  # confidences differ by rounding
    assert figures == small


def test_invalid_samples_are_counted_and_the_first_are_listed(tmp_path, model, table, capsys):
    (tmp_path / "images" / "00.png").write_bytes(b"no image")
    missing = "".join(f"images/missing{number}.png,1\n" for number in range(12))
    table.write_text(table.read_text() + "no label\n" + missing)
    status, figures = report(tmp_path, model, table)
    assert status == 1
    assert (figures["samples"], figures["invalid"]["samples"], len(figures["invalid"]["first"])) == (59, 14, 10)
    notices = capsys.readouterr().err
    assert f"ctc-ocr evaluate: invalid sample: {table}, row 61: " in notices
    assert f"invalid sample: {table}, row 1: {tmp_path}/images/00.png: not an image" in notices
    assert "4 more invalid samples" in notices


@pytest.mark.parametrize("flag", PAIRS)
def test_each_decoding_flag_changes_the_figures(tmp_path, model, table, flag):
    words = tmp_path / "words.txt"
    labels = [line.split(",")[1] for line in table.read_text().splitlines()]
    words.write_text("\n".join(sorted(set(labels))) + "\n")
    figures = []
    for flags in PAIRS[flag]:
        status, values = report(tmp_path, model, table, *with_words(flags, words))
        assert status == 0
        figures.append((values["correct"], values["cer"], values["lcs_ratio"]))
    assert figures[0] != figures[1]


def test_ink(tmp_path, model, table, capsys):
    _, dark = report(tmp_path, model, table, "--ink", "dark")
    for file in (tmp_path / "images").iterdir():
        Image.fromarray(invert(np.array(Image.open(file)))).save(file)
    assert report(tmp_path, model, table)[1]["correct"] < dark["correct"] == 20
    assert "60 image(s) look like light ink on dark paper" in capsys.readouterr().err
    for ink in ("light", "auto"):
        assert report(tmp_path, model, table, "--ink", ink)[1] == dark
    assert "look like" not in capsys.readouterr().err


def test_how_labels_are_found(tmp_path, model, table, capsys):
    """Each flag, where labels cannot be found, or are other ones, without it."""
    rows = [line.split(",") for line in table.read_text().splitlines()]
    _, expected = report(tmp_path, model, table)
    (tmp_path / "bars.csv").write_text("".join(f"{image}|{label}\n" for image, label in rows))
    assert main([str(model), str(tmp_path / "bars.csv")]) == 2
    assert "--delimiter (delimiter in Python) names another delimiter" in capsys.readouterr().err
    assert report(tmp_path, model, tmp_path / "bars.csv", "--delimiter", "|")[1]["cer"] == expected["cer"]
    (tmp_path / "apart.csv").write_text("".join(f"{image},/{'/'.join(label)}/\n" for image, label in rows))
    assert report(tmp_path, model, tmp_path / "apart.csv")[1]["correct"] == 0
    assert report(tmp_path, model, tmp_path / "apart.csv", "--splitter", "/")[1]["cer"] == expected["cer"]
    wide = str.maketrans("0123456789", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19")
    text = "".join(f"{image},{label.translate(wide)}\n" for image, label in rows)
    (tmp_path / "wide.csv").write_text(text, encoding="utf-8")
    assert report(tmp_path, model, tmp_path / "wide.csv")[1]["correct"] == 0
    assert report(tmp_path, model, tmp_path / "wide.csv", "--unicode_form", "NFKC")[1]["cer"] == expected["cer"]
    named = tmp_path / "named"
    named.mkdir()
    for image, label in rows:
        (named / f"page_{label}.{Path(image).name}").write_bytes((tmp_path / image).read_bytes())
    assert main([str(model), str(named)]) == 2
    assert "60 of 60 images have the label 'page'" in capsys.readouterr().err
    assert report(tmp_path, model, named, "--pattern", r"_(?P<label>\w+)\.")[1]["cer"] == expected["cer"]


def test_threads(model, table, monkeypatch):
    for flags, expected in ((["--cpu", "3"], "3"), ([], "1")):
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        assert main([str(model), str(table), *flags]) == 0
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MXNET_OMP_MAX_THREADS"] == expected


def test_plain_labels_of_an_alphabet_with_units_of_several_characters(tmp_path, model, table):
    described = model / "ocr.json"
    values = json.loads(described.read_text())
    values["alphabet"] = {"sch" if unit == "2" else unit: code for unit, code in values["alphabet"].items()}
    described.write_text(json.dumps(values))
    rows = [line.split(",") for line in table.read_text().splitlines()]
    assert sum("2" in label for _, label in rows) > 10
    table.write_text("".join(f"{image},{label.replace('2', 'sch')}\n" for image, label in rows))
    _, figures = report(tmp_path, model, table)
    counts = [figures[name] for name in ("correct", "deletions", "insertions", "substitutions")]
    assert counts == [20, 20, 20, 0]


def test_words_and_separators(tmp_path, model, table, capsys):
    words = tmp_path / "words.txt"
    words.write_text("0\nabc\n")
    _, one = report(tmp_path, model, table, "--words", words, "--separators", "")
    assert "skipped 1 word(s) that the alphabet cannot spell, such as 'abc'" in capsys.readouterr().err
    assert {each["predicted"] for each in one["confusions"]} <= {"0", None}
    _, more = report(tmp_path, model, table, "--words", words, "--separators", "1")
    assert {each["predicted"] for each in more["confusions"]} <= {"0", "1", None}
    assert one["cer"] != more["cer"]


def test_a_minimum_confidence_is_shown(tmp_path, model, table, capsys):
    minimum = "0.000002"
    _, figures = report(tmp_path, model, table, "--min_confidence", minimum)
    kept = figures["min_confidence"]
    assert kept["threshold"] == float(minimum)
    assert 0 < kept["samples"] < 60
    (line,) = [line.split() for line in capsys.readouterr().out.splitlines() if line.split()[:1] == [minimum]]
    assert line[1:] == [f"{kept['coverage']:.4f}", f"{kept['accuracy']:.4f}"]


def test_a_folder_of_file_names_and_the_model_by_its_epoch(tmp_path, model):
    save_own_model(model / "ocr", epoch=2, seed=3)
    folder = tmp_path / "named"
    folder.mkdir()
    for number in range(5):
        Image.fromarray(np.full((10, 16), 240, np.uint8)).save(folder / f"7{number % 2}_{number}.png")
    epochs = [report(tmp_path, model, folder, *flags)[1]["epoch"] for flags in ((), ("--epoch", 1))]
    assert epochs == [2, 1]
    write_history(model / "ocr", {1: 0.1, 2: 0.2})
    assert report(tmp_path, model, folder)[1]["epoch"] == 1
    assert report(tmp_path, model, folder, "--epoch", "newest")[1]["epoch"] == 2
    assert report(tmp_path, model, folder, "--epoch", "best")[1]["epoch"] == 1
    assert report(tmp_path, model / "ocr-0001.params", folder)[1]["epoch"] == 1


def test_the_command_as_a_process_of_its_own(model, table):
    command = [sys.executable, "-m", "ctc_ocr", "evaluate", str(model), str(table)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("accuracy")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--allowed", "0é"), "not in the alphabet: 'é'"),
        (("--words", "missing.txt"), "missing.txt: No such file"),
        (("--language_model", "missing.txt"), "missing.txt: No such file"),
        (("--lm_weight", "1"), "--lm_weight: has no effect without --language_model"),
        (("--separators", "."), "--separators: has no effect without --words"),
        (("--report", "."), "is a folder; expected the name of a file"),
        (("--report", "TABLE"), "labels.csv: would replace SOURCE"),
        (("--report", "x" * 300), "File name too long"),
        (("--length_bonus", "nan"), "finite number, got nan"),
    ],
)
def test_bad_flags_are_explained(model, table, capsys, flags, message):
    assert main([str(model), str(table), *(str(table) if flag == "TABLE" else flag for flag in flags)]) == 2
    printed, notices = capsys.readouterr()
    assert message in notices
    assert (printed, notices.count("\n")) == ("", 1)


def test_a_gpu_that_is_not_there(model, table, capsys):
    from ctc_ocr.runtime.mxnet import mx

    if mx.runtime.Features().is_enabled("CUDA"):
        pytest.skip("this MXNet can use one")
    assert main([str(model), str(table), "--gpu", "1"]) == 2
    assert "without CUDA" in capsys.readouterr().err


def test_names_that_are_too_long(model, table, capsys):
    for arguments in (["x" * 300, str(table)], [str(model), "x" * 300]):
        assert main(arguments) == 2
        assert capsys.readouterr().err.endswith(f"{'x' * 300}: File name too long\n")


def test_figures_that_cannot_be_written_are_shown(tmp_path, model, table, capsys, monkeypatch):
    def refuse(path, text):
        raise RunError("cannot be written: No space left on device", path)

    monkeypatch.setattr(evaluate, "_write", refuse)
    assert main([str(model), str(table), "--report", str(tmp_path / "figures.json")]) == 1
    printed, notices = capsys.readouterr()
    assert printed.startswith("accuracy")
    assert "No space left" in notices


def test_figures_replace_no_other_file(tmp_path, model, table, capsys):
    """Neither a model nor labels, whatever their names are."""
    for content in (b"onnx", b'{"0.png": "AB"}', b"[1]"):
        other = tmp_path / "other.json"
        other.write_bytes(content)
        assert main([str(model), str(table), "--report", str(other)]) == 2
        said = f"{other}: exists, and is not an earlier report: use another name"
        assert said in capsys.readouterr().err
        assert other.read_bytes() == content
    description = model / "ocr.json"
    before = description.read_bytes()
    assert main([str(model), str(table), "--report", str(description)]) == 2
    assert main([str(model), str(table), "--out", str(description), "--overwrite"]) == 2
    assert f"would replace the model's {description}" in capsys.readouterr().err
    assert description.read_bytes() == before


def test_files_are_written_also_where_nobody_reads_what_is_printed(tmp_path, model, table):
    report = tmp_path / "figures.json"
    command = [sys.executable, "-m", "ctc_ocr", "evaluate", "--model", str(model), str(table), "--report", str(report)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=60)
    assert json.loads(report.read_text())["samples"] == 60


def test_the_file_of_figures_is_replaced_as_a_whole(tmp_path, model, table):
    """In a folder that is made for it; a link stays one."""
    link = tmp_path / "new" / "folder" / "link.json"
    assert main([str(model), str(table), "--report", str(link)]) == 0
    target = link.rename(tmp_path / "target.json")
    link.symlink_to(target)
    older = target.stat()
    assert main([str(model), str(table), "--report", str(link)]) == 0
    assert link.is_symlink()
    assert target.stat().st_ino != older.st_ino
    assert json.loads(target.read_text())["samples"] == 60
    assert [path.name for path in link.parent.iterdir()] == ["link.json"]


@pytest.mark.parametrize(
    "flags",
    [
        ("--min_confidence", "1.5"),
        ("--beam_width", "0"),
        ("--lm_order", "x"),
        ("--batch_size", "10001"),
        ("--cpu", "1025"),
    ],
)
def test_bad_numbers_are_errors(model, table, flags):
    with pytest.raises(SystemExit) as ended:
        main([str(model), str(table), *flags])
    assert ended.value.code == 2


def test_a_folder_with_no_model_or_several(tmp_path, model, table, capsys):
    assert main([str(tmp_path / "images"), str(table)]) == 2
    assert "0 models in this folder; expected one" in capsys.readouterr().err
    save_own_model(model / "other")
    assert main([str(model), str(table)]) == 2
    assert f"2 models in this folder: {model / 'ocr'}, {model / 'other'}" in capsys.readouterr().err


def test_nothing_to_evaluate(tmp_path, model, capsys):
    (tmp_path / "bad.csv").write_text("missing.png,1\n")
    assert main([str(model), str(tmp_path / "bad.csv")]) == 1
    notices = capsys.readouterr().err
    assert f"invalid sample: {tmp_path / 'bad.csv'}, row 1" in notices
    assert "bad.csv: none of its 1 samples is valid" in notices


@pytest.mark.long
def test_memory_does_not_grow_with_the_number_of_samples(tmp_path, model, table):
    lines = table.read_text().splitlines(keepends=True)
    peaks = []
    # The first run compiles, and fills caches; both others have more than is read at once.
    for times in (1, 20, 60):
        longer = table.with_name("longer.csv")
        longer.write_text("".join(lines * times))
        gc.collect()  # so that when it runs next does not depend on what ran before
        tracemalloc.start()
        assert report(tmp_path, model, longer, "--num_proc", "1")[1]["samples"] == 60 * times
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] - peaks[1] < 300_000  # 2,400 samples more take 2 MB if all are held


def readings(path):
    """The rows of --out."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def test_the_readings_of_all_images_worst_first(tmp_path, model, table, capsys):
    """Labels, predictions, edits and confidences are those that the figures are made of."""
    table.write_text(f"{table.read_text()}images/none.png,1\nimages/00.png,987654321\n")
    out = tmp_path / "new" / "readings.csv"
    status, figures = report(tmp_path, model, table, "--out", out)
    assert status == 1
    rows = readings(out)
    assert list(rows[0]) == ["image", "label", "prediction", "confidence", "character_confidence", "edits"]
    assert len(rows) == figures["samples"] == 61
    edits = [int(row["edits"]) for row in rows]
    assert edits == sorted(edits, reverse=True)
    assert (edits[0], sum(edits), edits.count(0)) == (max(edits), figures["edits"], figures["correct"])
    assert rows[0]["label"] == "987654321"
    confidences = [float(row["confidence"]) for row in rows]
    wrong, correct = ([c for c, e in zip(confidences, edits, strict=True) if e == count] for count in (1, 0))
    assert (len(wrong), len(correct)) == (40, 20)
    assert wrong == sorted(wrong, reverse=True)
    assert correct == sorted(correct)
    assert len(set(confidences)) > 50
    predictor = Predictor(model / "ocr")
    for row in rows[:5]:
        read = predictor.read(out.parent / row["image"])
        assert row["prediction"] == read.text
        assert float(row["confidence"]) == pytest.approx(read.confidence, rel=1e-3)
        assert float(row["character_confidence"]) == pytest.approx(read.character_confidence, rel=1e-3)


def test_the_readings_are_a_source_of_the_labels(tmp_path, model, table, monkeypatch, capsys):
    """From any folder; evaluated again, they give the same figures."""
    out = tmp_path / "elsewhere" / "readings.csv"
    _, figures = report(tmp_path, model, table, "--out", out)
    labels = {(tmp_path / image).name: label for image, label in (row.split(",") for row in table.read_text().split())}
    monkeypatch.chdir(tmp_path / "images")
    samples = [each for each in open_source("../elsewhere/readings.csv") if isinstance(each, Sample)]
    assert {Path(each.image).name: each.label for each in samples} == labels
    assert report(tmp_path, model, "../elsewhere/readings.csv")[1]["cer"] == figures["cer"]
    capsys.readouterr()
    assert data(["check", str(out)]) == 0
    assert "labels in column 2 'label'" in capsys.readouterr().out


def test_readings_do_not_replace_the_model_that_is_read_with_by_default(
    tmp_path, model, table, capsys, monkeypatch: pytest.MonkeyPatch
):
    """`ocr` of this folder, without --model."""
    monkeypatch.chdir(model)
    victim = model / "ocr.json"
    before = victim.read_bytes()
    assert main([str(table), "--out", "ocr.json", "--overwrite"]) == 2
    assert "ocr.json: would replace the model's ocr.json" in capsys.readouterr().err
    picture = next(table.parent.rglob("*.png"))
    assert infer_command([str(picture), "--out", "ocr.json", "--overwrite"]) == 2
    assert "ocr.json: would replace the model's ocr.json" in capsys.readouterr().err
    assert victim.read_bytes() == before


def test_readings_replace_nothing_unasked(tmp_path, model, table, capsys):
    out = tmp_path / "readings.csv"
    assert main([str(model), str(table), "--out", str(out)]) == 0
    first = out.read_bytes()
    out.write_text("corrected")
    assert main([str(model), str(table), "--out", str(out)]) == 2
    assert "readings.csv: exists already: replace it with --overwrite" in capsys.readouterr().err
    assert out.read_text() == "corrected"
    assert main([str(model), str(table), "--out", str(out), "--overwrite"]) == 0
    assert out.read_bytes() == first
    for flags, said in (
        (["--out", str(table), "--overwrite"], "labels.csv: would replace SOURCE"),
        (["--out", str(out), "--overwrite", "--report", str(out)], "readings.csv: would replace --report"),
    ):
        assert main([str(model), str(table), *flags]) == 2
        assert said in capsys.readouterr().err


def test_the_labels_of_a_folder_are_not_replaced_by_what_is_made_of_it(model, table, capsys):
    folder, before = str(table.parent), table.read_bytes()
    for command, arguments, name in (
        (main, [str(model), folder, "--overwrite", "--out"], "SOURCE"),
        (infer_command, [folder, "--model", str(model), "--labels", folder, "--overwrite", "--out"], "--labels"),
        (data, ["check", folder, "--overwrite", "--write_lookup"], "SOURCE"),
    ):
        assert command([*arguments, str(table)]) == 2
        assert f"labels.csv: would replace {name}" in capsys.readouterr().err
        assert table.read_bytes() == before


def test_records_of_a_pack_are_named_in_the_readings(tmp_path, model, table):
    assert data(["pack", str(table), str(tmp_path / "pack")]) == 0
    _, figures = report(tmp_path, model, tmp_path / "pack.rec", "--out", tmp_path / "readings.csv")
    rows = readings(tmp_path / "readings.csv")
    assert {row["image"] for row in rows} == {f"{tmp_path}/pack.rec, record {number}" for number in range(60)}
    assert sum(int(row["edits"]) for row in rows) == figures["edits"] == 40
