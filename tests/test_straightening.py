"""Lines of text at another angle and height in each image are straightened before they are read."""

import logging
import pickle
import string
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import ctc_ocr
from ctc_ocr.checkpoint.starter import STARTER
from ctc_ocr.cli.train import main as train
from ctc_ocr.datasets import choices
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.datasets.choices import choose, description
from ctc_ocr.datasets.labelled import LabelledBatches
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.datasets.straightened import StraightenedSample
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.images.placement import CENTRED, Placement
from ctc_ocr.images.png import encode_png
from ctc_ocr.images.preparation import load
from ctc_ocr.images.region import Region
from ctc_ocr.inference.calibrate import calibrate
from ctc_ocr.inference.likely_region import likely_region
from ctc_ocr.inference.prediction import Prediction
from ctc_ocr.inference.predictor import Predictor, straightener
from ctc_ocr.inference.straightening import Straightener
from ctc_ocr.lengths import Lengths
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.data import training_data
from ctc_ocr.training.reading import straightened_by_starter
from ctc_ocr.training.settings import Captchas, LabelledImages

STRAIGHT = {"straighten": "starter", "top_edge": 0.3, "bottom_edge": 0.7}
TURNS, DOWNS = (-21.0, -14.0, -7.0, 7.0, 14.0, 21.0), (-0.1, 0.0, 0.1)


def page(text: str, font: str, placement: Placement) -> Pixels:
    """(200, 320) uint8: a text that is turned and lies below the middle, so that the placement straightens it."""
    image = Image.new("L", (320, 200), 230)
    ImageDraw.Draw(image).text((160, 100), text, font=ImageFont.truetype(font, 56), fill=20, anchor="mm")
    back = cv2.getRotationMatrix2D((159.5, 99.5), placement.turn, 1.0)
    back[1, 2] -= placement.down * 200
    return np.asarray(
        cv2.warpAffine(
            np.array(image), back, (320, 200), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )  # fmt: skip


def write_pages(folder: Path, font: str, placements: Sequence[Placement], clutter: int = 0) -> list[Path]:
    """Numbers of four digits, one for each placement, named by them; `clutter`: lines in each image."""
    folder.mkdir()
    paths = []
    dice = np.random.default_rng(3)
    for number, placement in enumerate(placements):
        text = str(1000 + 7919 * (number + 1) % 9000)
        paths.append(folder / f"{text}.png")
        image = page(text, font, placement)
        for x0, y0, x1, y1 in dice.integers(0, (320, 200, 320, 200), (clutter, 4)).tolist():
            cv2.line(image, (x0, y0), (x1, y1), 20, 4)
        Image.fromarray(image).save(paths[-1])
    return paths


def crooked(number: int) -> list[Placement]:
    return [Placement(TURNS[each % len(TURNS)], DOWNS[each % len(DOWNS)]) for each in range(number)]


def test_a_placement_turns_a_line_level_and_into_the_middle() -> None:
    image = np.full((101, 301, 3), 255, np.uint8)
    angle = np.radians(20)
    ends = [(150 + sign * 100 * np.cos(angle), 60 + sign * 100 * np.sin(angle)) for sign in (-1, 1)]
    (x0, y0), (x1, y1) = [(round(x), round(y)) for x, y in ends]
    cv2.line(image, (x0, y0), (x1, y1), (0, 0, 0), 3)
    down = 10 * np.cos(angle) / 101  # of its middle, ten pixels below the image's, once the image is turned
    straight = Placement(20, down).straightened(image)
    assert straight.shape == image.shape
    rows = np.flatnonzero((straight[:, 120:180] < 128).any(axis=(1, 2)))
    assert len(rows) <= 8  # over 60 columns: 22 more if it were not level
    assert abs(rows.mean() - 50) <= 1
    assert CENTRED.straightened(image) is image


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3)])
def test_a_straightened_sample_reads_what_its_placement_makes_of_the_image(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    (tmp_path / "a.png").write_bytes(encode_png(pixels))
    sample = Sample(str(tmp_path / "a.png"), ("1", "2"), "labels.csv, row 2")
    channels, placement = len(shape[2:]) * 2 + 1, Placement(7, 0.1)
    straight = pickle.loads(pickle.dumps(StraightenedSample.made(sample, placement, channels)))
    assert (straight.units, straight.where) == (sample.units, sample.where)
    assert np.array_equal(read_image(straight.read_bytes(), channels=channels), placement.straightened(pixels))
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"labels\.csv, row 2"):
        straight.read_bytes()


def test_lines_are_found_by_what_the_starter_reads(ubuntu_font: str) -> None:
    data = ctc_ocr.preset("word", data=STRAIGHT).data
    how = straightener(data, Lengths(4, 4, 0.01))
    assert how is not None
    placements = crooked(6)
    found = [how.placement(page("4827", ubuntu_font, each)) for each in placements]
    assert all(abs(each.turn - there.turn) <= 7 for each, there in zip(found, placements, strict=True))
    assert all(abs(each.down - there.down) <= 0.1 for each, there in zip(found, placements, strict=True))
    assert how.placement(np.full((200, 320), 230, np.uint8)) == CENTRED  # no text
    photograph = cv2.resize(page("4827", ubuntu_font, placements[0]), (2560, 1600))
    assert how.placement(photograph) == found[0]


