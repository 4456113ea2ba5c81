"""Exported ONNX models read what MXNet reads: every architecture, batches, widths, contrasts."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

import ctc_ocr
from ctc_ocr.cli.export import main as export
from ctc_ocr.cli.infer import main as infer
from ctc_ocr.export import onnx as onnx_export
from ctc_ocr.export import tolerance
from ctc_ocr.export.samples import sample_images
from ctc_ocr.export.tolerance import worst_deviation
from ctc_ocr.images.pixels import Pixels, level_at, stretch_contrast
from ctc_ocr.inference.prediction import Prediction
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.onnx_models import normalising
from ctc_ocr.onnx_models.graph import FLOAT, INT64, Graph
from tests.commands import run_here
from tests.models import save_character_model, save_example_model, save_line_model, save_own_model

MODELS = {
    "lstm unrolled": lambda prefix: save_own_model(prefix),
    "lstm fused": lambda prefix: save_own_model(prefix, lstm_graph="fused"),
    "lstm, lines": lambda prefix: save_own_model(prefix, lstm_graph="fused", keep_ratio=True),
    "example, contrib": lambda prefix: save_example_model(prefix, "ctc", width=16, height=12, hidden=7),
    "example, WarpCTC": lambda prefix: save_example_model(prefix, "WarpCTC", width=16, height=12, hidden=7),
    "crnn, lines": lambda prefix: save_line_model(prefix),
    "crnn, without batch norm": lambda prefix: save_line_model(prefix, batch_norm=False),
    "crnn, colour": lambda prefix: save_line_model(prefix, channels=3),
    "crnn, contrast": lambda prefix: save_line_model(prefix, normalise="image"),
    "crnn, vertical": lambda prefix: save_line_model(prefix, writing="vertical"),
    "crnn, batch norm after the ReLU": lambda prefix: save_line_model(prefix, norm_place="after"),
    "crnn, residual": lambda prefix: save_line_model(
        prefix, residual=True, features=(5, 5), pool_heights=(2, 1), pool_widths=(2, 1)
    ),
    "cnn": lambda prefix: save_character_model(prefix),
    "cnn, average": lambda prefix: save_character_model(prefix, pooling="average", residual=True),
    "cnn, batch norm after the ReLU": lambda prefix: save_character_model(
        prefix, pooling="average", norm_place="after", dense=()
    ),
    "cnn, without batch norm": lambda prefix: save_character_model(prefix, pooling="average", batch_norm=False),
    "cnn, keeps its ratio": lambda prefix: save_character_model(
        prefix, data={"keep_ratio": True, "width": 30}, input_mean=300.0
    ),
    "crnn, colour and contrast": lambda prefix: save_line_model(prefix, channels=3, normalise="image", ink="auto"),
}


LINE = Path(__file__).resolve().parent.parent / "docs" / "sample.png"  # where random weights do not exaggerate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of image files of different sizes and contrasts."""
    images = tmp_path / "images"
    images.mkdir()
    generator = np.random.default_rng(0)
    for number, width in enumerate((9, 20, 33, 48, 61, 100, 14, 77)):
        height, dark = 10 + 3 * number, 30 * number
        pixels = np.where(generator.random((height, width, 3)) < 0.3, dark, 235).astype(np.uint8)
        Image.fromarray(pixels).save(images / f"{number}.png")
    return images


