"""Black and white images: by the definitions of both thresholds, and the same in training and reading."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ctc_ocr
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Data
from ctc_ocr.images.binarising import binarise, sauvola_threshold
from ctc_ocr.images.preparation import prepare
from tests.models import save_line_model


def stained() -> np.ndarray:
    """Strokes on paper that grows dark to the right, until it is darker than the ink at the left."""
    paper = np.tile(np.linspace(240, 90, 120), (40, 1))
    for left in range(6, 114, 12):
        paper[8:32, left : left + 4] *= 0.45
    return paper.round().astype(np.uint8)


def strokes() -> np.ndarray:
    return np.asarray(np.isin(np.arange(120), [left + n for left in range(6, 114, 12) for n in range(4)]))


def test_otsu_divides_the_levels_where_the_groups_differ_most() -> None:
    generator = np.random.default_rng(0)
    image = np.where(generator.random((30, 50)) < 0.3, generator.integers(20, 90, (30, 50)), 0)
    image = np.where(image > 0, image, generator.integers(120, 250, (30, 50))).astype(np.uint8)

    def between(threshold: int) -> float:
        dark, light = image[image <= threshold], image[image > threshold]
        return float(len(dark) * len(light) * (dark.mean() - light.mean()) ** 2)

    best = max(range(int(image.min()), int(image.max())), key=between)
    np.testing.assert_array_equal(binarise(image, "otsu"), np.where(image > best, 255, 0))


def test_the_threshold_of_sauvola_is_that_of_the_definition() -> None:
    image = stained()
    found = sauvola_threshold(image)
    half = 21 // 2  # a window of half of 40 pixels, odd
    padded = np.pad(image.astype(np.float64), half, mode="edge")
    for row, column in ((0, 0), (20, 60), (39, 119), (13, 5)):
        window = padded[row : row + 21, column : column + 21]
        expected = window.mean() * (1 + 0.2 * (window.std() / 128 - 1))
        assert found[row, column] == pytest.approx(expected, abs=1e-6)


def test_a_threshold_for_each_pixel_finds_ink_on_paper_of_any_level() -> None:
    image = stained()
    middle = np.zeros((40, 120), bool)
    middle[12:28] = strokes()
    found = {method: (binarise(image, method)[12:28] == 0) != middle[12:28] for method in ("otsu", "sauvola")}
    assert found["sauvola"].mean() < 0.02 < found["otsu"].mean()


def test_images_are_prepared_from_two_levels_whatever_their_ink() -> None:
    settings = Hyperparameters(Data(width=120, height=40, ink="auto", binarise="sauvola"))
    dark = prepare(stained(), settings)
    assert set(np.unique(dark)) == {0, 255}
    light = np.where(np.tile(strokes(), (40, 1)), 230, 30).astype(np.uint8)
    np.testing.assert_array_equal(prepare(light, settings), np.where(light > 100, 0, 255))


def test_an_image_of_one_level_stays_one() -> None:
    for method in ("otsu", "sauvola"):
        assert len(np.unique(binarise(np.full((9, 7), 200, np.uint8), method))) == 1


def test_colours_are_refused() -> None:
    with pytest.raises(ctc_ocr.InputError, match="data.binarise: needs channels 1"):
        ctc_ocr.preset("word", data={"binarise": "otsu", "channels": 3})


def test_an_onnx_model_prepares_in_the_same_way(tmp_path: Path) -> None:
    save_line_model(tmp_path / "m", binarise="sauvola")
    Image.fromarray(stained()).save(tmp_path / "a.png")
    ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx", images=[tmp_path / "a.png"])
    assert b'"binarise": "sauvola"' in (tmp_path / "m.onnx").read_bytes()
    of_mxnet, exported = ctc_ocr.Predictor(tmp_path / "m"), ctc_ocr.Predictor(tmp_path / "m.onnx")
    assert set(np.unique(of_mxnet.prepare(np.tile(stained(), (1, 1))))) > {0, 255}  # resized after it
    np.testing.assert_array_equal(exported.prepare(stained()), of_mxnet.prepare(stained()))
