"""Networks for images of one character: their graph, their loss, training and reading."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr import symbols
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Data, Network
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.datasets.choices import choose
from ctc_ocr.losses import ctc, softmax
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.symbols import crnn
from ctc_ocr.training.initialisation import initial_parameters
from tests.models import save_character_model, save_line_model
from tests.reference_ctc import batch_loss, central_differences
from tests.test_ctc_losses import random_logits, run

DIGITS = ["--alphabet=0123", "--min_length=1", "--max_length=1", "--draw_width=40", "--draw_height=40"]


def settings(data: dict[str, Any] | None = None, **network: Any) -> Hyperparameters:
    given = {"features": (3, 5), "kernels": (3, 3), "strides": (1, 2), "pool_heights": (2, 1), "pool_widths": (2, 1)}
    sizes = {"width": 16, "height": 12, "min_length": 1, "max_length": 1, **(data or {})}
    return Hyperparameters(Data(**sizes), Network(**{"architecture": "cnn", **given, **network}))


def shapes_of(described: Hyperparameters) -> tuple[list[tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Shapes of the logits of two images, and of all arguments."""
    symbol = symbols.logits(mx.sym.Variable("data"), described, 11)
    shapes, outputs, _ = symbol.infer_shape(data=(2, 12, 16))
    return outputs, dict(zip(symbol.list_arguments(), shapes, strict=True))


def test_an_image_is_one_time_step() -> None:
    described = settings()
    outputs, found = shapes_of(described)
    assert outputs == [(1, 2, 11)]
    assert (described.geometry.num_steps, described.geometry.is_one_step) == (1, True)
    assert described.geometry.steps_of(3, 500) == 1
    assert found["conv1_weight"] == (5, 3, 3, 3)
    assert found["dense0_weight"] == (200, 5 * 4 * 3)  # 8x6 after the first block, 4x3 after the second
    assert found["dense1_weight"] == (200, 200)
    assert found["pred_fc_weight"] == (11, 200)


def test_the_mean_of_each_map_fits_images_of_any_size() -> None:
    _, found = shapes_of(settings(pooling="average", dense=()))
    assert found["pred_fc_weight"] == (11, 5)
    assert found["pool_norm_gamma"] == (5,)
    _, found = shapes_of(settings(pooling="average", dense=(), batch_norm=False))
    assert not [name for name in found if "norm" in name]


def test_its_convolutions_have_the_names_and_shapes_of_those_of_crnn() -> None:
    _, found = shapes_of(settings())
    _, others = shapes_of(settings(architecture="crnn"))
    shared = [name for name in found if name.startswith("conv")]
    assert len(shared) == 2 * 3
    assert {name: found[name] for name in shared} == {name: others[name] for name in shared}


def forward(described: Hyperparameters, values: dict[str, np.ndarray], image: np.ndarray) -> np.ndarray:
    """The output of the last block, (N, F, H, W), without training."""
    maps = mx.sym.Variable("data")
    for index in range(len(described.network.features)):
        maps = crnn.block(maps, described.network, index)
    executor = maps.simple_bind(mx.cpu(), data=image.shape)
    known = {**executor.arg_dict, **executor.aux_dict}
    for name in known:
        if name != "data":
            known[name][:] = mx.nd.array(values[name])
    return np.asarray(executor.forward(is_train=False, data=mx.nd.array(image))[0].asnumpy())


def test_batch_norm_after_the_relu_and_residual_convolutions_are_those_of_the_equations() -> None:
    """Convolutions of 1x1, which are products of matrices."""
    generator = np.random.default_rng(0)
    ones: dict[str, Any] = {
        "kernels": (1, 1),
        "strides": (1, 1),
        "pool_heights": (1, 1),
        "pool_widths": (1, 1),
        "features": (3, 3),
    }
    values = {f"conv{n}_{name}": generator.normal(size=3) for n in (0, 1) for name in ("bias",)}
    values |= {f"conv{n}_norm_{name}": generator.normal(size=3) for n in (0, 1) for name in ("gamma", "beta")}
    values |= {f"conv{n}_norm_moving_{name}": generator.uniform(1, 2, 3) for n in (0, 1) for name in ("mean", "var")}
    values |= {f"conv{n}_weight": generator.normal(size=(3, 2 + n, 1, 1)) for n in (0, 1)}
    image = generator.normal(size=(1, 2, 4, 5))

    def normed(n: int, maps: np.ndarray) -> np.ndarray:
        gamma, beta, mean, variance = (
            values[f"conv{n}_norm_{name}"][:, None, None] for name in ("gamma", "beta", "moving_mean", "moving_var")
        )
        return np.asarray((maps - mean) / np.sqrt(variance + 1e-3) * gamma + beta)

    def convolved(n: int, maps: np.ndarray) -> np.ndarray:
        return np.asarray(np.einsum("oi,nihw->nohw", values[f"conv{n}_weight"][:, :, 0, 0], maps))

    def biased(n: int, maps: np.ndarray) -> np.ndarray:
        return convolved(n, maps) + values[f"conv{n}_bias"][:, None, None]

    first = normed(0, np.maximum(biased(0, image), 0))
    expected = normed(1, np.maximum(biased(1, first) + first, 0))
    found = forward(settings(norm_place="after", residual=True, **ones), values, image)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    first = np.maximum(normed(0, convolved(0, image)), 0)
    expected = np.maximum(normed(1, convolved(1, first)) + first, 0)
    np.testing.assert_allclose(forward(settings(residual=True, **ones), values, image), expected, atol=1e-5)


