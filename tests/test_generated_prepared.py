"""Generated images of any size as a network's input: prepared, padded, alignable, the same from any batch size."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctc_ocr.alphabet import required_steps
from ctc_ocr.cli.train import main as train
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.presets import preset
from ctc_ocr.datasets.generated_prepared import WINDOW, PreparedSource
from ctc_ocr.generation.seeds import TRAIN, VALIDATION
from ctc_ocr.images.preparation import prepare
from ctc_ocr.rendering.fonts import find_fonts
from ctc_ocr.rendering.renderer import Renderer
from ctc_ocr.rendering.wild import WildRenderer
from ctc_ocr.training.data import training_data
from ctc_ocr.training.settings import Captchas


def settings(batch_size: int = 4, augment: bool = False, **data: Any) -> Hyperparameters:
    return preset(
        "word",
        data={"alphabet": "0123456789abc", "min_length": 1, "max_length": 8, "renderer": "wild", **data},
        training={"batch_size": batch_size},
        augmentation={"augment": augment},
    )


def source(fonts: Path, given: Hyperparameters, stream: int = TRAIN, training: bool = False) -> PreparedSource:
    return PreparedSource(WildRenderer(find_fonts(fonts), given.data), given, 3, stream, training)


def batch(made: PreparedSource, number: int) -> dict[str, np.ndarray[Any, Any]]:
    arrays = {name: np.full(spec.shape, 77, spec.dtype) for name, spec in made.specs().items()}
    made.fill(number, arrays)
    return arrays


def samples(made: PreparedSource, batches: int) -> list[tuple[bytes, bytes, float]]:
    found = []
    for arrays in (batch(made, number) for number in range(batches)):
        for image, label, steps in zip(arrays["images"], arrays["labels"], arrays["steps"], strict=True):
            found.append((image.tobytes(), label.tobytes(), float(steps)))
    return found


@pytest.mark.parametrize("training", [False, True])
def test_samples_are_the_same_from_any_batch_size(fonts_folder: Path, training: bool) -> None:
    small = samples(source(fonts_folder, settings(4, training), TRAIN, training), 16)
    large = samples(source(fonts_folder, settings(8, training), TRAIN, training), 8)
    assert set(small) == set(large)
    assert (small == large) == (not training)  # in training, those of one window are sorted by width
    assert len(set(small)) == 64
    assert set(small).isdisjoint(samples(source(fonts_folder, settings(4), VALIDATION), 16))


def test_batches_of_a_window_have_similar_widths_and_depend_on_their_number_alone(fonts_folder: Path) -> None:
    given = settings(16, augment=False)
    made = source(fonts_folder, given, training=True)
    found = [batch(made, number) for number in range(3 * WINDOW)]
    plain = [batch(source(fonts_folder, given), number) for number in range(3 * WINDOW)]
    assert np.mean([arrays["width"] for arrays in found]) < np.mean([arrays["width"] for arrays in plain]) - 10
    for number in (7, 2, 8):  # as another process asks for them
        again = batch(pickle.loads(pickle.dumps(made)), number)
        assert all(np.array_equal(again[name], found[number][name]) for name in again)
    orders = [tuple(int(each["steps"].max()) for each in found[n : n + WINDOW]) for n in range(0, 3 * WINDOW, WINDOW)]
    assert any(list(order) != sorted(order) for order in orders)


def test_images_are_prepared_as_labelled_images_are(fonts_folder: Path) -> None:
    given = settings(4)
    made = source(fonts_folder, given)
    arrays = batch(made, 0)
    for n in range(4):
        text = "".join(given.data.alphabet[int(code) - 1] for code in arrays["labels"][n] if code)
        width = int(arrays["steps"][n]) * given.geometry.columns_per_step
        image = arrays["images"][n]
        assert (image[:, width:] == round(given.network.input_mean)).all()
        assert image.shape == (40, 192)
        assert 1 <= len(text) <= 8
        assert image[:, : width - 4].std() > 3
    assert int(arrays["width"][0]) >= max(arrays["steps"]) * given.geometry.columns_per_step - 4


class Narrow(Renderer):
    """A bar, far too narrow for its text."""

    def render(self, text: str, generator: np.random.Generator) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return np.full((50, 3), generator.integers(0, 100), np.uint8)


@pytest.mark.parametrize("augmented", [False, True])
def test_an_image_too_narrow_for_its_label_is_widened(augmented: bool) -> None:
    given = settings(16, augmented, alphabet="ab")
    arrays = batch(PreparedSource(Narrow(), given, 0, TRAIN, augmented), 0)
    for label, steps in zip(arrays["labels"], arrays["steps"], strict=True):
        assert steps >= required_steps([code for code in label if code])


def test_colours_and_light_ink(fonts_folder: Path) -> None:
    given = settings(4, channels=3, ink="light")
    made = source(fonts_folder, given)
    arrays = batch(made, 0)
    assert arrays["images"].shape == (4, 40, 192, 3)
    assert (arrays["images"][..., 0] != arrays["images"][..., 2]).any()
    image = made.renderer.render_seeded("a", 3)
    assert not np.array_equal(prepare(image, given), prepare(image, settings(4, channels=3)))
    grey = batch(PreparedSource(Narrow(), given, 0, TRAIN, False), 0)
    assert (grey["images"][..., 0] == grey["images"][..., 2]).all()


def test_sources_that_a_run_gets(fonts_folder: Path) -> None:
    found = training_data(settings(4, True), Captchas(fonts_folder))
    train_source, validation = found.train, found.validation
    assert isinstance(train_source, PreparedSource)
    assert isinstance(validation, PreparedSource)
    assert (train_source.training, validation.training) == (True, False)
    assert (train_source.stream, validation.stream) == (TRAIN, VALIDATION)
    assert found.samples_per_epoch == 15_000
    own = training_data(settings(4, alphabet="ab"), Captchas(renderer=Narrow()))
    assert isinstance(own.train, PreparedSource)


@pytest.mark.slow
def test_a_model_is_trained_on_wild_images(tmp_path: Path, fonts_folder: Path) -> None:
    small = ["--alphabet=01", "--min_length=1", "--max_length=2", "--features=4,4,4,4,4", "--num_hidden=8"]
    short = ["--num_epoch=1", "--samples_per_epoch=64", "--validation_samples=16", "--cpu=1", "--num_proc=1"]
    arguments = ["--preset=word", "--renderer=wild", *small, *short]
    assert train([str(fonts_folder), *arguments, f"--prefix={tmp_path / 'wild'}"]) == 0
    described = json.loads((tmp_path / "wild.json").read_text(encoding="utf-8"))
    assert described["hyperparameters"]["data"]["renderer"] == "wild"
    assert (tmp_path / "wild-0001.params").is_file()


def test_a_missing_glyph_is_an_error_of_arguments(fonts_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train([str(fonts_folder), "--preset=word", "--renderer=wild", "--alphabet=0字", "--num_proc=1"]) == 2
    assert "no font has a glyph for '字'" in capsys.readouterr().err
