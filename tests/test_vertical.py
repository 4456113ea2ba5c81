"""Vertical text: images are transposed first, and all else is as with horizontal text."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ctc_ocr
from ctc_ocr.checkpoint.model_files import load
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.checking import check
from ctc_ocr.datasets.choices import choose
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.images.preparation import prepare
from ctc_ocr.images.region import Region
from ctc_ocr.inference.prediction_json import as_json
from ctc_ocr.serving.answers import Reading
from ctc_ocr.training.data import training_data
from ctc_ocr.training.settings import Captchas
from ctc_ocr.training.transfer import transfer
from tests.models import save_character_model, save_line_model

VERTICAL: dict[str, Any] = {"writing": "vertical"}


def picture(width: int = 90, height: int = 40, channels: int = 3) -> np.ndarray:
    """A horizontal line of dark bars of different heights."""
    image = np.full((height, width, 3), 230, np.uint8)
    for number, left in enumerate(range(8, width - 8, 12)):
        image[8 : 20 + number, left : left + 5] = (20, 40 + number, 10)
    return image if channels == 3 else image[:, :, 0]


def turned(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image.swapaxes(0, 1))


@pytest.mark.parametrize(
    "data",
    [
        {"keep_ratio": True},
        {"channels": 3, "ink": "auto", "normalise": "image"},
        {"crop": "text", "top_edge": -0.1, "bottom_edge": 0.8, "keep_ratio": True},
    ],
)
def test_it_is_prepared_as_the_transposed_image_is(data: dict[str, Any]) -> None:
    sizes = {"width": 60, "height": 16, **data}
    horizontal, vertical = (Hyperparameters(Data(**sizes, **each)) for each in ({}, VERTICAL))
    image = np.full((120, 200, 3), 230, np.uint8)
    image[50:90, 60:150] = picture()
    found = prepare(turned(image), vertical)
    np.testing.assert_array_equal(found, prepare(image, horizontal))
    assert found.shape[0] == 16


def sample(path: Path, image: np.ndarray, label: str) -> Sample:
    Image.fromarray(image).save(path)
    return Sample(str(path), tuple(label), str(path))


def test_checks_know_the_size_and_the_time_steps_of_the_transposed_image(tmp_path: Path) -> None:
    samples = [sample(tmp_path / "a.png", turned(picture()), "ab" * 8)]
    settings = ctc_ocr.preset("word", data=VERTICAL)
    region = Region.of(settings.data)
    (found,) = check(samples, region=region, steps_of=settings.geometry.steps_of).samples
    assert found.size == (90, 40)
    assert not check(samples, steps_of=settings.geometry.steps_of).samples  # 18 columns wide at a height of 40


def test_choices_keep_the_direction(tmp_path: Path) -> None:
    image = np.full((400, 300, 3), 230, np.uint8)
    image[30:300, 40:65] = turned(picture(270, 25))
    samples = [sample(tmp_path / f"{number}.png", image, "abc") for number in range(3)]
    settings = ctc_ocr.preset("word", data=VERTICAL)
    checked = check(samples, region=Region.of(settings.data))
    chosen, cut = choose(settings, checked, ("crop", "height", "width"))
    assert (chosen.data.writing, chosen.data.crop) == ("vertical", "text")
    width, height = cut.samples[0].size
    assert 200 < width < 300
    assert height < 60


def models(folder: Path) -> list[ctc_ocr.Predictor]:
    """The same weights for horizontal and for vertical text."""
    for writing in ("horizontal", "vertical"):
        save_line_model(folder / writing, writing=writing)
    return [ctc_ocr.Predictor(folder / writing) for writing in ("horizontal", "vertical")]


def test_it_is_read_as_the_transposed_image_is_and_places_are_in_the_upright_one(tmp_path: Path) -> None:
    horizontal, vertical = models(tmp_path)
    image = picture()
    expected, found = horizontal.read(image), vertical.read(turned(image))
    assert found.text == expected.text != ""
    assert found.confidence == expected.confidence
    for one, other in zip(found.characters or [], expected.characters or [], strict=True):
        assert (one.top, one.bottom) == (other.left, other.right) != (None, None)
        assert (one.left, one.right, other.top, other.bottom) == (None,) * 4
    ends = [
        sorted({"left", "right", "top", "bottom"} & set(as_json(each)["characters"][0])) for each in (found, expected)
    ]
    assert ends == [["bottom", "top"], ["left", "right"]]
    described = [Reading(image=None, width=40, height=90, **as_json(each)) for each in (found, expected)]
    assert [type(each.characters[0]).__name__ for each in described] == ["VerticalCharacter", "Character"]


def test_the_description_of_an_onnx_model_names_vertical_text_only(tmp_path: Path) -> None:
    models(tmp_path)
    Image.fromarray(picture()).save(tmp_path / "a.png")
    for writing in ("horizontal", "vertical"):
        path = tmp_path / f"{writing}.onnx"
        made = ctc_ocr.export_onnx(tmp_path / writing, path, images=[tmp_path / "a.png"])
        assert (b'"writing": "vertical"' in made.path.read_bytes()) == (writing == "vertical")
        assert ctc_ocr.Predictor(path).hyperparameters.data.writing == writing


def test_the_renderer_of_horizontal_text_is_refused() -> None:
    settings = ctc_ocr.preset("word", data={**VERTICAL, "renderer": "wild"})
    with pytest.raises(ctc_ocr.InputError, match="writing: the renderer wild writes from left to right"):
        training_data(settings, Captchas())
    with pytest.raises(ctc_ocr.InputError, match="writing vertical.*: for labelled images only"):
        training_data(ctc_ocr.preset("lstm", data=VERTICAL), Captchas())


def test_kernels_of_the_other_direction_are_transposed(tmp_path: Path) -> None:
    """The maps of a vertical network that starts from a horizontal one are the transposed maps of that."""
    convolutions: dict[str, Any] = {
        "features": (4, 6), "kernels": (3, 3), "strides": (1, 1), "pool_heights": (2, 2), "pool_widths": (2, 2),
    }  # fmt: skip
    line = save_line_model(tmp_path / "line", writing="vertical")
    save_character_model(tmp_path / "c", **convolutions)
    values, other = (
        {name: each.asnumpy() for name, each in {**found.arg_params, **found.aux_params}.items()}
        for found in (load(tmp_path / "line", 1), load(tmp_path / "c", 1))
    )
    alphabet = ctc_ocr.Alphabet(tuple("abcd"))
    started, transferred = transfer(values, alphabet, other, alphabet, turned=True)
    assert str(transferred) == "copied: conv0, conv1; new: l0_forward, l0_backward, pred_fc"
    from tests.test_characters import forward

    image = np.random.default_rng(0).normal(size=(1, 1, 12, 16))
    of_line = replace(line, network=replace(line.network, num_layers=1))
    upright = forward(of_line, other, image)
    np.testing.assert_allclose(forward(of_line, started, image.swapaxes(2, 3)).swapaxes(2, 3), upright, atol=1e-5)


def test_a_character_model_starts_a_vertical_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As a command does it: the weights that are trained from are those of the characters, transposed."""
    save_character_model(
        tmp_path / "c", features=(4, 6), kernels=(3, 3), strides=(1, 1), pool_heights=(2, 2), pool_widths=(2, 2)
    )
    line = save_line_model(tmp_path / "line", writing="vertical")
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(12):
        sample(folder / f"{number}.png", turned(picture(60 + number)), "a")
    rows = [f"{number}.png,{'ab'[number % 2]}" for number in range(12)]
    (folder / "labels.csv").write_text("\n".join(rows))
    settings = replace(line, training=replace(line.training, num_epoch=1, samples_per_epoch=32, freeze=("conv",)))
    caplog.set_level("INFO")
    ctc_ocr.train(
        settings, ctc_ocr.LabelledImages(folder), tmp_path / "m", init_from=tmp_path / "c", cpu=1, num_proc=1,
        progress=False,
    )  # fmt: skip
    assert "copied: conv0, conv1; new: l0_forward" in caplog.text
    before, after = load(tmp_path / "c", 1), load(tmp_path / "m", 1)
    kernels = [each.arg_params["conv1_weight"].asnumpy() for each in (before, after)]
    np.testing.assert_array_equal(kernels[1], kernels[0].swapaxes(2, 3))
    moving = [each.aux_params["conv1_norm_moving_mean"].asnumpy() for each in (before, after)]
    np.testing.assert_array_equal(*moving)
