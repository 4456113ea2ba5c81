"""Predictions of models whose networks are also computed in NumPy."""

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ctc_ocr
from ctc_ocr.checkpoint.calibration_file import save_calibrations
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.decoding.greedy import greedy
from ctc_ocr.decoding.likelihood import label_log_probability, log_softmax
from ctc_ocr.errors import InputError
from ctc_ocr.evaluation.calibration import Calibration
from ctc_ocr.images.pixels import resize
from ctc_ocr.inference.network import Network
from ctc_ocr.inference.prediction import confidence_of
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.runtime.devices import contexts
from ctc_ocr.runtime.mxnet import mx
from tests.models import chosen, numpy_logits, save_example_model, save_line_model, save_own_model
from tests.mxnet_network import network_of


def random_images(count, width, height, seed=0):
    return list(np.random.default_rng(seed).integers(0, 256, size=(count, height, width), dtype=np.uint8))


def own_log_probs(images, hyperparameters, params):
    network = hyperparameters.network
    columns = (network.input_mean - np.stack(images).astype(np.float64)) / network.input_scale
    return log_softmax(numpy_logits(columns.transpose(2, 0, 1), params))


def example_log_probs(images, params):
    return log_softmax(numpy_logits(np.stack(images).transpose(2, 0, 1) / 255, params))


@pytest.mark.parametrize("lstm_graph", ["unrolled", "fused"])
def test_own_model_equals_numpy(tmp_path, lstm_graph):
    hyperparameters, params = save_own_model(tmp_path / "m", alphabet="abcd", lstm_graph=lstm_graph)
    predictor = Predictor(tmp_path / "m", batch_size=4)
    images = random_images(6, width=16, height=10)
    expected = own_log_probs(images, hyperparameters, params)
    for count in (1, 3, 4):  # single, in a padded batch, in a full one
        found = predictor.log_probabilities(np.stack(images[:count]))
        np.testing.assert_allclose(found, expected[:, :count], atol=1e-4)
    predictions = predictor.predict(images)
    codes = greedy(expected)
    assert [each.codes for each in predictions] == codes
    assert [each.text for each in predictions] == ["".join("abcd"[code - 1] for code in label) for label in codes]
    assert len({each.text for each in predictions}) > 1
    confidences = np.array([each.confidence for each in predictions], np.float64)
    np.testing.assert_allclose(confidences, np.exp(label_log_probability(expected, codes)), rtol=1e-3)
    assert predictor.predict([]) == []


@pytest.mark.parametrize("loss", ["ctc", "WarpCTC", "Custom"])
def test_model_of_mxnets_example_equals_numpy(tmp_path, loss):
    params = save_example_model(str(tmp_path / "ocr"), loss, width=80, height=30, hidden=100)
    predictor = Predictor(tmp_path / "ocr", batch_size=4)
    images = random_images(3, width=80, height=30)
    expected = example_log_probs(images, params)
    found = predictor.log_probabilities(np.stack(images))
    assert found.shape == (80, 3, 11)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    predictions = predictor.predict(images)
    assert [each.text for each in predictions] == [
        "".join(str(code - 1) for code in each.codes) for each in predictions
    ]
    assert [each.codes for each in predictions] == greedy(found)


def test_sizes_of_an_example_model_come_from_its_files(tmp_path):
    params = save_example_model(str(tmp_path / "ocr"), "ctc", width=12, height=7, hidden=5, classes=4)
    images = random_images(2, width=12, height=7)
    predictor = Predictor(tmp_path / "ocr", batch_size=2)
    expected = example_log_probs(images, params)
    np.testing.assert_allclose(predictor.log_probabilities(np.stack(images)), expected, atol=1e-5)
    assert predictor.alphabet.units == ("0", "1", "2")


def test_images_of_mixed_sizes_are_resized_to_the_models(tmp_path):
    save_own_model(tmp_path / "m")
    predictor = Predictor(tmp_path / "m", batch_size=4)
    images = [random_images(1, *size)[0] for size in ((16, 10), (32, 20), (160, 60), (8, 30))]
    small = [resize(image, 16, 10) for image in images]
    for image, one, other in zip(images, predictor.predict(images), predictor.predict(small), strict=True):
        assert (one.codes, one.log_probability) == (other.codes, other.log_probability)
        # Places are those of the image that was given.
        factor = image.shape[1] / 16
        for found, each in zip(one.characters or [], other.characters or [], strict=True):
            assert (found.left, found.right) == pytest.approx((factor * each.left, factor * each.right))


def test_the_batch_of_an_image_does_not_change_its_prediction(tmp_path):
    save_own_model(tmp_path / "m")
    predictor = Predictor(tmp_path / "m", batch_size=5)
    images = random_images(11, width=16, height=10)
    together = predictor.predict(images)
    for single, each in zip((predictor.read(image) for image in images), together, strict=True):
        assert single.codes == each.codes
        assert single.confidence == pytest.approx(each.confidence, rel=1e-4)


