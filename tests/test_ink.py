"""Ink that seems to be another than it is: what a model says of its training images, and when infer warns."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ctc_ocr
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.cli.evaluate import main as evaluate
from ctc_ocr.cli.infer import main as infer
from ctc_ocr.config.presets import preset
from ctc_ocr.errors import InputError
from ctc_ocr.inference.ink import InkCheck
from tests.models import save_own_model
from tests.test_inference_python import write_images

DIGITS = Alphabet(tuple("0123456789"))
NUM_IMAGES = 40


def described(**values: object) -> Model:
    text = Model(preset("word"), DIGITS).to_json()
    return Model.from_json(json.dumps(json.loads(text) | values).encode(), Path("ocr.json"))


def test_description() -> None:
    model = Model(preset("word"), DIGITS, light_ink=0.25)
    assert Model.from_json(model.to_json().encode(), Path("ocr.json")) == model
    assert "light_ink" not in Model(preset("word"), DIGITS).to_json()
    assert (described().light_ink, described(light_ink=1).light_ink) == (None, 1.0)


@pytest.mark.parametrize("wrong", [True, "0.5", [], -0.1, 1.1, math.nan, 10**400])
def test_a_description_from_outside_is_checked(wrong: object) -> None:
    with pytest.raises(InputError, match=r"^ocr\.json: light_ink: expected a number from 0 to 1, got "):
        described(light_ink=wrong)


@pytest.mark.parametrize(
    ("ink", "light_ink", "count", "num_images", "expected"),
    [
        ("dark", None, 0, 100, False),
        ("dark", None, 1, 100, True),
        ("dark", 0.0, 1, 1000, True),
        ("dark", 1.0, 100, 100, False),  # a dark photograph, whose text is darker still
        ("dark", 0.04, 8, 100, False),
        ("dark", 0.04, 9, 100, True),
        ("light", 0.04, 96, 100, False),
        ("light", 1.0, 1, 1, True),
        ("auto", 0.5, 0, 100, False),
        ("dark", 0.5, 0, 0, False),
    ],
)
def test_more_than_in_training_are_unusual(
    ink: str, light_ink: float | None, count: int, num_images: int, expected: bool
) -> None:
    check = InkCheck(ink, light_ink)
    check.count = count
    assert check.is_unusual(num_images) == expected


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of dark ink."""
    save_own_model(tmp_path / "m")
    return tmp_path / "m"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Labelled images, a tenth of which seem to have light ink."""
    paths = write_images(tmp_path / "images", NUM_IMAGES)
    for path in paths[::10]:
        Image.fromarray(255 - np.array(Image.open(path))).save(path)
    rows = [f"{path.name},1\n" for path in paths]
    (tmp_path / "images" / "labels.csv").write_text("".join(["image,label\n", *rows]))
    return tmp_path / "images"


def say(model: Path, light_ink: float) -> None:
    description = Path(f"{model}.json")
    description.write_text(json.dumps(json.loads(description.read_text()) | {"light_ink": light_ink}))


NOTICE = "4 image(s) look like light ink on dark paper; if the model was not trained on such images, use --ink"


@pytest.mark.parametrize("num_proc", ["1", "2"])
def test_images_as_in_training_are_no_news(
    model: Path, folder: Path, num_proc: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def notices(*flags: str) -> list[str]:
        arguments = ["--model", str(model), str(folder), "--num_proc", num_proc, *flags]
        assert infer(arguments) == evaluate(arguments) == 0
        return [line for line in capsys.readouterr().err.splitlines() if NOTICE in line]

    assert len(notices()) == 2  # an older model
    say(model, 0.0)
    assert len(notices()) == 2
    say(model, 0.1)
    assert notices() == []
    assert notices("--ink", "dark") == []


def test_a_predictor_says_what_its_model_says(model: Path, folder: Path, tmp_path: Path) -> None:
    assert ctc_ocr.Predictor(model).light_ink is None
    say(model, 0.1)
    assert ctc_ocr.Predictor(model).light_ink == ctc_ocr.Predictor(model, ink="dark").light_ink == 0.1
    assert ctc_ocr.Predictor(model, ink="light").light_ink is None  # those images were read in another way
    ctc_ocr.bundle_model(model, tmp_path / "b.zip")
    ctc_ocr.export_onnx(model, tmp_path / "m.onnx")
    for other in ("b.zip", "m.onnx"):
        found = ctc_ocr.evaluate(tmp_path / other, folder)
        assert (found.num_inverted, found.has_unusual_ink) == (4, False)
    assert ctc_ocr.evaluate(ctc_ocr.Predictor(model, ink="light"), folder).has_unusual_ink
