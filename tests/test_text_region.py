"""A line of small characters is found in a picture, and nothing is cut from images that are full of text."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ctc_ocr.config.presets import preset
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.experiments.label_readings import read_labelled
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.images.preparation import channels_to_read, prepare
from ctc_ocr.images.text_region import Box, cut_text, find_text
from ctc_ocr.inference.predictor import Predictor
from tests.models import save_character_model
from tests.pictures import BACKGROUNDS, HEIGHT, WIDTH, picture

COUNT = 8


def covers(outer: Box, inner: Box) -> bool:
    return (
        outer.left <= inner.left and outer.top <= inner.top
        and outer.right >= inner.right and outer.bottom >= inner.bottom
    )  # fmt: skip


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("light", [False, True])
def test_the_line_is_found_wherever_it_is(background: str, light: bool, ubuntu_font: str) -> None:
    """In nearly all pictures: whole, and with little around it."""
    good = 0
    for seed in range(COUNT):
        image, _, line = picture(seed, ubuntu_font, background, light)
        found = find_text(image)
        assert found is not None
        cut = found.with_margins(WIDTH, HEIGHT)
        good += covers(cut, line) and cut.height < 2.5 * line.height and cut.width < line.width + 4 * line.height
    assert good >= COUNT - 1


@pytest.mark.parametrize("text", ["T 1 7305", "L 1 1 J 7"])
def test_all_words_of_a_line_are_found(text: str, fonts_folder: str) -> None:
    """In a font for typewriters, whose spaces are as wide as a character, of nearly all sizes."""
    found = 0
    sizes = range(20, 44, 2)
    for size in sizes:
        image = Image.new("L", (400, 240), 220)
        draw, font = ImageDraw.Draw(image), ImageFont.truetype(f"{fonts_folder}/UbuntuMono-R.ttf", size)
        draw.text((90, 100), text, font=font, fill=40)
        left, _, right, _ = draw.textbbox((90, 100), text, font=font)
        box = find_text(np.array(image))
        found += box is not None and box.left <= left + size // 4 and box.right >= right - size // 4
    assert found >= len(sizes) - 1


def test_a_line_at_the_edge_keeps_what_margin_there_is(ubuntu_font: str) -> None:
    image, _, line = picture(3, ubuntu_font)
    image = image[line.top - 1 : line.top + 320, line.left - 1 :]
    found = find_text(image)
    assert found is not None
    assert found.with_margins(image.shape[1], image.shape[0]).top == 0
    assert cut_text(image)[0].shape[0] < 2 * line.height


def test_where_nothing_stands_out_the_whole_image_is_kept() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (360, 640, 3), dtype=np.uint8)
    for image in (np.full((360, 640, 3), 200, np.uint8), noise, noise[:20, :20], noise[:, :, 0], noise[:1, :1]):
        assert find_text(image) is None
        assert cut_text(image)[0] is image
        assert cut_text(image)[1] == 0


def captcha(height: int = 60, width: int = 160) -> Pixels:
    """Characters over most of the height, with lines across them."""
    image = np.full((height, width, 3), 230, np.uint8)
    cv2.putText(image, "7gK2", (10, 3 * height // 4), cv2.FONT_HERSHEY_SIMPLEX, height / 40, (30, 60, 120), 3)
    cv2.line(image, (0, 10), (width, height - 10), (90, 30, 30), 1)
    return image


def test_a_captcha_full_of_text_is_not_small_text() -> None:
    found = find_text(captcha(), largest=1.0)
    assert found is not None
    assert found.height > 0.5 * 60


def test_a_large_picture_is_searched_at_a_bounded_size(ubuntu_font: str) -> None:
    image, _, line = picture(1, ubuntu_font)
    found = find_text(cv2.resize(image, None, fx=4, fy=4))
    assert found is not None
    assert covers(
        found.with_margins(4 * WIDTH, 4 * HEIGHT),
        Box(*(4 * each for each in (line.left, line.top, line.right, line.bottom))),
    )


def test_a_cut_out_line_does_not_keep_the_picture_in_memory(ubuntu_font: str) -> None:
    image, *_ = picture(0, ubuntu_font)
    assert cut_text(image)[0].base is None


def equally_grey(font: str) -> Pixels:
    """Text and paper of one grey level, in two colours."""
    image, *_ = picture(0, font)
    ink = image[:, :, 0] < 100
    return np.where(ink[:, :, np.newaxis], (255, 90, 90), (100, 166, 180)).astype(np.uint8)


def test_grey_images_are_cropped_by_the_text_in_their_colours(ubuntu_font: str) -> None:
    """Text of the same grey level as its paper is found, since the image is read in colour."""
    image = equally_grey(ubuntu_font)
    settings = preset("word", data={"crop": "text"})
    assert channels_to_read(settings.data) == 3
    assert channels_to_read(preset("word").data) == 1
    assert prepare(image, settings).shape[1] > 1.5 * prepare(image, preset("word")).shape[1]


def test_an_audit_crops_as_reading_does(ubuntu_font: str, tmp_path: Path) -> None:
    """It would see no text in grey."""
    Image.fromarray(equally_grey(ubuntu_font)).save(tmp_path / "a.png")
    save_character_model(str(tmp_path / "m"), data={"crop": "text"})
    predictor = Predictor(str(tmp_path / "m"))
    (found,) = read_labelled(predictor, [Sample(str(tmp_path / "a.png"), ("a",), "row")])
    assert found.log_probability == predictor.read(tmp_path / "a.png").log_probability


def test_cropped_images_are_of_the_networks_channels(ubuntu_font: str) -> None:
    image, *_ = picture(0, ubuntu_font)
    for channels, shape in ((1, (40,)), (3, (40, 3))):
        made = prepare(image, preset("word", data={"crop": "text", "channels": channels}))
        assert (made.shape[0], *made.shape[2:]) == shape
