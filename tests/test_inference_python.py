"""Evaluation, many files and calibration from Python, without the command line."""

import json
import logging
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.checkpoint.calibration_file import has_been_chosen
from ctc_ocr.datasets.samples import SourceOptions
from ctc_ocr.errors import InputError
from ctc_ocr.evaluation.calibration import Calibration, expected_calibration_error
from ctc_ocr.images.pixels import invert
from ctc_ocr.inference.batch import predict_files
from ctc_ocr.inference.calibrate import calibrate
from ctc_ocr.inference.evaluate import evaluate
from ctc_ocr.inference.image_list import ListedImage
from ctc_ocr.inference.ink import InkCheck
from ctc_ocr.inference.prediction import Prediction
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.inference.readings_csv import Reading, write_readings
from ctc_ocr.runtime.mxnet import mx
from tests.models import save_line_model, save_own_model


def write_images(folder, count, seed=0):
    """Paths of images of mostly light paper."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    paths = []
    for number in range(count):
        levels = np.where(rng.random((10, 16)) < 0.3, rng.integers(0, 120, (10, 16)), 240)
        paths.append(folder / f"{number:02}.png")
        Image.fromarray(levels.astype(np.uint8)).save(paths[-1])
    return paths


@pytest.fixture
def labelled(tmp_path):
    """A model, and a CSV file of 30 images: two thirds of the labels are the model's predictions."""
    save_own_model(tmp_path / "ocr", seed=2)
    paths = write_images(tmp_path / "images", 30)
    texts = [each.text or "0" for each in Predictor(tmp_path / "ocr").predict(paths)]
    labels = [text if number % 3 else f"{text}{text}1" for number, text in enumerate(texts)]
    rows = [f"images/{path.name};{label}\n" for path, label in zip(paths, labels, strict=True)]
    (tmp_path / "labels.csv").write_text("".join(rows))
    return tmp_path / "ocr", tmp_path / "labels.csv"


def test_evaluate(labelled, capfd):
    prefix, source = labelled
    seen = []
    result = evaluate(prefix, source, batch_size=2, progress=lambda done, total: seen.append((done, total)))
    assert (result.prefix, result.epoch, result.source) == (str(prefix), 1, str(source))
    assert (result.num_samples, result.num_invalid, result.invalid, result.num_inverted) == (30, 0, (), 0)
    assert seen == [(8, 30), (16, 30), (24, 30), (30, 30)]
    values = result.to_dict()
    assert values["samples"] == 30
    assert values["accuracy"] == pytest.approx(2 / 3, abs=0.1)
    again = evaluate(Predictor(prefix), str(source), options=SourceOptions(delimiter=";"))
    assert again.to_dict()["cer"] == values["cer"]
    assert capfd.readouterr() == ("", "")


def test_invalid_samples_do_not_raise(labelled):
    prefix, source = labelled
    source.write_text("".join(f"images/missing{number}.png;1\n" for number in range(12)))
    result = evaluate(prefix, source)
    assert (result.num_samples, result.num_invalid, len(result.invalid)) == (0, 12, 10)
    assert result.invalid[0].where == f"{source}, row 1: {source.parent / 'images' / 'missing0.png'}"
    assert "No such file" in result.invalid[0].reason
    assert result.to_dict()["invalid"]["samples"] == 12


def test_inverted_images_are_counted(labelled):
    prefix, source = labelled
    for path in sorted((source.parent / "images").iterdir())[:4]:
        Image.fromarray(invert(np.array(Image.open(path)))).save(path)
    result = evaluate(prefix, source)
    assert (result.num_inverted, result.ink) == (4, "dark")
    assert evaluate(Predictor(prefix, ink="auto"), source).num_inverted == 0


def test_what_evaluate_does_not_accept(labelled, tmp_path):
    prefix, source = labelled
    options: list[dict[str, Any]] = [{"epoch": 1}, {"batch_size": 3}]
    for each in options:
        with pytest.raises(InputError, match="has no effect with a Predictor") as raised:
            evaluate(Predictor(prefix), source, **each)
        assert [raised.value.where] == list(each)
    (tmp_path / "empty.csv").write_text("")
    for bad in (tmp_path / "empty.csv", tmp_path / "missing.csv"):
        with pytest.raises(InputError) as raised:
            evaluate(prefix, bad)
        assert raised.value.where == str(bad)
    with pytest.raises(InputError, match="no model under this prefix"):
        evaluate(tmp_path / "other", source)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_many_files(tmp_path, batch_size):
    save_own_model(tmp_path / "m")
    paths = write_images(tmp_path / "images", 10)
    Image.fromarray(invert(np.array(Image.open(paths[0])))).save(paths[0])
    paths[4].write_bytes(b"no image")
    predictor = Predictor(tmp_path / "m", batch_size=batch_size)
    listed = [ListedImage(path.name, path) for path in paths]
    listed[7] = ListedImage("x", paths[7], "list.csv, row 8", "no path")
    ink = InkCheck("dark")
    results = list(predict_files(predictor, iter(listed), ink=ink))
    assert [image for image, _ in results] == listed
    errors = {number: each for number, (_, each) in enumerate(results) if isinstance(each, InputError)}
    assert {number: error.where for number, error in errors.items()} == {4: str(paths[4]), 7: "list.csv, row 8"}
    assert errors[7].reason == "no path"
    for image, result in results:
        if isinstance(result, Prediction):
            assert result.codes == predictor.read(image.path).codes
    assert ink.count == 1
    assert list(predict_files(predictor, [])) == []