def test_all_classes_start_alike() -> None:
    """With several steps most are blank, with one it never is."""
    shapes = {"pred_fc_weight": (11, 5), "pred_fc_bias": (11,)}
    of_one, of_several = (
        initial_parameters(shapes, np.random.default_rng(0), is_one_step) for is_one_step in (True, False)
    )
    assert not of_one["pred_fc_bias"].any()
    assert of_several["pred_fc_bias"][0] > 0


def test_only_convolutions_that_change_no_shape_are_residual() -> None:
    lists: dict[str, Any] = {
        "features": (3, 3, 5, 5, 5), "kernels": (3,) * 5, "strides": (1, 1, 1, 2, 1),
        "pool_heights": (1, 1, 1, 1, 2), "pool_widths": (1,) * 5,
    }  # fmt: skip
    network = Network("cnn", residual=True, **lists)
    assert [network.adds_input(index) for index in range(5)] == [False, True, False, False, False]


# --- the loss ---------------------------------------------------------------------------------------------------------

LABELS = np.array([[2, 0], [1, 0], [4, 0], [0, 0]], np.float32)


def test_the_softmax_is_ctc_with_one_step() -> None:
    logits = random_logits(1, 4, 5, scale=2)
    (loss, gradient), (expected, its_gradient) = (run(each, logits, LABELS) for each in (softmax.loss, ctc.loss))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient, its_gradient, atol=1e-5)
    np.testing.assert_allclose(loss, batch_loss(logits, LABELS, [1] * 4), rtol=1e-5)


def test_a_label_of_two_units_has_no_loss() -> None:
    loss, gradient = run(softmax.loss, random_logits(1, 2, 5), np.array([[1, 2], [1, 0]], np.float32))
    assert loss[0] == 0 < loss[1]
    assert not gradient[:, 0].any()


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_gradient_is_that_of_finite_differences(smoothing: float) -> None:
    logits = random_logits(1, 4, 5, scale=2)

    def losses(point: np.ndarray) -> np.ndarray:
        log_probs = point[0] - np.log(np.exp(point[0]).sum(axis=1, keepdims=True))
        of_label = log_probs[np.arange(4), LABELS[:, 0].astype(int)]
        return np.asarray(-(1 - smoothing) * of_label - smoothing * log_probs[:, 1:].mean(axis=1))

    def layer(given: Any, label: Any, input_length: Any) -> Any:
        return softmax.loss(given, label, input_length, smoothing)

    loss, gradient = run(layer, logits, LABELS)
    np.testing.assert_allclose(loss, losses(logits), rtol=1e-5)
    expected = central_differences(lambda point: losses(point).sum(), logits.astype(np.float64), 1e-4)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


def test_the_softmax_is_refused_for_networks_of_several_steps() -> None:
    with pytest.raises(
        ctc_ocr.InputError, match="one time step, such as architecture cnn; crnn makes 20 of an image 80"
    ):
        ctc_ocr.preset("crnn", training={"loss": "softmax"})


# --- training and reading ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory, ubuntu_font: str) -> Path:
    """400 images of one digit."""
    from ctc_ocr.cli.generate import main as generate

    folder = tmp_path_factory.mktemp("digits") / "images"
    arguments = [*DIGITS, "--count=400", "--seed=3", "--num_proc=1", "--output_dir", str(folder), ubuntu_font]
    assert generate(arguments) == 0
    return folder


