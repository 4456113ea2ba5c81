"""Which predictions are worth a look first: their order in every output of infer, confidences of long and of empty
texts, and of each character."""

import csv
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.cli.infer import main
from ctc_ocr.datasets.samples import SourceOptions
from ctc_ocr.datasets.sources import open_source
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.errors import InputError
from ctc_ocr.evaluation.shown_probability import shown_probability
from ctc_ocr.inference.image_list import ListedImage
from ctc_ocr.inference.order import least_confident_first
from ctc_ocr.inference.prediction import Prediction
from ctc_ocr.inference.predictor import Predictor
from tests.models import save_line_model, save_own_model


@pytest.fixture
def lines(tmp_path):
    """A model of lines, and images of 1 to 40 noisy columns: their texts differ in length, and some are empty."""
    save_line_model(tmp_path / "line", seed=3)
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(30):
        width = int(rng.integers(4, 60))
        levels = np.where(rng.random((12, width)) < 0.4, rng.integers(0, 200, (12, width)), 240)
        Image.fromarray(levels.astype(np.uint8)).save(folder / f"{index:02}.png")
    predictor = Predictor(tmp_path / "line")
    files = sorted(folder.iterdir())
    found = dict(zip(map(str, files), predictor.predict(files), strict=True))
    assert len({len(each.text) for each in found.values()}) > 3
    return ["--model", str(tmp_path / "line")], folder, found


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def sorted_paths(found, by):
    return sorted(found, key=lambda path: by(found[path]))


def whole(prediction):
    return prediction.log_probability


def per_character(prediction):
    return prediction.log_probability / max(1, len(prediction.codes))


@pytest.mark.parametrize(("order", "by"), [("confidence", whole), ("character_confidence", per_character)])
def test_every_output_has_the_least_confident_first(lines, tmp_path, capsys, order, by):
    """Images that cannot be read come last; labels stay with their images."""
    arguments, folder, found = lines
    expected = sorted_paths(found, by)
    assert expected != sorted(found)
    assert main([*arguments, "--sort", order, str(folder)]) == 0
    printed = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert printed == [[path, found[path].text] for path in expected]

    assert main([*arguments, "--sort", order, "--json", str(folder)]) == 0
    assert [json.loads(line)["image"] for line in capsys.readouterr().out.splitlines()] == expected

    (folder / "00a.png").write_text("no image")
    (tmp_path / "list.csv").write_text("".join(f"images/{path.name}\n" for path in sorted(folder.iterdir())))
    assert main([*arguments, "--sort", order, "--csv", f"{tmp_path}/list.csv", "--out", f"{tmp_path}/out.csv"]) == 1
    rows = rows_of(tmp_path / "out.csv")
    assert [row["image"] for row in rows] == [f"images/{Path(each).name}" for each in [*expected, "00a.png"]]
    assert rows[-1]["status"] == "unreadable"

    labels = "".join(f"images/{Path(path).name},{each.text or 'x'}\n" for path, each in found.items())
    (tmp_path / "labels.csv").write_text(f"image,label\n{labels}")
    (folder / "00a.png").unlink()
    capsys.readouterr()
    assert main([*arguments, "--sort", order, "--labels", f"{tmp_path}/labels.csv", str(folder)]) == 0
    *printed, last = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [each[0] for each in printed] == expected
    assert all(each[2] == found[each[0]].text or each[2] == "x" for each in printed)
    assert last == [f"{sum(bool(each.text) for each in found.values())} of 30 correct "
                    f"({sum(bool(each.text) for each in found.values()) / 30:.4f})"]  # fmt: skip


def test_the_two_orders_differ_and_without_sort_it_is_that_of_the_input(lines, capsys):
    arguments, folder, found = lines
    assert sorted_paths(found, whole) != sorted_paths(found, per_character)
    assert main([*arguments, str(folder)]) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == sorted(found)


def test_sorting_beside_text_files_needs_an_order(lines, tmp_path, capsys):
    arguments, folder, found = lines
    assert main([*arguments, "--sort", "confidence", "--txt", str(folder)]) == 2
    assert "--sort: has no effect with --txt alone, whose files have no order" in capsys.readouterr().err
    assert main([*arguments, "--sort", "confidence", "--txt", "--out", f"{tmp_path}/out.csv", str(folder)]) == 0
    assert len(list(folder.glob("*.txt"))) == len(rows_of(tmp_path / "out.csv")) == 30
    first = rows_of(tmp_path / "out.csv")[0]
    assert (tmp_path / first["image"]).with_suffix(".txt").read_text() == f"{first['text']}\n"


def test_confidences_are_shown_on_request(lines, capsys):
    arguments, folder, found = lines
    assert main([*arguments, "--show_confidence", str(folder)]) == 0
    for line in capsys.readouterr().out.splitlines():
        path, text, confidence, of_characters, characters = line.split("\t")
        each = found[path]
        assert text == each.text
        assert float(confidence) == pytest.approx(each.confidence, rel=1e-3)
        assert float(of_characters) == pytest.approx(each.character_confidence, rel=1e-3)
        shown = [part.split(" ") for part in characters.split(", ")] if characters else []
        assert [unit.strip("'") for unit, _ in shown] == [character.unit for character in each.characters]
        assert [float(value) for _, value in shown] == pytest.approx(
            [character.probability for character in each.characters], rel=1e-2
        )
    path, each = next((path, each) for path, each in found.items() if each.text)
    assert main([*arguments, "--show_confidence", path]) == 0
    assert capsys.readouterr().out.startswith(f"{path}\t{each.text}\t{each.confidence:.3f}"[:-3])
    assert main([*arguments, "--show_confidence", "--min_confidence", "1", path]) == 0
    assert capsys.readouterr().out.split("\t")[1::3] == ["?", "\n"]
    for flag, said in (("--json", "has no effect with --json"), ("--txt", "--txt writes files: give one of them")):
        assert main([*arguments, "--show_confidence", flag, path]) == 2
        assert said in capsys.readouterr().err


