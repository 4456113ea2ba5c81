"""Images that keep their aspect ratio: the same prediction in every batch, and in every form of input."""

import json

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.checkpoint.calibration_file import save_calibrations
from ctc_ocr.cli.infer import main
from ctc_ocr.errors import InputError
from ctc_ocr.evaluation.calibration import Calibration
from ctc_ocr.images.pixels import invert
from ctc_ocr.images.preparation import prepare
from ctc_ocr.inference.predictor import Predictor
from tests.models import chosen, save_line_model, save_own_model
from tests.mxnet_network import network_of


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """The command sets the number of threads for its process: not for the tests after it."""
    for name in ("OMP_NUM_THREADS", "MXNET_OMP_MAX_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")


def lines(widths, height=12, seed=0):
    """Images of dark strokes on light paper."""
    rng = np.random.default_rng(seed)
    return [np.where(rng.random((height, w)) < 0.4, rng.integers(0, 120, (height, w)), 240).astype(np.uint8)
            for w in widths]  # fmt: skip


WIDTHS = [60, 3, 17, 18, 19, 20, 33, 41, 59, 44, 8, 1, 100, 29]


@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_line_has_the_same_prediction_in_every_batch(tmp_path, batch_norm):
    settings = save_line_model(tmp_path / "m", batch_norm=batch_norm)
    predictor = Predictor(tmp_path / "m")
    images = [predictor.prepare(image) for image in lines(WIDTHS)]
    steps = predictor.steps(images)
    assert [settings.geometry.steps_of(w, 12) for w in WIDTHS] == list(steps)
    singles = []
    for image, own in zip(images, steps, strict=True):
        # As narrow as possible: nothing but its own time steps.
        narrow = np.full((1, 12, own * settings.geometry.columns_per_step), 225, np.uint8)
        narrow[0, :, : image.shape[1]] = image
        singles.append(predictor.log_probabilities(narrow, np.array([image.shape[1]]))[:, 0])
        assert len(singles[-1]) == own
    widest = np.random.default_rng(1).integers(0, 256, (len(images), 12, 60), dtype=np.uint8)  # the padding is garbage
    for place, image, own in zip(widest, images, steps, strict=True):
        place[:, : own * settings.geometry.columns_per_step] = 225
        place[:, : image.shape[1]] = image
    together = predictor.log_probabilities(widest, np.array([image.shape[1] for image in images]))
    for number, own in enumerate(steps):
        np.testing.assert_allclose(together[:own, number], singles[number], atol=1e-5)
    predictions = predictor.predict_prepared(images)
    assert len({each.text for each in predictions}) > 3
    for image, expected in zip(images, predictions, strict=True):
        single = predictor.predict_prepared([image])[0]
        assert single.codes == expected.codes
        assert single.confidence == pytest.approx(expected.confidence, rel=1e-4)


def test_only_a_few_widths_are_bound(tmp_path):
    settings = save_line_model(tmp_path / "m")
    predictor = Predictor(tmp_path / "m")
    predictor.predict(lines(range(1, 61)))
    assert len(network_of(predictor).bound_sizes) <= 2 * 16
    assert {width for _, width in network_of(predictor).bound_sizes} <= {
        settings.geometry.batch_width(width) for width in range(1, 61)
    }
    assert settings.geometry.batch_width(60) == 60


def test_paths_bytes_and_arrays_have_the_same_prediction(tmp_path):
    save_line_model(tmp_path / "m")
    predictor = Predictor(tmp_path / "m")
    image = lines([40], height=24)[0]
    path = tmp_path / "line.png"
    Image.fromarray(image).save(path)
    expected = predictor.read(image)
    assert expected.text
    assert predictor.read(path) == predictor.read(str(path)) == predictor.read(path.read_bytes()) == expected
    assert [each.codes for each in predictor.predict([path, image])] == [expected.codes, expected.codes]
    assert predictor.read(np.repeat(image[:, :, None], 3, axis=2)).text == expected.text
    for wrong in (image.astype(np.float32), image[0], np.empty((0, 5), np.uint8), np.empty((4, 5, 2), np.uint8)):
        with pytest.raises(InputError, match="expected pixels"):
            predictor.read(wrong)