def reader_of(how: Straightener, allowed: str) -> Callable[[list[Pixels]], list[Prediction]]:
    """A network that straightened images may be for: the starter, with texts of four of some units."""
    network = Predictor(STARTER, decoder=Decoder(views=1, allowed=allowed, lengths=Lengths(4, 4, 0.01)))
    return lambda images: network.predict_prepared([network.prepare(how.region.cut(each)) for each in images])


def test_of_two_lines_that_which_the_network_reads_is_found(ubuntu_font: str) -> None:
    how = straightener(ctc_ocr.preset("word", data=STRAIGHT).data, Lengths(4, 4, 0.01))
    assert how is not None
    digits, letters = page("4827", ubuntu_font, Placement(0, -0.2)), page("KRWT", ubuntu_font, Placement(0, 0.2))
    both = np.minimum(digits, letters)
    assert how.refined_placement(both, reader_of(how, string.digits)).down < 0
    assert how.refined_placement(both, reader_of(how, string.ascii_uppercase)).down > 0


@pytest.mark.parametrize("there", [Placement(10.5, 0.05), Placement(-17.5, -0.05), Placement(3.5, 0.15)])
def test_a_line_between_two_placements_is_found_by_half_a_step(there: Placement, ubuntu_font: str) -> None:
    tight = {"straighten": "starter", "top_edge": 0.38, "bottom_edge": 0.62}  # a tenth of the height cuts digits
    how = straightener(ctc_ocr.preset("word", data=tight).data, Lengths(4, 4, 0.01))
    assert how is not None
    image = page("4827", ubuntu_font, there)
    assert abs(how.placement(image).down - there.down) == pytest.approx(0.05)
    assert how.refined_placement(image, reader_of(how, string.digits)).down == pytest.approx(there.down)
    blank = np.full_like(image, 230)
    assert how.refined_placement(blank, reader_of(how, string.digits)) == CENTRED