def test_the_network_is_bound_once_for_each_batch_shape(tmp_path, monkeypatch):
    save_own_model(tmp_path / "m")
    bound: list[tuple[Any, ...]] = []
    bind = mx.mod.Module.bind

    def recorded(self: Any, *arguments: Any, **named: Any) -> None:
        bound.append(arguments)
        bind(self, *arguments, **named)

    monkeypatch.setattr(mx.mod.Module, "bind", recorded)
    predictor = Predictor(tmp_path / "m", batch_size=4)
    for count in (1, 2, 4, 9, 1, 3):
        predictor.predict(random_images(count, width=16, height=10))
    assert len(bound) == 2


def test_parameters_of_another_network_are_an_error(tmp_path):
    save_own_model(tmp_path / "m", hidden=6, epoch=1)
    save_own_model(tmp_path / "m", hidden=5, epoch=2)
    with pytest.raises(InputError, match=r"m-0001\.params: l0_i2h_weight has the shape \(24, 10\).*\(20, 10\)"):
        Predictor(tmp_path / "m", 1)


def test_missing_parameters_are_named(tmp_path):
    _, params = save_own_model(tmp_path / "m")
    del params["l1_h2h_bias"]
    mx.nd.save(str(tmp_path / "m-0001.params"), {f"arg:{n}": mx.nd.array(a) for n, a in params.items()})
    with pytest.raises(InputError, match=r"m-0001\.params: lacks l1_h2h_bias"):
        Predictor(tmp_path / "m")


def test_an_alphabet_of_another_size_is_an_error(tmp_path):
    save_own_model(tmp_path / "m", alphabet="0123456789")
    described = json.loads((tmp_path / "m.json").read_text())
    described["alphabet"] = {"a": 1, "b": 2}
    (tmp_path / "m.json").write_text(json.dumps(described))
    with pytest.raises(InputError, match="2 units and the blank does not fit a network of 11 classes"):
        Predictor(tmp_path / "m")


def test_a_foreign_model_that_is_not_the_example_is_an_error(tmp_path):
    save_example_model(str(tmp_path / "big"), "ctc", width=8, height=4, hidden=3, classes=40)
    with pytest.raises(InputError, match=r"big-0001\.params: 40 classes; without .*big\.json"):
        Predictor(tmp_path / "big")
    layer = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=11, name="other")
    layer.save(str(tmp_path / "x-symbol.json"))
    mx.nd.save(str(tmp_path / "x-0001.params"), {"arg:other_weight": mx.nd.ones((11, 4))})
    with pytest.raises(InputError, match=r"x-symbol\.json: has no layer pred_fc"):
        Predictor(tmp_path / "x")


def change_description(prefix, section, **changes):
    path = prefix.with_name(f"{prefix.name}.json")
    described = json.loads(path.read_text())
    described["hyperparameters"][section] |= changes
    path.write_text(json.dumps(described))


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("network", {"architecture": "lstm"}, "lacks l0_i2h_weight, .*, which the network needs"),
        ("network", {"num_layers": 2}, "lacks l1_forward_i2h_weight, .*, which the network needs"),
        (
            "network",
            {"kernels": [3, 5]},
            r"conv1_weight has the shape \(6, 4, 3, 3\); the network needs \(6, 4, 5, 5\)",
        ),
        ("data", {"channels": 3}, r"conv0_weight has the shape \(4, 1, 3, 3\); the network needs \(4, 3, 3, 3\)"),
        ("data", {"height": 40}, r"l0_forward_i2h_weight has the shape \(20, 18\); the network needs \(20, 60\)"),
    ],
)
def test_a_description_that_does_not_fit_the_weights_is_an_error(tmp_path, section, changes, message):
    save_line_model(tmp_path / "m")
    change_description(tmp_path / "m", section, **changes)
    with pytest.raises(InputError, match=message) as raised:
        Predictor(tmp_path / "m")
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("batch_size", [0, -1, 10**12])
def test_a_bad_batch_size_is_an_error(tmp_path, batch_size):
    save_own_model(tmp_path / "m")
    with pytest.raises(InputError, match=f"batch_size: expected 1 to 10000 images, got {batch_size}"):
        Predictor(tmp_path / "m", batch_size=batch_size)


@pytest.mark.parametrize("source", [None, [1, 2], 5, Image.new("L", (4, 4))])
def test_what_is_not_an_image_is_an_error(tmp_path, source):
    save_own_model(tmp_path / "m")
    predictor = Predictor(tmp_path / "m")
    kind = type(source).__name__
    hint = r"; numpy.asarray\(image.convert\(\"RGB\"\)\) has the pixels of an image of PIL" if kind == "Image" else ""
    accepted = "a path, encoded bytes, or pixels .*uint8"
    with pytest.raises(InputError, match=rf"^image: expected {accepted}, got {kind}{hint}$"):
        predictor.read(source)
    (good,) = random_images(1, width=16, height=10)
    for wrong in (source, good.astype(float), "no\0file.png"):
        with pytest.raises(InputError, match=r"^images\[2\]: "):
            predictor.predict([good, good, wrong, good])


