"""How the colours of an image become grey."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ctc_ocr
from ctc_ocr.images.grey import grey
from tests.models import save_line_model

COLOURS = np.random.default_rng(0).integers(0, 256, (30, 80, 3)).astype(np.uint8)


def expected(kind: str) -> np.ndarray:
    levels = COLOURS.astype(int)
    most, least = levels.max(axis=2), levels.min(axis=2)
    return {"max": most, "min": least, "unsaturated": np.minimum(255, 2 * most - least)}[kind]


def by_paper(image: np.ndarray) -> np.ndarray:
    """The grey `paper` of a small image, with planes by NumPy's least squares."""
    found: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    pixels = [tuple(map(int, pixel)) for pixel in image.reshape(-1, 3)]
    for pixel in pixels:
        found.setdefault(tuple(value // 16 for value in pixel), []).append(pixel)
    most = max(len(each) for each in found.values())
    _, members = min((key, each) for key, each in found.items() if len(each) == most)
    colours, terms = image.reshape(-1, 3).astype(float), terms_of(*image.shape[:2])
    paper = np.full(colours.shape, [sum(values) // len(values) for values in zip(*members, strict=True)], float)
    for _ in range(10):
        near = (np.abs(colours - paper) <= 32).all(axis=1)
        paper = np.rint(terms @ np.linalg.lstsq(terms[near], colours[near], rcond=None)[0]).clip(0, 255)
    return 255 - np.abs(colours - paper).max(axis=1).reshape(image.shape[:2])


def terms_of(height: int, width: int) -> np.ndarray:
    """(height * width, 3): 1, row and column."""
    rows, columns = np.indices((height, width))
    return np.stack((np.ones(height * width), rows.ravel(), columns.ravel()), axis=1)


@pytest.mark.parametrize("kind", ["max", "min", "unsaturated"])
def test_each_kind_is_what_its_name_says(kind: str) -> None:
    np.testing.assert_array_equal(grey(COLOURS, kind), expected(kind))
    plain = COLOURS[:, :, 0]
    assert grey(plain, kind) is plain
    np.testing.assert_array_equal(grey(np.stack([plain] * 3, axis=2), kind), plain)


def test_paper_is_light_and_ink_of_any_colour_is_dark() -> None:
    image = np.full((20, 30, 3), (100, 60, 180), np.uint8)
    image[2:5, 3:9] = (240, 60, 180)
    image[8:11, 3:9] = (100, 60, 40)
    levels = grey(image, "paper")
    assert levels.dtype == np.uint8
    assert {*levels[2:5, 3:9].flat, *levels[8:11, 3:9].flat} == {115}
    assert (levels == 255).sum() == 600 - 36
    for noisy in (np.right_shift(COLOURS[:20], 3), np.add(image, np.right_shift(COLOURS[:20, :30], 4))):
        np.testing.assert_array_equal(grey(noisy, "paper"), by_paper(noisy))
    plain = image[:, :, 0]
    np.testing.assert_array_equal(grey(plain, "paper"), by_paper(np.stack([plain] * 3, axis=2)))
    white = np.where(COLOURS < 30, COLOURS, 255).astype(np.uint8)
    np.testing.assert_array_equal(grey(white, "paper"), grey(white, "min"))


def test_paper_may_change_evenly() -> None:
    """A gradient from red to blue, with ink that is lighter than the paper at one end, and darker at the other."""
    rows, columns = np.indices((30, 60))
    paper = np.stack((230 - 3 * columns, 40 + rows, 20 + 3 * columns), axis=2)
    image = np.add(paper, COLOURS[:30, :60] % 5).astype(np.uint8)
    image[10:20, 5:55:10] = (130, 150, 120)
    levels = grey(image, "paper")
    is_ink = (image == (130, 150, 120)).all(axis=2)
    assert levels[~is_ink].min() >= 250
    assert levels[is_ink].max() < 180
    np.testing.assert_array_equal(levels, by_paper(image))


def test_paper_of_one_row_or_one_column() -> None:
    line = np.add(np.arange(200, 100, -2, dtype=np.uint8)[:, None], (0, 10, 20)).astype(np.uint8)
    for image in (line[None], line[:, None]):
        np.testing.assert_array_equal(grey(image, "paper"), 255)
    assert grey(np.full((1, 1, 3), 7, np.uint8), "paper").tolist() == [[255]]


@pytest.mark.parametrize("kind", ["max", "unsaturated", "paper"])
def test_a_model_reads_files_arrays_and_onnx_in_the_same_way(kind: str, tmp_path: Path) -> None:
    save_line_model(tmp_path / "m", grey=kind)
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx", images=[tmp_path / "a.png"])
    assert f'"grey": "{kind}"'.encode() in (tmp_path / "m.onnx").read_bytes()
    of_mxnet, exported = ctc_ocr.Predictor(tmp_path / "m"), ctc_ocr.Predictor(tmp_path / "m.onnx")
    prepared = of_mxnet.prepare(tmp_path / "a.png")
    for each in (of_mxnet.prepare(COLOURS), exported.prepare(COLOURS), exported.prepare(tmp_path / "a.png")):
        np.testing.assert_array_equal(each, prepared)


def test_other_greys_are_for_grey_networks_and_labelled_images(ubuntu_font: str, tmp_path: Path) -> None:
    with pytest.raises(ctc_ocr.InputError, match=r"data\.grey: needs channels 1"):
        ctc_ocr.preset("word", data={"grey": "max", "channels": 3})
    settings = ctc_ocr.preset("crnn", data={"grey": "max"})
    with pytest.raises(ctc_ocr.InputError, match="grey max"):
        ctc_ocr.train(settings, ctc_ocr.Captchas(ubuntu_font), tmp_path / "ocr")
