"""Training images that are joined from pieces of two: the cuts, the texts, and a training with them."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import ctc_ocr
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.datasets.labelled import LabelledBatches, LabelledImage
from ctc_ocr.datasets.mixing import cuts_between, mix
from ctc_ocr.inference.cuts import find_cuts
from ctc_ocr.runtime.mxnet import mx

CELL = 30  # pixels for each character


def bars(*levels: int) -> np.ndarray:
    """(20, 10 * n) uint8: a block of one level for each unit."""
    return np.repeat(np.repeat(np.array([levels], np.uint8), 20, axis=0), 10, axis=1)


def parts(*levels: int) -> tuple[np.ndarray, tuple[int, ...], tuple[float, ...]]:
    """An image whose units have their levels as codes, with its cuts."""
    return bars(*levels), levels, tuple(number / len(levels) for number in range(1, len(levels)))


def test_texts_and_pixels_stay_together() -> None:
    generator = np.random.default_rng(0)
    texts = set()
    for _ in range(60):
        image, codes = mix(parts(10, 20, 30, 40), parts(110, 120, 130, 140), generator)
        assert image.shape == (20, 40)
        # Away from the seams, each block has the level of its code.
        assert [int(image[10, 10 * number + 5]) for number in range(4)] == list(codes)
        texts.add(codes)
    assert texts == {(10, 120, 130, 140), (10, 20, 130, 140), (10, 20, 30, 140)}


def test_texts_of_other_lengths_are_joined_at_their_ends() -> None:
    generator = np.random.default_rng(0)
    longer = {mix(parts(10, 20, 30), parts(110, 120, 130, 140, 150), generator)[1] for _ in range(40)}
    assert longer == {(10, 140, 150), (10, 20, 150)}
    shorter = {mix(parts(10, 20, 30), parts(110, 120), generator)[1] for _ in range(40)}
    assert shorter == {(10, 20, 120)}
    for left, right in ((parts(10), parts(110, 120)), (parts(10, 20), parts(110))):
        image, codes = mix(left, right, generator)
        assert codes == left[1]
        assert image is left[0]


def test_a_cut_is_half_way_between_two_units() -> None:
    assert cuts_between([(1, 2), (4, 5), (5, 7)], num_steps=10) == (0.3, 0.5)
    assert cuts_between([(1, 2)], num_steps=10) == ()


@pytest.fixture(scope="module")
def spaced(tmp_path_factory: pytest.TempPathFactory, ubuntu_font: str) -> Path:
    """24 images of four digits, one in the middle of each cell of 30 columns."""
    folder = tmp_path_factory.mktemp("spaced")
    font = ImageFont.truetype(ubuntu_font, 32)
    generator = np.random.default_rng(0)
    rows = []
    for number in range(24):
        text = "".join(map(str, generator.integers(10, size=4)))
        image = Image.new("L", (4 * CELL, 40), 250)
        for place, character in enumerate(text):
            ImageDraw.Draw(image).text((CELL * (place + 0.5), 20), character, fill=10, font=font, anchor="mm")
        image.save(folder / f"{number}.png")
        rows.append((f"{number}.png", text))
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "label"), *rows])
    return folder


def test_the_starter_finds_the_places_between_characters(spaced: Path) -> None:
    settings = ctc_ocr.preset("word")
    samples = [each.sample for each in check_source(spaced).samples]
    cuts = find_cuts(find_model("starter"), settings.data, samples, mx.cpu())
    found = [each for each in cuts if each is not None]
    assert len(found) >= 20
    expected = np.array([0.25, 0.5, 0.75])
    assert np.abs(np.array(found) - expected).max() < 0.4 / 4  # within the gap of its cell


def test_batches_have_new_texts_and_are_the_same_again(spaced: Path) -> None:
    settings = ctc_ocr.preset("word", augmentation={"mix": 1.0}, training={"batch_size": 8})
    alphabet = Alphabet(tuple("0123456789"))
    checked = check_source(spaced)
    images = [
        LabelledImage(each.sample, tuple(alphabet.encode(each.units)), each.size, (0.25, 0.5, 0.75))
        for each in checked.samples
    ]
    source = LabelledBatches(images, settings, 4, shuffle=True)
    labels = {tuple(alphabet.encode(each.units)) for each in checked.samples}

    def batch(source: LabelledBatches) -> dict[str, np.ndarray]:
        arrays = {name: np.zeros(spec.shape, spec.dtype) for name, spec in source.specs().items()}
        source.fill(1, arrays)
        return arrays

    once, again = batch(source), batch(replace(source, _cache={}))
    assert all((once[name] == again[name]).all() for name in once)
    new = [tuple(row) not in labels for row in once["labels"].astype(int).tolist()]
    assert sum(new) >= 6
    without = LabelledBatches([replace(each, cuts=None) for each in images], settings, 4, shuffle=True)
    assert all(tuple(row) in labels for row in batch(without)["labels"].astype(int).tolist())


def test_a_resumed_run_mixes_the_same_images(spaced: Path, tmp_path: Path) -> None:
    settings = ctc_ocr.preset(
        "word", augmentation={"mix": 0.5},
        training={
            "num_epoch": 2, "samples_per_epoch": 32, "batch_size": 8, "schedule": "constant", "warmup_updates": 0,
        },
    )  # fmt: skip
    whole = ctc_ocr.train(settings, spaced, tmp_path / "whole", num_proc=1)
    first = replace(settings, training=replace(settings.training, num_epoch=1))
    ctc_ocr.train(first, spaced, tmp_path / "part", num_proc=1)
    resumed = ctc_ocr.train(settings, spaced, tmp_path / "part", num_proc=1, resume=True)
    assert [row.train_loss for row in whole.history] == [row.train_loss for row in resumed.history]
