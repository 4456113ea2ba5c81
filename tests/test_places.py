"""Where characters are found, against boxes that are known since the images are drawn here."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ctc_ocr.config.sections import Data
from ctc_ocr.decoding.alignment import AlignedUnit
from ctc_ocr.images.pixels import Pixels, invert
from ctc_ocr.images.preparation import crop_placed
from ctc_ocr.inference.places import Origin, placed, places
from ctc_ocr.inference.prediction import Character
from ctc_ocr.inference.predictor import Predictor

FONTS = Path(__file__).resolve().parent.parent / "fonts"
READABLE = "23456789abdefhkmnprtwxyABDEFGHKLMNPRTXY"  # without those that look like another


@dataclass(frozen=True)
class Drawn:
    image: Pixels
    text: str
    boxes: list[tuple[float, float]]  # left and right of each character's ink


def drawn(text: str, size: int, gap: float, left: float, font: str = "Ubuntu-M.ttf") -> Drawn:
    """Dark characters, `gap` pixels further apart than the font has them."""
    face = ImageFont.truetype(str(FONTS / font), size)
    right = left + sum(face.getlength(each) + gap for each in text) + left
    picture = Image.new("L", (round(right), 2 * size), 230)
    draw, boxes = ImageDraw.Draw(picture), []
    for each in text:
        first, _, last, _ = draw.textbbox((left, size / 3), each, font=face)
        boxes.append((float(first), float(last)))
        draw.text((left, size / 3), each, font=face, fill=30)
        left += face.getlength(each) + gap
    return Drawn(np.asarray(picture), text, boxes)


def overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Intersection over union of two ranges."""
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return max(0.0, shared) / (max(one[1], other[1]) - min(one[0], other[0]))


def found_places(characters: list[Character] | None) -> list[tuple[float, float]]:
    assert characters is not None
    return [(each.left or 0.0, each.right or 0.0) for each in characters]


@pytest.fixture(scope="module")
def pictures() -> list[Drawn]:
    generator = np.random.default_rng(0)
    return [
        drawn(
            "".join(generator.choice(list(READABLE), generator.integers(1, 8))),
            int(generator.integers(20, 60)), float(generator.choice([0, 3, 12])), float(generator.integers(4, 50)),
            str(generator.choice(["Ubuntu-M.ttf", "Ubuntu-R.ttf"])),
        )
        for _ in range(60)
    ]  # fmt: skip


def test_characters_are_found_where_they_are(pictures: list[Drawn]) -> None:
    """In pixels of the image as it was given, whatever its size; of the starter, that never saw these images."""
    predictor = Predictor("starter")
    read = [(each, predictor.read(each.image)) for each in pictures]
    right = [(each, found) for each, found in read if found.text == each.text]
    assert len(right) > 40
    overlaps = [
        overlap(*pair) for each, found in right for pair in zip(found_places(found.characters), each.boxes, strict=True)
    ]
    assert np.mean(overlaps) > 0.85
    assert np.mean([each > 0.5 for each in overlaps]) > 0.97


def test_a_batch_has_the_same_places_and_without_confidences_there_are_none(pictures: list[Drawn]) -> None:
    predictor = Predictor("starter")
    images = [each.image for each in pictures[:5]]
    for found, image in zip(predictor.predict(images), images, strict=True):
        assert found_places(found.characters) == found_places(predictor.read(image).characters)
    assert [each.characters for each in predictor.predict(images, confidence=False)] == [None] * 5
    (found,) = predictor.predict_prepared([predictor.prepare(images[0])])
    assert {(each.left, each.right) for each in found.characters or []} == {(None, None)}


def test_light_ink_has_the_same_places_as_dark_ink(pictures: list[Drawn]) -> None:
    """Also if it was not inverted: some networks learned light ink as it is."""
    for each in pictures[:10]:
        spans = [(round(left) + 1, round(left) + 3) for left, _ in each.boxes]
        assert places(invert(each.image), spans) == places(each.image, spans)
        assert places(np.dstack([each.image] * 3), spans) == places(each.image, spans)


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_it_does_not_matter_where_in_a_character_its_steps_are(at: float, pictures: list[Drawn]) -> None:
    for each in pictures:
        middles = [left + at * (right - left) for left, right in each.boxes]
        spans = [(round(middle) - 1, round(middle) + 1) for middle in middles]
        overlaps = [overlap(*pair) for pair in zip(places(each.image, spans), each.boxes, strict=True)]
        assert np.mean(overlaps) > 0.7


def test_places_lie_in_the_image_and_do_not_overlap() -> None:
    generator = np.random.default_rng(1)
    for _ in range(200):
        height, width = generator.integers(1, 40, 2)
        image = generator.integers(0, 256, (height, width), dtype=np.uint8)
        starts = np.unique(generator.integers(0, width + 3, generator.integers(1, 6)))
        ends = [end for place in places(image, [(int(each), int(each) + 1) for each in starts]) for end in place]
        assert ends == sorted(ends)
        assert ends[0] >= 0
        assert ends[-1] <= width
    assert places(np.zeros((3, 3), np.uint8), []) == []
    assert places(np.zeros((3, 3), np.uint8), [(0, 0), (0, 0)]) == [(0, 0)] * 2


def test_no_place_is_outside_of_a_letterboxed_image() -> None:
    """In its frame, it has columns 20 to 28 of 48."""
    origin = Origin(-20 / 4, 1 / 4, inner=(20, 28))
    image = np.full((48, 48), 120, np.uint8)  # nothing says where the character is
    (found,) = placed([Character("a", 1.0)], [AlignedUnit(0, 12, 1.0)], image, origin, 4)
    assert (found.left, found.right) == (0, 2)


def test_places_are_told_in_the_image_that_the_line_was_cut_from() -> None:
    line = drawn("Ab3", 20, 2, 10)
    picture = np.full((400, 700), 230, np.uint8)
    picture[150 : 150 + line.image.shape[0], 300 : 300 + line.image.shape[1]] = line.image
    part, left = crop_placed(picture, Data(crop="text"))
    assert part.shape[1] < 300
    assert 280 <= left <= 310
    assert (picture[:, left : left + part.shape[1]].min(axis=0) == part.min(axis=0)).all()
    units = [AlignedUnit(0, 1, 1.0), AlignedUnit(2, 3, 1.0)]
    characters = [Character("a", 1.0), Character("b", 1.0)]
    image = np.full((10, 16), 230, np.uint8)
    image[2:8, 2:4] = image[2:8, 9:12] = 0
    (first, second) = placed(characters, units, image, Origin(100.0, 2.0), 4)
    assert (first.left, first.right) == pytest.approx((100 + 2 * 1, 100 + 2 * 5), abs=2.1)
    assert (second.left, second.right) == pytest.approx((100 + 2 * 8, 100 + 2 * 13), abs=2.1)