def test_colours_become_the_same_grey_from_a_file_and_an_array(tmp_path):
    save_line_model(tmp_path / "m")
    predictor = Predictor(tmp_path / "m")
    image = np.random.default_rng(2).integers(0, 256, (12, 40, 3), dtype=np.uint8)
    image[:, :5] = 0, 0, 255  # blue ink
    path = tmp_path / "colours.png"
    Image.fromarray(image).save(path)
    found = predictor.prepare(image)
    np.testing.assert_array_equal(found, predictor.prepare(path))
    np.testing.assert_allclose(found.astype(float), image @ [0.299, 0.587, 0.114], atol=1)
    assert predictor.read(image) == predictor.read(path)


def test_a_line_has_the_same_prediction_by_an_lstm_in_every_batch(tmp_path):
    """It runs from left to right, so padding changes nothing before it, and it has no input for steps."""
    save_own_model(
        tmp_path / "m", alphabet="abcdef", width=60, height=12, hidden=10, lstm_graph="fused", keep_ratio=True
    )
    predictor = Predictor(tmp_path / "m")
    images = lines(WIDTHS)
    predictions = predictor.predict(images)
    assert len({each.text for each in predictions}) > 3
    for image, expected in zip(images, predictions, strict=True):
        assert predictor.read(image).codes == expected.codes
        assert predictor.read(image).confidence == pytest.approx(expected.confidence, rel=1e-4)


def test_the_models_own_ink_and_another(tmp_path):
    save_line_model(tmp_path / "dark")
    image = lines([40])[0]
    expected = Predictor(tmp_path / "dark").read(image).text
    for ink, shown in {"light": invert(image), "auto": invert(image)}.items():
        save_line_model(tmp_path / ink, ink=ink)
        assert Predictor(tmp_path / ink).read(shown).text == expected
        assert Predictor(tmp_path / "dark", ink=ink).read(shown).text == expected
    assert Predictor(tmp_path / "auto").read(image).text == expected
    assert Predictor(tmp_path / "light", ink="dark").read(image).text == expected


def test_levels_by_the_images_own_contrast(tmp_path):
    save_line_model(tmp_path / "m", normalise="image")
    image = lines([40])[0]
    faint = (150 + image.astype(int) // 4).astype(np.uint8)
    predictor = Predictor(tmp_path / "m")
    same, other = (prepare(each, predictor.hyperparameters).astype(int) for each in (image, faint))
    assert abs(same - other).max() <= 3  # what rounding to a quarter of the levels leaves
    assert np.percentile(same, 90) == 225
    assert np.percentile(same, 2) == pytest.approx(45, abs=2)
    # The predictor prepares images in their own levels, and stretches them when it reads them.
    np.testing.assert_array_equal(predictor.prepare(faint), faint)
    assert predictor.read(faint).text == predictor.read(image).text
    save_line_model(tmp_path / "fixed")
    np.testing.assert_array_equal(Predictor(tmp_path / "fixed").prepare(faint), faint)


def test_colour(tmp_path):
    save_line_model(tmp_path / "m", channels=3)
    predictor = Predictor(tmp_path / "m")
    image = lines([40])[0]
    coloured = np.stack([image, lines([40], seed=1)[0], image], axis=2)
    path = tmp_path / "colour.png"
    Image.fromarray(coloured).save(path)
    assert predictor.read(path) == predictor.read(coloured)
    assert predictor.read(coloured) != predictor.read(np.roll(coloured, 1, axis=2))
    assert predictor.read(image) == predictor.read(np.stack([image] * 3, axis=2))


@pytest.fixture
def folder(tmp_path):
    """A model m-0001 and 12 images in a folder, with their predictions."""
    save_line_model(tmp_path / "m")
    (tmp_path / "images").mkdir()
    for number, image in enumerate(lines(range(20, 32), height=12)):
        Image.fromarray(image).save(tmp_path / "images" / f"{number:02}.png")
    paths = sorted((tmp_path / "images").iterdir())
    return tmp_path, paths, Predictor(tmp_path / "m").predict(paths)


def test_rejected_predictions(folder, capsys):
    tmp_path, paths, expected = folder
    minimum = float(np.median([each.confidence for each in expected]))
    assert main(["--prefix", str(tmp_path / "m"), "--min_confidence", str(minimum), str(tmp_path / "images")]) == 0
    shown = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]
    assert shown == [each.text if each.confidence >= minimum else "?" for each in expected]
    assert 0 < shown.count("?") < len(paths)
    assert main(["--prefix", str(tmp_path / "m"), "--min_confidence", "1", str(paths[0])]) == 0
    assert capsys.readouterr().out == "?\n"
    assert main(["--prefix", str(tmp_path / "m"), "--min_confidence", "1", "--json", str(paths[0])]) == 0
    assert json.loads(capsys.readouterr().out)["text"] is None