def test_many_files_are_read_batch_by_batch(tmp_path):
    save_own_model(tmp_path / "m")
    paths = write_images(tmp_path / "images", 9)
    taken = []

    def images():
        for path in paths:
            taken.append(path)
            yield ListedImage(path.name, path)

    results = predict_files(Predictor(tmp_path / "m", batch_size=4), images(), confidence=False)
    _, first = next(results)
    assert isinstance(first, Prediction)
    assert first.confidence is None
    assert len(taken) == 4


def test_calibration_of_a_run(tmp_path, caplog):
    """Batches of padded images in their own widths, the last of which is filled up."""
    settings = save_line_model(tmp_path / "m")
    predictor = Predictor(tmp_path / "m")
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (12, width), dtype=np.uint8) for width in (60, 32, 20, 44, 8, 56)]
    predictions = predictor.predict(images)
    labels = np.zeros((8, 40), np.float32)
    for number, each in enumerate(predictions):
        codes = each.codes if number % 2 else [1, 2, 3, 4, 1]
        labels[number, : len(codes)] = codes
    batch = np.full((8, 12, 60), 225, np.uint8)
    steps = np.ones(8, np.float32)
    for number, image in enumerate(images):
        batch[number, :, : image.shape[1]] = image
        steps[number] = settings.geometry.steps_of(image.shape[1], 12)
    halves = [
        mx.io.DataBatch(
            data=[mx.nd.array(batch[part], dtype="uint8"), mx.nd.array(steps[part])],
            label=[mx.nd.array(labels[part])],
            pad=pad,
        )
        for part, pad in ((slice(4), 0), (slice(4, 8), 2))
    ]
    (chosen,) = calibrate(str(tmp_path / "m"), [1], halves * 10, mx.cpu()).values()
    correct = [number % 2 == 1 for number in range(6)] * 10
    confidences = np.array([each.confidence for each in predictions] * 10, np.float64)
    expected = Calibration.fit(confidences, correct)
    assert chosen.calibration is not None
    assert chosen.calibration.slope == pytest.approx(expected.slope, rel=1e-3)
    assert chosen.calibration.offset == pytest.approx(expected.offset, rel=1e-3)
    assert chosen.before.calibration_error == pytest.approx(expected_calibration_error(confidences, correct), abs=1e-6)
    assert chosen.after.log_loss < chosen.before.log_loss
    assert Predictor(tmp_path / "m").calibration == chosen.calibration
    stored = json.loads((tmp_path / "m-calibration.json").read_text())
    assert stored["1"]["after"]["log_loss"] == chosen.after.log_loss
    # Six images are too few; that is stored too, and confidences stay the network's own.
    caplog.set_level(logging.INFO, logger="ctc_ocr")
    (chosen,) = calibrate(str(tmp_path / "m"), [1], halves, mx.cpu()).values()
    assert (chosen.calibration, chosen.images) == (None, 6)
    assert "Epoch 1 is not calibrated: that needs 10 validation images or more" in caplog.text
    assert json.loads((tmp_path / "m-calibration.json").read_text())["1"]["calibration"] is None
    assert has_been_chosen(tmp_path / "m", 1)
    assert not has_been_chosen(tmp_path / "m", 2)
    assert Predictor(tmp_path / "m").predict(images) == predictions


def test_calibrations_of_version_0_2_are_read(tmp_path):
    save_line_model(tmp_path / "m")
    (tmp_path / "m-calibration.json").write_text('{"1": {"slope": 0.5, "offset": -1.0}}')
    assert Predictor(tmp_path / "m").calibration == Calibration(0.5, -1.0)
    for text, said in (("[]", "expected an object"), ('{"1": {"calibration": 5}}', "expected the numbers slope")):
        (tmp_path / "m-calibration.json").write_text(text)
        with pytest.raises(InputError, match=rf"m-calibration\.json: {said}"):
            Predictor(tmp_path / "m")


def test_a_name_with_a_line_end_is_in_one_row(tmp_path):
    rest: dict[str, Any] = {"label": "1", "prediction": "2", "confidence": 0.5, "character_confidence": 0.5, "edits": 1}
    places = {str(tmp_path / "a\nb.png"): True, "book\r1, record 0": False}
    write_readings(
        tmp_path / "r.csv", [Reading(image=image, is_file=is_file, **rest) for image, is_file in places.items()]
    )
    lines = (tmp_path / "r.csv").read_bytes().decode().splitlines()
    assert [line.partition(",1,2,")[0] for line in lines[1:]] == [r"a\nb.png", r'"book\r1, record 0"']