def test_a_small_batch_does_not_cost_a_full_one(tmp_path):
    save_own_model(tmp_path / "m")
    predictor = Predictor(tmp_path / "m", batch_size=100)
    images = np.stack(random_images(100, width=16, height=10))
    everything = predictor.log_probabilities(images)
    for count, rows in ((1, 1), (2, 6), (3, 6), (6, 6), (7, 25), (25, 25), (26, 100)):
        before = network_of(predictor).bound_sizes
        np.testing.assert_allclose(predictor.log_probabilities(images[:count]), everything[:, :count], atol=1e-6)
        assert {size for size, _ in network_of(predictor).bound_sizes - before} <= {rows}
        assert network_of(predictor)._executors[rows, 16].outputs[0].shape[1] == rows
    assert np.array_equal(predictor.log_probabilities(images), everything)


def test_confidences_are_between_0_and_1():
    for calibration in (None, Calibration(0.2, 3.0)):
        # Above 0 by rounding; impossible; not a number.
        certain, impossible, nan = (confidence_of(each, calibration) for each in (2.8e-8, -np.inf, np.nan))
        assert certain == (1.0 if calibration is None else calibration.apply(1.0))
        assert impossible == nan == 0.0


def test_an_impossible_text_has_no_confidence_whatever_the_calibration(tmp_path):
    save_own_model(tmp_path / "m", alphabet="abcd", width=16)
    save_calibrations(tmp_path / "m", {1: chosen(Calibration(0.2, 3.0))})
    predictor = Predictor(tmp_path / "m", decoder=Decoder(beam_width=5, words=["ab" * 9]))
    found = predictor.predict(random_images(1, width=16, height=10))[0]
    assert (found.text, found.confidence, found.log_probability) == ("", 0.0, -np.inf)


def test_predictions_have_the_score_that_orders_them(tmp_path):
    save_own_model(tmp_path / "m", alphabet="abcd", seed=1)
    predictor = Predictor(tmp_path / "m")
    image = random_images(1, width=16, height=10)[0]
    plain = predictor.read(image)
    assert plain.score == plain.log_probability
    predictor = Predictor(tmp_path / "m", decoder=Decoder(beam_width=20, top_k=5, length_bonus=0.5))
    first = predictor.read(image)
    predictions = [first, *first.alternatives]
    scores = np.array([each.score for each in predictions], np.float64)
    log_probabilities = np.array([each.log_probability for each in predictions], np.float64)
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    np.testing.assert_allclose(scores, log_probabilities + [0.5 * len(each.codes) for each in predictions])
    assert log_probabilities[0] < log_probabilities[1]
    assert predictor.predict([image], confidence=False)[0].score is None


def test_contexts():
    assert contexts(()) == [mx.cpu()]
    if not mx.runtime.Features().is_enabled("CUDA"):
        with pytest.raises(InputError, match="without CUDA.*cu112"):
            contexts((0,))


def test_texts_are_the_same_without_confidences(tmp_path):
    save_own_model(tmp_path / "m")
    images = random_images(3, width=16, height=10)
    predictor = Predictor(tmp_path / "m")
    texts = [each.text for each in predictor.predict(images)]
    found = predictor.predict(images, confidence=False)
    assert [each.text for each in found] == texts
    assert [each.confidence for each in found] == [None] * 3


def test_the_best_number_of_images_leaves_no_row_of_a_batch_empty(tmp_path, monkeypatch):
    save_own_model(tmp_path / "m")
    predictor = Predictor(tmp_path / "m", batch_size=100)
    batches: list[tuple[int, int]] = []
    compute = Network.log_probabilities

    def counted(network, images, steps, rows):
        batches.append((len(images), rows))
        return compute(network, images, steps, rows)

    monkeypatch.setattr(Network, "log_probabilities", counted)
    for count in (1, 2, 5, 6, 7, 24, 25, 99, 100, 130):
        best = predictor.best_count(count, 16)
        assert 1 <= best <= count
        predictor.predict_prepared([predictor.prepare(image) for image in random_images(best, width=16, height=10)])
    assert [images for images, _ in batches] == [1, 1, 1, 6, 6, 6, 25, 25, 100, 100]
    assert all(images == rows for images, rows in batches)
    Image.fromarray(random_images(1, 16, 10)[0]).save(tmp_path / "a.png")
    ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx", images=[tmp_path / "a.png"])
    assert [Predictor(tmp_path / "m.onnx").best_count(count, 16) for count in (1, 7, 130)] == [1, 7, 130]