def test_each_character_has_its_own_probability(tmp_path):
    """Of a model of units, some longer than a character, and for the best text only."""
    save_own_model(tmp_path / "m", seed=2)
    described = json.loads((tmp_path / "m.json").read_text())
    described["alphabet"] = {"sch" if unit == "2" else unit: code for unit, code in described["alphabet"].items()}
    (tmp_path / "m.json").write_text(json.dumps(described))
    predictor = Predictor(tmp_path / "m", decoder=Decoder(beam_width=5, top_k=2))
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (10, 16), dtype=np.uint8) for _ in range(20)]
    for each in predictor.predict(images):
        assert "".join(character.unit for character in each.characters or []) == each.text
        assert len(each.characters or []) == len(each.codes)
        assert all(0 < character.probability <= 1 for character in each.characters or [])
        assert [other.characters for other in each.alternatives] == [None]
        assert each.alternatives[0].character_confidence is not None
    assert any(character.unit == "sch" for each in predictor.predict(images) for character in each.characters or [])
    for each in predictor.predict(images, confidence=False):
        predictor.decoder = Decoder().bind(predictor.alphabet)
        assert (each.characters, each.character_confidence) == (None, None)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.000000"),
        (1.0, "1.000000"),
        (0.5, "0.500000"),
        (0.25, "0.250000"),
        (0.0123456789, "0.0123457"),
        (3.204512345e-19, "3.20451e-19"),
        (1 - 1.765e-6, "0.99999823500"),
        (1 - 2.0**-53, "1.000000000000000"),
        (math.nan, "nan"),
    ],
)
def test_probabilities_that_differ_look_different(value, shown):
    assert shown_probability(value) == shown


def test_a_probability_as_text_is_short_or_exact():
    rng = np.random.default_rng(0)
    for value in [*rng.random(50), *(10.0 ** -rng.uniform(0, 300, 50)), *(1 - 10.0 ** -rng.uniform(0, 9, 50))]:
        shown = float(shown_probability(value))
        assert shown == pytest.approx(value, rel=1e-5)
        assert 1 - shown == pytest.approx(1 - value, rel=1e-5)
        assert len(shown_probability(value)) <= 17


def prediction(log_probability, length):
    confidence = None if log_probability is None else math.exp(log_probability)
    return Prediction("a" * length, [1] * length, confidence, log_probability)


def test_confidences_of_long_texts_are_told_apart():
    """Of 200 characters, each 0.95 to 0.99 probable; those of 3 characters beside them are read as well."""
    long = [prediction(200 * math.log(each), 200) for each in (0.95, 0.97, 0.99)]
    assert [round(each.confidence or 0, 6) for each in long[:1]] == [0.000035]
    assert [each.character_confidence for each in long] == pytest.approx([0.95, 0.97, 0.99])
    impossible = prediction(-900.0, 100)
    assert (impossible.confidence, impossible.character_confidence) == (0.0, pytest.approx(math.exp(-9)))
    empty = prediction(math.log(0.3), 0)
    assert empty.character_confidence == pytest.approx(0.3)
    assert prediction(None, 3).character_confidence is None
    assert prediction(-math.inf, 3).character_confidence == 0.0


def test_the_order_of_predictions_whose_confidences_are_the_same_number():
    """Log probabilities below -745 are confidences of exactly 0; calibrated ones, of long texts, are all alike."""
    values = [-800.0, -2000.0, None, -1.0, math.nan, -math.inf, -900.0]
    results: list[tuple[ListedImage, Prediction | InputError]] = [
        (ListedImage(str(number), Path(str(number))), prediction(value, 10)) for number, value in enumerate(values)
    ]
    unreadable = ListedImage("x", Path("x")), InputError("broken")
    ordered = [image.name for image, _ in least_confident_first([unreadable, *results])]
    assert ordered == ["2", "4", "5", "1", "6", "0", "3", "x"]


def test_a_file_with_all_confidences_is_a_source(lines, tmp_path):
    arguments, folder, found = lines
    assert main([*arguments, "--out", str(tmp_path / "out.csv"), str(folder)]) == 0
    rows = rows_of(tmp_path / "out.csv")
    assert list(rows[0]) == ["image", "text", "confidence", "character_confidence", "status"]
    for row in rows:
        each = found[os.fspath(tmp_path / row["image"])]
        assert float(row["confidence"]) == pytest.approx(each.confidence, rel=1e-3)
        assert float(row["character_confidence"]) == pytest.approx(each.character_confidence, rel=1e-3)
    labels = [each.label for each in open_source(tmp_path / "out.csv", SourceOptions())]  # type: ignore[union-attr]
    assert labels == [each.text for each in found.values()]
