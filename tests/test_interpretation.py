"""What a model gets wrong, against a plain list of all its readings; activation maps, against finite differences."""

import json
import math
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.model_files import load_stored
from ctc_ocr.checkpoint.starter import STARTER
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.captcha_files import CaptchaWriter
from ctc_ocr.datasets.sources import read_source
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.errors import InputError
from ctc_ocr.images.pixels import stretch_contrast
from ctc_ocr.inference import activation_map
from ctc_ocr.inference.activation_map import ActivationMaps
from ctc_ocr.inference.evaluate import evaluate
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.interpretation.interpreting import interpret
from ctc_ocr.runtime.mxnet import mx
from tests.commands import run_here
from tests.models import save_own_model
from tests.page_folders import write_book


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captchas, some of which the starter misreads, one with a unit that it does not know, and one that is no image."""
    folder = tmp_path_factory.mktemp("captchas")
    data = Data("ABCDEFGHKLMNPRSTUVWXYZ23456789", min_length=3, max_length=5, width=160, height=60)
    CaptchaWriter.create(data, seed=3).write_folder(folder, 40)
    (folder / "broken.png").write_bytes(b"no image")
    with (folder / "labels.csv").open("a", encoding="utf-8") as file:
        file.write("000000.png,é\nbroken.png,AB\n")
    return folder


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(STARTER, batch_size=8)


def test_the_hardest_images_and_the_confused_units_are_those_of_a_plain_list(
    images: Path, predictor: Predictor
) -> None:
    found = interpret(predictor, images, top=7, pairs=5, examples=2)
    samples, _ = read_source(images)
    readable = [each for each in samples if "broken" not in each.image]
    losses = []
    for sample in readable:
        units = [predictor.alphabet.lookup[unit] for unit in sample.units if unit in predictor.alphabet.lookup]
        image = predictor.prepare(sample.image)
        known = len(units) == len(sample.units)
        losses.append(-predictor.label_log_probabilities([image], [units])[0] if known else math.inf)
    order = sorted(range(len(losses)), key=lambda index: -losses[index])
    assert [each.sample.label for each in found.top_losses] == [readable[index].label for index in order[:7]]
    assert [each.loss for each in found.top_losses] == pytest.approx([losses[index] for index in order[:7]], abs=1e-3)
    assert found.mean_loss == pytest.approx(np.mean([each for each in losses if math.isfinite(each)]), abs=1e-3)
    assert (found.num_samples, found.num_invalid) == (41, 1)
    result = evaluate(predictor, images).result
    assert found.num_correct == result.correct
    assert 0 < found.num_correct < 40
    counts = {(each.label, each.predicted): each.count for each in result.confusions}
    for pair in found.confused:
        assert pair.count == counts[pair.label, pair.predicted]
        assert 1 <= len(pair.examples) <= 2
        for example in pair.examples:
            assert example.reading != example.sample.label
            assert pair.label is None or pair.label in example.sample.label
    assert [each.count for each in found.confused] == sorted((each.count for each in found.confused), reverse=True)


def test_labels_outside_the_alphabet_have_no_mean_loss(images: Path, tmp_path: Path) -> None:
    image = next(each for each in sorted(images.glob("*.png")) if "broken" not in each.name)
    (tmp_path / "labels.csv").write_text(f"image,label\n{image},~~\n")
    found = interpret(STARTER, tmp_path / "labels.csv", examples=2)
    assert math.isnan(found.mean_loss)
    assert found.to_dict()["mean_loss"] is None
    assert [each.sample.label for each in found.top_losses] == ["~~"]
    assert {len(each.examples) for each in found.confused} == {1}  # an image twice in a pair is one example


def test_the_weights_of_feature_maps_are_their_gradients(predictor: Predictor) -> None:
    """By finite differences of the logits on the best path."""
    maps = ActivationMaps(load_stored(find_model(STARTER)))
    image = predictor.prepare(_text("47", 20))
    width = predictor.hyperparameters.geometry.batch_width(image.shape[1])
    batch = np.full((1, image.shape[0], width), 255, np.uint8)
    batch[0, :, : image.shape[1]] = image
    stretched = batch.copy()
    stretched[0, :, : image.shape[1]] = stretch_contrast(image)  # as the network sees it
    inputs = {
        "data": mx.nd.array(stretched, dtype=np.uint8),
        "steps": mx.nd.array([predictor.hyperparameters.geometry.steps_of(image.shape[1], image.shape[0])]),
    }
    features = activation_map._executor(maps._below, {**maps._parameters, **inputs}).forward()[0]

    def logits(values: np.ndarray) -> np.ndarray:
        given = {**maps._parameters, **inputs, activation_map.MAPS: mx.nd.array(values)}
        return np.asarray(activation_map._executor(maps._above, given).forward()[0].asnumpy()[:, 0], np.float64)

    whole = logits(features.asnumpy())
    log_probs = predictor.log_probabilities(batch, np.array([image.shape[1]]))[:, 0]
    assert (
        np.abs(whole - whole.max(axis=1, keepdims=True) - (log_probs - log_probs.max(axis=1, keepdims=True))).max()
        < 1e-3
    )
    path = whole.argmax(axis=1)
    steps = np.flatnonzero(path)
    given = {**maps._parameters, **inputs, activation_map.MAPS: features}
    executor = activation_map._executor(maps._above, given, gradient_of=activation_map.MAPS)
    executor.forward(is_train=True)
    wanted = np.zeros((len(path), 1, whole.shape[1]), np.float32)
    wanted[steps, 0, path[steps]] = 1
    executor.backward([mx.nd.array(wanted)])
    gradient = executor.grad_dict[activation_map.MAPS].asnumpy()
    for place in zip(*np.unravel_index(np.argsort(-np.abs(gradient), axis=None)[:3], gradient.shape), strict=True):
        moved = []
        for change in (0.01, -0.01):
            values = features.asnumpy().copy()
            values[place] += change
            moved.append(logits(values)[steps, path[steps]].sum())
        assert (moved[0] - moved[1]) / 0.02 == pytest.approx(gradient[place], rel=0.05)


def test_a_map_is_where_the_text_is(predictor: Predictor) -> None:
    maps = ActivationMaps(load_stored(find_model(STARTER)))
    for left, half in ((10, slice(0, 80)), (120, slice(80, None))):
        prepared = predictor.prepare(_text("7", left))
        assert prepared.shape[1] > 100
        found = maps.map_of(prepared)
        assert found.shape == prepared.shape
        assert (found.min() >= 0, found.max()) == (True, pytest.approx(1, abs=0.2))
        scaled = slice(*(None if end is None else end * prepared.shape[1] // 160 for end in (half.start, half.stop)))
        assert found[:, scaled].sum() > 0.8 * found.sum()


def test_networks_without_convolutions_have_no_maps(tmp_path: Path) -> None:
    save_own_model(tmp_path / "ocr")
    with pytest.raises(InputError, match="architecture lstm has no layer"):
        ActivationMaps(load_stored(find_model(tmp_path / "ocr")))


def test_the_command_writes_pictures_and_figures(images: Path, tmp_path: Path) -> None:
    from ctc_ocr.cli import interpret as command

    arguments = [str(images), "--model=starter", "--out=found", "--top=6", "--pairs=3", "--examples=1"]
    done = run_here(command.main, tmp_path, *arguments)
    assert done.returncode == 1  # an image that cannot be read
    assert "1 could not be read" in done.stdout
    report = json.loads((tmp_path / "found" / "interpretation.json").read_text(encoding="utf-8"))
    assert len(report["top_losses"]) == 6
    assert report["top_losses"][0]["loss"] is None  # é
    with_maps = cv2.imread(str(tmp_path / "found" / "top_losses.png"))
    assert cv2.imread(str(tmp_path / "found" / "confusions.png")) is not None
    assert run_here(command.main, tmp_path, *arguments).returncode == 2  # the files exist
    done = run_here(command.main, tmp_path, *arguments, "--overwrite", "--no_maps")
    assert done.returncode == 1
    without = cv2.imread(str(tmp_path / "found" / "top_losses.png"))
    assert np.ptp(with_maps.astype(int), axis=2).max() > 100  # red and blue
    assert np.ptp(without.astype(int), axis=2).max() < 30


def test_losses_are_among_the_allowed_units_and_an_empty_label_has_one(images: Path, tmp_path: Path) -> None:
    digits = Predictor(STARTER, decoder=Decoder(allowed="0123456789"))
    samples, _ = read_source(images)
    image = digits.prepare(samples[0].image)
    (read,) = digits.predict_prepared([image])
    labels = [list(read.codes), digits.alphabet.encode("A1"), []]
    scores = digits.label_log_probabilities([image] * 3, labels)
    assert scores[0] == pytest.approx(read.log_probability, abs=1e-4)
    assert scores[1] == -math.inf
    (tmp_path / "labels.csv").write_text(f"image,label\n{samples[0].image},\n")
    found = interpret(digits, tmp_path / "labels.csv")
    assert found.mean_loss == pytest.approx(-scores[2], rel=1e-5)
    assert math.isfinite(scores[2])


@pytest.mark.slow
def test_images_without_a_mistake_have_no_table(images: Path, tmp_path: Path) -> None:
    from ctc_ocr.cli import interpret as command

    found = interpret(STARTER, images)
    wrong = {each.sample.image for each in found.top_losses}
    sample = next(each for each in read_source(images)[0] if each.image not in wrong)
    (tmp_path / "labels.csv").write_text(f"image,label\n{sample.image},{sample.label}\n")
    done = run_here(command.main, tmp_path, "labels.csv", "--model=starter", "--out=found")
    assert done.stdout.splitlines()[1:3] == ["", "No character is confused."]
    assert found.confused
    assert all(not each.examples for each in interpret(STARTER, images, examples=0).confused)
    (tmp_path / "found" / "confusions.png").write_bytes(b"of an earlier call")
    again = run_here(command.main, tmp_path, "labels.csv", "--model=starter", "--out=found", "--overwrite")
    assert again.returncode == 0
    assert not (tmp_path / "found" / "confusions.png").exists()
    assert done.stdout.endswith("Wrote top_losses.png, interpretation.json to found\n")


def _text(text: str, left: int) -> np.ndarray:
    """Text in an image of 160 x 40 pixels."""
    image = np.full((40, 160), 255, np.uint8)
    cv2.putText(image, text, (left, 32), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 0, 2, cv2.LINE_AA)
    return image


def test_a_page_with_what_is_read_on_it(tmp_path: Path) -> None:
    from ctc_ocr.cli import interpret as command

    write_book(tmp_path / "books", "book")
    font = Path(__file__).resolve().parent.parent / "fonts" / "Ubuntu-M.ttf"
    arguments = ["books", "--model=starter", "--scope=char", "--out=found", "--no_maps", f"--font={font}"]
    done = run_here(command.main, tmp_path, *arguments, "--page=book_001")
    assert done.returncode == 0, done.stderr
    drawn = cv2.imread(str(tmp_path / "found" / "page.png")).astype(int)
    page = cv2.imread(str(tmp_path / "books" / "book" / "images" / "book_001.jpg")).astype(int)
    assert drawn.shape == page.shape
    changed = np.abs(drawn - page).max(axis=2) > 60
    assert 0.02 < changed.mean() < 0.5
    # A box around each letter: in the columns where letters are, and not far from them.
    assert changed[:, 240:].any()
    assert not changed[:, :40].any()
    done = run_here(command.main, tmp_path, *arguments, "--page=book_001", "--cut_size=32x32", "--overwrite")
    assert done.returncode == 2
    assert "--cut_size: would move the characters on the page: leave it out with --page" in done.stderr
    shutil.copytree(tmp_path / "books" / "book", tmp_path / "books" / "other")
    table = tmp_path / "books" / "other" / "book_coordinate.csv"
    table.rename(table.with_name("other_coordinate.csv"))
    done = run_here(command.main, tmp_path, *arguments, "--page=book_001", "--overwrite")
    assert done.returncode == 2
    assert "page: several books have a page 'book_001': book, other; write book/book_001" in done.stderr
    done = run_here(command.main, tmp_path, *arguments, "--page=book/book_001", "--overwrite")
    assert done.returncode == 0, done.stderr
    assert (cv2.imread(str(tmp_path / "found" / "page.png")) == drawn).all()
    shutil.rmtree(tmp_path / "books" / "other")
    done = run_here(command.main, tmp_path, *arguments, "--page=book_009", "--overwrite")
    assert done.returncode == 2
    assert "no samples on a page 'book_009'" in done.stderr
    done = run_here(command.main, tmp_path, *arguments[:-1], "--page=book_001", "--overwrite")
    assert done.returncode == 2
    assert "--page: needs --font" in done.stderr
    done = run_here(command.main, tmp_path, *arguments[:-1], "--font=books/book/book_coordinate.csv", "--overwrite")
    assert done.returncode == 2
    assert "not a font" in done.stderr
    assert done.stdout == ""  # before anything was read
