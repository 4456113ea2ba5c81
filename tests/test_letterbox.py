"""Images in a frame of one size: where they are, what is around them, and where their characters are found."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ctc_ocr.config.presets import preset
from ctc_ocr.errors import InputError
from ctc_ocr.images.letterbox import letterbox_of, letterboxed
from ctc_ocr.images.pixels import resize
from ctc_ocr.images.preparation import prepare
from ctc_ocr.inference.predictor import Predictor
from tests.models import save_character_model


@pytest.mark.parametrize("size", [(10, 40), (40, 10), (30, 30), (1, 200), (333, 7)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_image_is_in_the_middle_of_paper(size: tuple[int, int], channels: int) -> None:
    rng = np.random.default_rng(0)
    columns, rows = size
    shape = (rows, columns) if channels == 1 else (rows, columns, 3)
    image = rng.integers(0, 256, shape, np.uint8)
    image[0], image[-1], image[:, 0], image[:, -1] = 201, 201, 201, 201
    framed = letterboxed(image, 64, 48)
    assert framed.shape[:2] == (48, 64)
    place = letterbox_of(columns, rows, 64, 48)
    assert place.width == 64 or place.height == 48
    scale = min(64 / columns, 48 / rows)
    assert abs(place.width - columns * scale) <= 0.5 or place.width == 1
    assert abs(place.height - rows * scale) <= 0.5 or place.height == 1
    inner = (slice(place.top, place.top + place.height), slice(place.left, place.left + place.width))
    assert np.array_equal(framed[inner], resize(image, place.width, place.height))
    paper = framed.copy()
    paper[inner] = 201
    assert (paper == 201).all()
    assert abs(48 - place.height - 2 * place.top) <= 1
    assert abs(64 - place.width - 2 * place.left) <= 1


def test_images_are_prepared_in_it() -> None:
    settings = preset("character", data={"height": 32, "width": 32, "normalise": "fixed", "letterbox": True})
    tall = np.full((60, 20), 200, np.uint8)
    tall[10:50, 8:12] = 10
    prepared = prepare(tall, settings)
    assert prepared.shape == (32, 32)
    ys, xs = np.nonzero(prepared < 100)
    assert 18 <= np.ptp(ys) + 1 <= 24
    assert np.ptp(xs) + 1 <= 4  # stretched, it would be 6 wide and more
    with pytest.raises(InputError, match="letterbox"):
        preset("word", data={"letterbox": True})


def test_places_are_in_the_image_as_given(tmp_path: Path) -> None:
    """With a model of random weights: the one character is where the ink is."""
    save_character_model(tmp_path / "ocr", seed=2, data={"letterbox": True, "width": 64, "height": 48})
    image = np.full((90, 30), 230, np.uint8)
    cv2.rectangle(image, (12, 20), (20, 70), 0, -1)
    characters = Predictor(tmp_path / "ocr").read(image).characters
    assert characters
    character = characters[0]
    assert character.left == pytest.approx(12, abs=5)
    assert character.right == pytest.approx(21, abs=5)