def character_network(**training: Any) -> Hyperparameters:
    return ctc_ocr.preset(
        "lstm",
        data={"width": 24, "height": 24},
        network={
            "architecture": "cnn", "features": (8, 16), "kernels": (3, 3), "strides": (1, 1), "pool_heights": (2, 2),
            "pool_widths": (2, 2), "dense": (32,), "input_scale": 60.0,
        },
        training={"loss": "softmax", "num_epoch": 3, "samples_per_epoch": 640, "learning_rate": 3e-3, **training},
    )  # fmt: skip


def trained(digits: Path, prefix: Path, **training: Any) -> ctc_ocr.TrainingResult:
    return ctc_ocr.train(
        character_network(**training), ctc_ocr.LabelledImages(digits), prefix, cpu=1, num_proc=1, init_from="none",
        progress=False,
    )  # fmt: skip


def test_characters_are_learned_and_read_in_every_way(digits: Path, tmp_path: Path) -> None:
    result = trained(digits, tmp_path / "m")
    assert result.accuracy > 0.8
    evaluation = ctc_ocr.evaluate(tmp_path / "m", digits)
    assert (evaluation.accuracy or 0) > 0.8
    predictor = ctc_ocr.Predictor(tmp_path / "m")
    image = np.full((60, 40), 230, np.uint8)
    image[10:50, 15:25] = 20
    prediction = predictor.read(image)
    assert len(prediction.codes) == 1
    (character,) = prediction.characters or []
    assert character.unit == prediction.text
    assert (character.left, character.right) == pytest.approx((15, 25), abs=3)
    beams = ctc_ocr.Predictor(tmp_path / "m", decoder=ctc_ocr.Decoder(beam_width=5, top_k=3)).read(image)
    assert beams.text == prediction.text
    assert len(beams.alternatives) == 2
    ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx", images=sorted(digits.glob("*.png"))[:20])
    assert ctc_ocr.Predictor(tmp_path / "m.onnx").read(image).text == prediction.text


@pytest.mark.slow
def test_label_smoothing_makes_the_network_less_sure(digits: Path, tmp_path: Path) -> None:
    images = sorted(digits.glob("*.png"))[:50]
    sure = []
    for smoothing in (0.0, 0.3):
        trained(digits, tmp_path / f"m{smoothing}", label_smoothing=smoothing)
        found = ctc_ocr.Predictor(tmp_path / f"m{smoothing}").predict(images)
        sure.append(np.mean([np.exp(each.log_probability or 0) for each in found]))
    assert sure[1] < sure[0] - 0.05


def test_labels_of_several_units_are_told(digits: Path, tmp_path: Path) -> None:
    rows = (digits / "labels.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "labels.csv").write_text("\n".join(f"{digits / row.split(',')[0]},{row[-1]}1" for row in rows[1:]))
    with pytest.raises(ctc_ocr.RunError, match="needs 2 time steps .* and the network makes 1"):
        ctc_ocr.train(character_network(), tmp_path / "labels.csv", tmp_path / "m", cpu=1, num_proc=1, progress=False)


def test_its_size_is_not_chosen_by_its_time_steps(digits: Path) -> None:
    checked = check_source(digits)
    settings, _ = choose(character_network(), checked, ("height", "width", "ink"))
    assert (settings.data.height, settings.data.width) == (24, 24)


def test_its_convolutions_are_a_start_for_a_crnn(tmp_path: Path) -> None:
    save_character_model(tmp_path / "c", features=(4, 6), kernels=(3, 3), strides=(1, 1), pool_heights=(2, 2),
                         pool_widths=(2, 2))  # fmt: skip
    line = save_line_model(tmp_path / "line")
    from ctc_ocr.checkpoint.model_files import load
    from ctc_ocr.training.transfer import transfer

    values, other = (
        {name: each.asnumpy() for name, each in {**found.arg_params, **found.aux_params}.items()}
        for found in (load(tmp_path / "line", 1), load(tmp_path / "c", 1))
    )
    assert line.network.architecture == "crnn"
    alphabet = ctc_ocr.Alphabet(tuple("abcd"))
    started, transferred = transfer(values, alphabet, other, alphabet)
    assert str(transferred) == "copied: conv0, conv1; new: l0_forward, l0_backward, pred_fc"
    np.testing.assert_array_equal(started["conv1_weight"], other["conv1_weight"])
    np.testing.assert_array_equal(started["conv1_norm_moving_var"], other["conv1_norm_moving_var"])