def test_confidences_are_calibrated_for_their_epoch(folder):
    tmp_path, paths, expected = folder
    calibration = Calibration(0.5, -1.0)
    save_calibrations(tmp_path / "m", {1: chosen(calibration)})
    found = Predictor(tmp_path / "m").predict(paths)
    before = np.array([each.confidence for each in expected], np.float64)
    after = np.array([each.confidence for each in found], np.float64)
    np.testing.assert_allclose(after, calibration.apply(before), rtol=1e-6)
    save_calibrations(tmp_path / "m", {2: chosen(calibration)})
    assert [each.confidence for each in Predictor(tmp_path / "m").predict(paths)] == before.tolist()
    (tmp_path / "m-calibration.json").write_text("{")
    with pytest.raises(InputError, match="m-calibration.json: not JSON"):
        Predictor(tmp_path / "m")


def test_the_score_is_shown_where_lengths_order_the_texts(folder, capsys):
    tmp_path, _, _ = folder
    arguments = ["--prefix", str(tmp_path / "m"), "--top_k", "5", str(tmp_path / "images")]
    assert main(["--lengths", "1", "--json", *arguments]) == 0
    found = [json.loads(line)["alternatives"] for line in capsys.readouterr().out.splitlines()]
    for name, is_order in (("score", True), ("log_probability", False)):
        values = [[each[name] for each in texts] for texts in found]
        assert (values == [sorted(each, reverse=True) for each in values]) is is_order
    assert main(["--lengths", "1", *arguments]) == 0
    assert "(score " in capsys.readouterr().out
    assert main(["--lengths", "any", *arguments]) == 0
    assert "(score " not in capsys.readouterr().out


def test_allowed_characters_and_beam_search(folder, capsys):
    tmp_path, paths, _ = folder
    images, prefix = str(tmp_path / "images"), ["--prefix", str(tmp_path / "m")]
    assert main([*prefix, "--allowed", "ab", images]) == 0
    texts = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]
    assert set("".join(texts)) == {"a", "b"}
    assert main([*prefix, "--json", "--beam_width", "50", "--top_k", "3", images]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    greedy = Predictor(tmp_path / "m").predict(paths)
    better = 0
    for each, path in zip(found, greedy, strict=True):
        likely = [other["log_probability"] for other in each["alternatives"]]
        assert len(likely) == 3
        assert likely == sorted(likely, reverse=True)
        assert path.log_probability is not None
        assert likely[0] >= path.log_probability - 1e-4
        better += likely[0] > path.log_probability + 1e-4
    assert better
    assert main([*prefix, "--allowed", "abz", images]) == 2
    assert "'z'" in capsys.readouterr().err
