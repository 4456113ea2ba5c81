"""ONNX files of unknown origin are data: what no model of this package has is refused before ONNX Runtime sees it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import ctc_ocr
from ctc_ocr.cli.infer import main as infer
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.onnx_models import reader
from ctc_ocr.onnx_models.opening import require_onnx
from tests.commands import run_here
from tests.models import save_line_model

Change = Callable[[onnx.ModelProto], None]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("onnx")
    save_line_model(folder / "m", seed=3)
    images = [np.full((12, 30), 200, np.uint8)]
    ctc_ocr.export_onnx(folder / "m", folder / "m.onnx", images=images)  # type: ignore[arg-type]
    return (folder / "m.onnx").read_bytes()


def described(**values: object) -> Change:
    """A change of the metadata's entry."""

    def change(model: onnx.ModelProto) -> None:
        found = json.loads(model.metadata_props[0].value)
        model.metadata_props[0].value = json.dumps({**found, **values})

    return change


def own_architecture(model: onnx.ModelProto) -> None:
    found = json.loads(model.metadata_props[0].value)
    found["model"]["hyperparameters"]["network"]["architecture"] = "os.system"
    model.metadata_props[0].value = json.dumps(found)


def external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def enormous(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [2**40, 2**40]


def of_another_type(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_type = TensorProto.INT32


def truncated_weight(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-3]


def not_a_number(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.raw_data = np.full(len(tensor.raw_data) // 4, np.nan, np.float32).tobytes()


def without_a_weight(model: onnx.ModelProto) -> None:
    del model.graph.initializer[0]


REFUSED: dict[str, tuple[Change, str]] = {
    "no metadata": (lambda model: model.ClearField("metadata_props"), "its metadata does not describe it"),
    "another format": (described(format="else"), "expected the format 'ctc_ocr onnx'"),
    "a newer version": (described(version=2), "version 2 is not known; accepted: 1"),
    "a source that is none": (described(source=["x"]), "source must be a file name"),
    "a source with terminal escapes": (described(source="\x1b[2J"), "source must be a file name"),
    "no epoch": (described(epoch="last"), "epoch must be a whole number"),
    "a contradiction": (described(alphabet=["x"]), "its metadata contradicts itself"),
    "a broken model": (described(model=None), "not the description of a model"),
    "a bad calibration": (described(calibration={"slope": -1.0, "offset": 0.0}), "slope"),
    "a user's own architecture": (own_architecture, "no architecture 'os.system'"),
    "external data": (external, "conv0_weight is in another file"),
    "an enormous weight": (enormous, r"conv0_weight must be float32 of the shape \(4, 1, 3, 3\)"),
    "a weight of another type": (of_another_type, "conv0_weight must be float32"),
    "a truncated weight": (truncated_weight, "conv0_weight must be float32"),
    "not a number": (not_a_number, "conv0_weight has values that are not finite numbers"),
    "a missing weight": (without_a_weight, "lacks conv0_weight: not an ONNX file that this package has written"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_model_of_this_package_has_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    change, reason = REFUSED[name]
    model = onnx.ModelProto.FromString(content)
    change(model)
    path = tmp_path / "bad.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ctc_ocr.InputError, match=reason) as error:
        Predictor(path)
    assert str(path) in str(error.value)


def test_the_graph_of_a_file_is_not_run(content: bytes, tmp_path: Path) -> None:
    """It is built again: nodes that were added or changed have no effect."""
    model = onnx.ModelProto.FromString(content)
    node = helper.make_node("LoadLibrary", ["images"], ["log_probs"], domain="evil", path="/tmp/evil.so")
    del model.graph.node[:]
    model.graph.node.append(node)
    (tmp_path / "a.onnx").write_bytes(content)
    (tmp_path / "b.onnx").write_bytes(model.SerializeToString())
    image = np.random.default_rng(0).integers(0, 256, (12, 40), dtype=np.uint8)
    one, other = (Predictor(tmp_path / f"{name}.onnx").read(image) for name in "ab")
    assert one == other


def missing_scale(model: onnx.ModelProto) -> None:
    model.graph.initializer[1].name = "another"


def levels_of_another_type(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_type = TensorProto.UINT8


def infinite_scale(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[1]
    tensor.raw_data = np.full(len(tensor.raw_data) // 4, np.inf, np.float32).tobytes()


OF_8_BITS: dict[str, tuple[Change, str]] = {
    "a missing scale": (missing_scale, "lacks conv0_weight_scale: not"),
    "levels of another type": (levels_of_another_type, "conv0_weight_levels must be int8 of the shape"),
    "a scale that is not a number": (infinite_scale, "conv0_weight_scale has values that are not finite numbers"),
    "no word about it": (described(quantised=False), "lacks conv0_weight, conv1_weight, l0_weight"),
}


@pytest.mark.parametrize("name", OF_8_BITS)
def test_weights_in_8_bits_are_checked_as_well(name: str, tmp_path: Path) -> None:
    change, reason = OF_8_BITS[name]
    save_line_model(tmp_path / "m", seed=3)
    images = [np.full((12, 30), 200, np.uint8)]
    ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx", images=images, quantise=True)  # type: ignore[arg-type]
    model = onnx.load(tmp_path / "m.onnx")
    change(model)
    onnx.save(model, tmp_path / "bad.onnx")
    with pytest.raises(ctc_ocr.InputError, match=reason):
        Predictor(tmp_path / "bad.onnx")


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "folder", "missing"])
def test_other_files_are_refused(kind: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes({"empty": b"", "text": b"no model\n" * 50, "truncated": content[: len(content) // 2]}[kind])
    with pytest.raises(ctc_ocr.InputError, match=r"bad\.onnx"):
        Predictor(path)


def test_damaged_files_end_in_an_error_or_a_reading(content: bytes, tmp_path: Path) -> None:
    """Bits and bytes that are changed at random: no traceback, and nothing that is not a documented error."""
    generator = np.random.default_rng(0)
    image = np.full((12, 30), 200, np.uint8)
    path, outcomes = tmp_path / "bad.onnx", {"read": 0, "refused": 0}
    for _ in range(150):
        damaged = bytearray(content)
        for place in generator.integers(0, len(damaged), 1 + int(generator.integers(0, 4))):
            damaged[place] = int(generator.integers(0, 256))
        path.write_bytes(damaged)
        try:
            Predictor(path).read(image)
            outcomes["read"] += 1
        except ctc_ocr.UserError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 5, outcomes


def test_the_command_says_what_is_wrong_in_a_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(content[:1000])
    done = run_here(infer, tmp_path, "--model=bad.onnx", "image.png")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ctc_ocr.InputError, match=r"onnx, onnxruntime not installed.*pip install 'ctc_ocr\[onnx\]'"):
        require_onnx()


@pytest.mark.parametrize(("value", "expected"), [("4,2", 4), (" 3 ", 3), ("", 0), ("many", 0), ("-1", 0)])
def test_the_threads_of_openmp(monkeypatch: pytest.MonkeyPatch, value: str, expected: int) -> None:
    """A list is of nested levels; what OpenMP ignores is no error."""
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert reader._threads_of_openmp() == expected