@pytest.mark.parametrize("name", MODELS)
def test_an_exported_model_reads_what_mxnet_reads(name: str, tmp_path: Path, folder: Path) -> None:
    MODELS[name](tmp_path / "m")
    images = sorted(folder.glob("*.png"))
    made = ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx", images=images)
    assert made.num_images == len(images)
    assert made.largest_difference < 1e-4
    model = onnx.load(made.path)
    described = json.loads(model.metadata_props[0].value)
    assert (described["source"], described["epoch"], model.producer_version) == ("m", 1, ctc_ocr.__version__)
    of_mxnet, exported = Predictor(tmp_path / "m"), Predictor(tmp_path / "m.onnx")
    assert exported.alphabet == of_mxnet.alphabet
    assert exported.hyperparameters.data == of_mxnet.hyperparameters.data
    expected, found = of_mxnet.predict(images), exported.predict(images)
    assert [each.codes for each in found] == [each.codes for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.confidence == pytest.approx(other.confidence, rel=1e-3, abs=1e-6)
        assert exported.read(images[found.index(one)]).codes == one.codes
        assert [each.unit for each in one.characters or []] == [each.unit for each in other.characters or []]
        assert _places(one) == pytest.approx(_places(other))


@pytest.mark.parametrize(
    "name", ["lstm fused", "example, contrib", "crnn, lines", "cnn", "cnn, batch norm after the ReLU"]
)
def test_weights_in_8_bits(name: str, tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A smaller file that reads about the same: what it computes with is each weight, rounded for its output."""
    MODELS[name](tmp_path / "m")
    images = sorted(folder.glob("*.png"))
    plain = ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx", images=images)
    made = ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "q.onnx", images=images, quantise=True)
    arrays = {each.name: numpy_helper.to_array(each) for each in onnx.load(plain.path).graph.initializer}
    rounded = {each.name: numpy_helper.to_array(each) for each in onnx.load(made.path).graph.initializer}
    weights = [each for each in arrays if f"{each}_levels" in rounded]
    assert len(weights) == sum(each.endswith(("_weight", "_recurrence")) for each in arrays)
    for each in weights:
        levels, scale = rounded[f"{each}_levels"], rounded[f"{each}_scale"]
        assert levels.dtype == np.int8
        assert np.abs(levels).max() == 127
        assert (np.abs(levels * scale - arrays[each]) <= scale * 0.501).all()
    assert 1e-4 < made.largest_difference < 3
    assert made.same_texts <= made.num_images == len(images)
    # It reads as a model with these weights does.
    model = onnx.load(plain.path)
    for each in model.graph.initializer:
        if each.name in weights:
            value = (rounded[f"{each.name}_levels"] * rounded[f"{each.name}_scale"]).astype(np.float32)
            each.CopyFrom(numpy_helper.from_array(value, each.name))
    onnx.save(model, tmp_path / "same.onnx")
    for one, other in zip(
        *(Predictor(tmp_path / each).predict(images) for each in ("q.onnx", "same.onnx")), strict=True
    ):
        assert one.text == other.text
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-3)
    assert export([str(tmp_path / "m"), str(tmp_path / "c.onnx"), "--quantise", "--images", *map(str, images)]) == 0
    texts = f"{len(images)} images" if made.same_texts == len(images) else f"{made.same_texts} of {len(images)} images"
    assert f"the same texts as MXNet on {texts}, and" in capsys.readouterr().out
    assert (tmp_path / "c.onnx").read_bytes() == made.path.read_bytes()


def _places(prediction: Prediction) -> list[float]:
    return [
        end
        for each in prediction.characters or []
        for end in (each.left or each.top or 0.0, each.right or each.bottom or 0.0)
    ]


def test_a_line_has_the_same_log_probabilities_alone_and_in_a_batch(tmp_path: Path) -> None:
    save_line_model(tmp_path / "m", normalise="image")
    ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx", images=[LINE])
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(0)
    widths = np.array([60, 3, 17, 18, 19, 41, 1])
    batch = generator.integers(0, 256, (len(widths), 12, 61), dtype=np.uint8)  # the padding is garbage
    together, steps = session.run(["log_probs", "steps"], {"images": batch, "widths": widths})
    assert steps.tolist() == [-(-width // 4) for width in widths]
    assert together.shape[0] == 16  # 61 columns are padded to 64
    for number, width in enumerate(widths):
        own = {"images": batch[number : number + 1, :, :width], "widths": widths[number : number + 1]}
        alone = session.run(["log_probs"], own)[0]
        assert len(alone) == steps[number]
        np.testing.assert_allclose(together[: steps[number], number], alone[:, 0], atol=1e-5)


def test_greedy_decoding_in_the_graph(tmp_path: Path, folder: Path) -> None:
    save_line_model(tmp_path / "m")
    ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx", greedy=True, images=sorted(folder.glob("*.png")))
    predictor = Predictor(tmp_path / "m")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    texts = set()
    for path in sorted(folder.glob("*.png")):
        prepared = predictor.prepare(path)
        padded = np.full((2, 12, 60), 99, np.uint8)
        padded[1, :, : prepared.shape[1]] = prepared
        feed = {"images": padded, "widths": np.array([60, prepared.shape[1]])}
        codes = session.run(["codes"], feed)[0][1]
        text = "".join(predictor.alphabet.units[code - 1] for code in codes if code)
        assert text == predictor.read(path).text
        texts.add(text)
    assert len(texts) > 2


def test_contrast_is_stretched_as_the_package_does_it() -> None:
    graph = Graph()
    maps = graph.input("maps", FLOAT, ("N", 1, "H", "W"))
    widths = graph.input("widths", INT64, ("N",))
    inside = normalising.columns_inside(graph, maps, widths)
    graph.output(normalising.stretched(graph, maps, inside), "stretched", FLOAT, ("N", 1, "H", "W"))
    session = onnxruntime.InferenceSession(graph.model("t", {}).SerializeToString(), providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(0)
    for round_number in range(60):
        height, width = int(generator.integers(1, 40)), int(generator.integers(1, 90))
        low = int(generator.integers(0, 250))
        high = int(generator.integers(low + 1, 257))
        batch = generator.integers(0, 256, (3, height, 90), dtype=np.uint8)
        own = generator.integers(low, high, (height, width), dtype=np.uint8)
        batch[1, :, :width] = own
        feed = {"maps": batch[:, None].astype(np.float32), "widths": np.array([90, width, 1])}
        found = session.run(None, feed)[0][1, 0, :, :width]
        np.testing.assert_array_equal(found, stretch_contrast(own), err_msg=f"{round_number} {level_at(own, 2)}")


def test_the_file_has_what_reading_needs_and_is_the_same_each_time(tmp_path: Path) -> None:
    save_line_model(tmp_path / "m", seed=1, ink="auto")
    for name in ("a", "b"):
        ctc_ocr.export_onnx(tmp_path / "m", tmp_path / f"{name}.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    model = onnx.load(tmp_path / "a.onnx")
    assert {node.op_type for node in model.graph.node} >= {"LSTM", "Conv"}
    assert sum(node.op_type == "LSTM" for node in model.graph.node) == 1  # never unrolled, both directions in one
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)
    described = json.loads(model.metadata_props[0].value)
    assert described["alphabet"] == list("abcd")
    assert described["images"] == {
        "height": 12, "width": 60, "keep_ratio": True, "channels": 1, "columns_per_step": 4, "crop": "none",
        "top_edge": 0.0, "bottom_edge": 1.0, "ink": "auto",
    }  # fmt: skip


def test_an_export_that_differs_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_line_model(tmp_path / "m")
    monkeypatch.setattr("ctc_ocr.onnx_models.weights.GATES", (0, 2, 3, 1))
    with pytest.raises(ctc_ocr.RunError, match=r"the exported model differs from MXNet by .*; accepted: 0.0001\d*$"):
        ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx")
    assert not list(tmp_path.glob("*onnx*"))


@pytest.mark.parametrize(
    ("expected", "accepted"), [(0.0, 1e-4), (-1.0, 1.1e-4), (-10.0, 2e-4), (-200.0, 2.1e-3), (-1e4, 0.1001)]
)
def test_rounding_grows_with_what_is_rounded(expected: float, accepted: float) -> None:
    """What is accepted is what numpy.testing.assert_allclose accepts."""
    for sign in (1, -1):
        of_mxnet, inside, outside = (np.full(3, expected + sign * each * accepted) for each in (0, 0.99, 1.01))
        assert worst_deviation(of_mxnet, inside).is_rounding
        np.testing.assert_allclose(inside, of_mxnet, rtol=tolerance.RELATIVE, atol=tolerance.ABSOLUTE)
        found = worst_deviation(of_mxnet, np.array([of_mxnet[0], outside[1], of_mxnet[2]]))
        assert not found.is_rounding
        assert (found.difference, found.accepted) == pytest.approx((1.01 * accepted, accepted))
        with pytest.raises(AssertionError):
            np.testing.assert_allclose(outside, of_mxnet, rtol=tolerance.RELATIVE, atol=tolerance.ABSOLUTE)


def test_the_worst_deviation_is_not_always_the_largest() -> None:
    of_mxnet = np.array([[-200.0, -1e-6], [-5.0, -3.0]], np.float32)
    found = worst_deviation(of_mxnet, of_mxnet + np.array([[1.5e-3, 0], [0, 1.6e-4]], np.float32))
    assert found.difference == pytest.approx(1.6e-4, rel=1e-2)
    assert not found.is_rounding
    assert worst_deviation(of_mxnet, of_mxnet).difference == 0
    of_mxnet[1, 0] = np.nan
    assert not worst_deviation(np.zeros((2, 2), np.float32), of_mxnet * 0).is_rounding


def test_an_export_may_differ_more_where_log_probabilities_are_far_below_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that rounds each by 5e-6 of itself, and 50 lower than the network has them, is accepted; by 5e-5, not."""
    save_line_model(tmp_path / "m")
    original, change = onnx_export._log_probabilities, 0.0

    def lower(predictor: Predictor, image: Pixels) -> NDArray[np.float32]:
        found = original(predictor, image) - 50
        return found * np.float32(1 + change) if predictor.prefix.endswith(".onnx") else found

    monkeypatch.setattr(onnx_export, "_log_probabilities", lower)
    change = 5e-6
    made = ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx")
    assert made.largest_difference > tolerance.ABSOLUTE
    change = 5e-5
    with pytest.raises(ctc_ocr.RunError, match=r"differs from MXNet by 0.00\d+; accepted: 0.00\d+$"):
        ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "n.onnx")
    assert not (tmp_path / "n.onnx").exists()


def test_another_architecture_and_names_are_refused(tmp_path: Path) -> None:
    save_own_model(tmp_path / "m")
    with pytest.raises(ctc_ocr.InputError, match="expected a name that ends with .onnx"):
        ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.zip")
    ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx")
    with pytest.raises(ctc_ocr.InputError, match="exists"):
        ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx")
    with pytest.raises(ctc_ocr.InputError, match="epoch 7 was asked for"):
        Predictor(tmp_path / "m.onnx", epoch=7)


def test_an_onnx_model_is_neither_exported_nor_bundled_nor_started_from(tmp_path: Path) -> None:
    save_own_model(tmp_path / "m")
    ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx")
    (tmp_path / "images").mkdir()
    for job in (
        lambda: ctc_ocr.export_onnx(tmp_path / "m.onnx", tmp_path / "other.onnx"),
        lambda: ctc_ocr.bundle_model(tmp_path / "m.onnx", tmp_path / "other.zip"),
        lambda: ctc_ocr.train(None, prefix=tmp_path / "t", init_from=tmp_path / "m.onnx", progress=False),
    ):
        with pytest.raises(ctc_ocr.InputError, match="an ONNX model, which can only read images"):
            job()


def test_samples_are_of_the_alphabet_or_of_digits() -> None:
    for alphabet in (ctc_ocr.Alphabet(("x", "Y")), ctc_ocr.Alphabet(("か", "が"))):
        images = sample_images(alphabet)
        assert len(images) == 32
        assert all(each.ndim == 3 for each in images)


def test_the_commands(tmp_path: Path, folder: Path) -> None:
    save_line_model(tmp_path / "m")
    done = run_here(export, tmp_path, "m", "m.onnx", "--greedy", "--images", str(folder))
    assert done.returncode == 0, done.stderr
    assert "the same texts as MXNet on 8 images" in done.stdout
    again = run_here(export, tmp_path, "m", "m.onnx")
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    of_mxnet, of_onnx = (run_here(infer, tmp_path, "--model", name, str(folder)) for name in ("m", "m.onnx"))
    assert of_onnx.returncode == 0, of_onnx.stderr
    assert of_onnx.stdout == of_mxnet.stdout
    on_gpu = run_here(infer, tmp_path, "--model", "none.onnx", str(folder))
    assert on_gpu.returncode == 2
    assert "none.onnx" in on_gpu.stderr


def test_reading_imports_neither_mxnet_nor_numba(tmp_path: Path, folder: Path) -> None:
    save_line_model(tmp_path / "m")
    ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx", images=sorted(folder.glob("*.png")))
    program = (
        "import sys, ctc_ocr; from pathlib import Path; p = ctc_ocr.Predictor('m.onnx'); "
        "print([p.read(each).text for each in sorted(Path('images').glob('*.png'))]); "
        "print({'mxnet', 'numba'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    texts, imported = done.stdout.splitlines()
    assert imported == "set()"
    images = sorted(folder.glob("*.png"))
    assert texts == str([each.text for each in Predictor(tmp_path / "m").predict(images)])


def test_without_the_extra_it_is_named(tmp_path: Path) -> None:
    missing = "import sys; sys.modules['onnx'] = None; from ctc_ocr import export_onnx; "
    code = missing + f"export_onnx('starter', {str(tmp_path / 'm.onnx')!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "InputError: onnx not installed: ONNX models need it; pip install 'ctc_ocr[onnx]'" in done.stderr