def test_straightening_is_chosen_where_it_makes_the_labels_clearly_likelier(
    tmp_path: Path, ubuntu_font: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of few images."""
    write_pages(tmp_path / "crooked", ubuntu_font, crooked(12), clutter=12)
    samples = check_source(tmp_path / "crooked")
    find = partial(likely_region, STARTER)
    settings, _ = choose(ctc_ocr.preset("word"), samples, ["top_edge", "bottom_edge", "straighten"], find)
    assert settings.data.straighten == "starter"
    assert settings.data.top_edge > 0.1
    assert "with its line of text straightened" in description(settings)
    assert likely_region(STARTER, samples.samples, names=["top_edge", "bottom_edge"]).is_straight is False
    cut = likely_region(STARTER, samples.samples, Region("text"), names=["crop", "straighten"])
    assert (cut.is_straight, cut.region.crop) == (True, "none")
    assert likely_region(STARTER, samples.samples, Region("text"), names=["straighten"]).region.crop == "text"
    monkeypatch.setattr(choices, "FEW", 12)
    settings, _ = choose(ctc_ocr.preset("word"), samples, ["top_edge", "bottom_edge", "straighten"], find)
    assert settings.data.straighten == "none"  # of so many images, each would take some tenths of a second
    write_pages(tmp_path / "level", ubuntu_font, [CENTRED] * 12, clutter=12)
    level = likely_region(STARTER, check_source(tmp_path / "level").samples)
    assert level.is_straight is False


def test_where_the_user_has_images_straightened_their_rows_are_chosen(tmp_path: Path, ubuntu_font: str) -> None:
    """Also of images that are few, or that the starter reads well: level ones."""
    write_pages(tmp_path / "level", ubuntu_font, [CENTRED] * 12)
    samples = check_source(tmp_path / "level")
    given = ctc_ocr.preset("word", data={"straighten": "starter"})
    find = partial(likely_region, STARTER)
    data = choose(given, samples, ["crop", "top_edge", "bottom_edge", "ink"], find)[0].data
    assert (data.crop, data.straighten) == ("none", "starter")
    assert data.bottom_edge - data.top_edge in (pytest.approx(0.4), pytest.approx(0.5), pytest.approx(0.65))
    data = choose(given, samples, ["crop", "ink"], find)[0].data
    assert (data.top_edge, data.bottom_edge, data.straighten) == (0.0, 1.0, "starter")


def test_the_network_is_given_straightened_images_in_training_and_later(tmp_path: Path, ubuntu_font: str) -> None:
    paths = write_pages(tmp_path / "pages", ubuntu_font, crooked(12))
    settings = ctc_ocr.preset("word", data={**STRAIGHT, "ink": "dark"}, training={"batch_size": 4})
    images = LabelledImages(tmp_path / "pages")
    data = training_data(settings, images, progress=False, straighten=straightened_by_starter)
    parts = [each for each in (data.train, data.validation) if isinstance(each, LabelledBatches)]
    fed = [image for part in parts for image in part.images]
    assert sorted(each.sample.label for each in fed) == sorted(path.stem for path in paths)
    assert all(isinstance(each.sample, StraightenedSample) for each in fed)
    assert not any(isinstance(each, StraightenedSample) for each in data.held_out)
    how = straightener(settings.data, Lengths(4, 4, 1 / 12))
    assert how is not None
    for each in fed:
        straight = how.straightened(read_image(each.sample.image, channels=1))
        expected = load(encode_png(straight), "straight", settings)
        assert np.array_equal(load(each.sample.read_bytes(), "fed", settings), expected)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, ubuntu_font: str) -> tuple[Path, list[Path]]:
    """A prefix, after a single update from the starter, and images."""
    folder = tmp_path_factory.mktemp("straight")
    paths = write_pages(folder / "pages", ubuntu_font, crooked(12))
    flags = ["--straighten=starter", "--top_edge=0.3", "--bottom_edge=0.7", "--ink=dark", "--grey=luminance"]
    budget = ["--num_epoch=1", "--samples_per_epoch=8", "--batch_size=8", "--cpu=1", "--num_proc=1", "--views=1"]
    assert train(["--data", str(folder / "pages"), "--prefix", str(folder / "ocr"), *flags, *budget]) == 0
    return folder / "ocr", paths


def test_a_trained_model_straightens_what_it_reads(trained: tuple[Path, list[Path]], ubuntu_font: str) -> None:
    prefix, _ = trained
    predictor = Predictor(prefix)
    assert predictor.hyperparameters.data.straighten == "starter"
    read = predictor.read(page("3591", ubuntu_font, Placement(-21, 0.1)))
    level = predictor.read(page("3591", ubuntu_font, CENTRED))
    assert read.text == level.text == "3591"
    assert read.characters
    assert all(each.left is None for each in read.characters)  # the places would be those of the straightened image


def test_confidences_are_calibrated_by_images_as_they_are_read_later(
    trained: tuple[Path, list[Path]], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix, paths = trained
    paths = paths[:5]
    samples = [Sample(str(each), tuple(each.stem), str(each)) for each in paths]
    caplog.set_level(logging.INFO, logger="ctc_ocr")
    (read,) = calibrate(str(prefix), [1], [], mx.cpu(), samples).values()
    assert read.images == 5
    right = sum(each.text == path.stem for each, path in zip(Predictor(prefix).predict(paths), paths, strict=True))
    assert f"reads {right} of 5 validation images where it finds the lines itself" in caplog.text
    monkeypatch.setattr("ctc_ocr.inference.calibrate.MAX_TURNED", 3)
    (fewer,) = calibrate(str(prefix), [1], [], mx.cpu(), samples).values()
    assert fewer.images == 3


@pytest.mark.slow  # the exporter compares both models for 32 images
def test_an_exported_model_says_so_and_reads_the_same(trained: tuple[Path, list[Path]]) -> None:
    onnx = pytest.importorskip("onnx", reason="exporting needs the extra onnx")
    prefix, paths = trained
    path = ctc_ocr.export_onnx(prefix, prefix.with_suffix(".onnx"), overwrite=True).path
    (entry,) = [each.value for each in onnx.load(str(path)).metadata_props]
    assert '"straighten": "starter"' in entry
    texts = [[each.text for each in Predictor(model).predict(paths)] for model in (prefix, path)]
    assert texts[0] == texts[1]


def test_it_has_no_effect_on_parts_of_images_or_vertical_text(capsys: pytest.CaptureFixture[str]) -> None:
    data = ctc_ocr.preset("word", data=STRAIGHT).data
    assert data.is_straightened
    for other in (replace(data, crop="text"), replace(data, writing="vertical")):
        assert not other.is_straightened
        assert straightener(other, None) is None
    assert train(["--data", "photos", "--straighten", "starter", "--crop", "text"]) == 2
    assert "straighten: has no effect with crop text" in capsys.readouterr().err


def test_generated_images_are_not_straightened() -> None:
    for renderer in ("captcha", "wild"):
        settings = ctc_ocr.preset("word", data={"straighten": "starter", "renderer": renderer})
        with pytest.raises(InputError, match="straighten: for labelled images only"):
            training_data(settings, Captchas())


def test_labels_with_units_that_the_starter_does_not_know_choose_nothing(tmp_path: Path, ubuntu_font: str) -> None:
    paths = write_pages(tmp_path / "crooked", ubuntu_font, crooked(12))
    lines = [f"{path.name},{path.stem[:2]}-{path.stem[2:]}" for path in paths]
    (tmp_path / "crooked" / "labels.csv").write_text("image,label\n" + "\n".join(lines))
    samples = check_source(tmp_path / "crooked" / "labels.csv")
    assert likely_region(STARTER, samples.samples).is_straight is False
