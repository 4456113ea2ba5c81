"""What is said where an ONNX model cannot be read or written, or differs from the one that it was made of."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import ctc_ocr
from ctc_ocr.config.architectures import register_architecture
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.onnx_models import building, graph, layers
from ctc_ocr.onnx_models.file import MAX_BYTES
from ctc_ocr.onnx_models.graph import Graph, Value
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.symbols.lstm import logits
from tests.models import save_own_model
from tests.servers import STARTER

IMAGE = np.random.default_rng(0).integers(0, 256, (10, 16), np.uint8)
OWN = "of_the_messages"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix, beside whose files the same model is as ONNX. It reads lines: time steps are as many as columns."""
    folder = tmp_path_factory.mktemp("onnx")
    save_own_model(folder / "m", keep_ratio=True, lstm_graph="fused", seed=3)
    ctc_ocr.export_onnx(folder / "m", folder / "m.onnx", images=[IMAGE])  # type: ignore[list-item]
    return folder / "m"


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an architecture of the user's, which computes as the built-in lstm does."""
    monkeypatch.setattr(ARCHITECTURES, "_parts", dict(ARCHITECTURES._parts))
    register_architecture(OWN, columns_per_step=1, needs_steps=False)(logits)
    return OWN


def test_it_is_read_on_the_cpu_alone() -> None:
    with pytest.raises(InputError, match=r"starter\.onnx: an ONNX model is read on the CPU$"):
        Predictor(STARTER, context=mx.gpu(0))


def test_a_file_larger_than_any_model(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # it has no blocks on the disk
    with pytest.raises(InputError, match=r"m\.onnx: larger than 1 GiB$"):
        Predictor(path)
    path.unlink()


def test_a_file_that_says_to_be_of_an_own_architecture(model: Path, own: str, tmp_path: Path) -> None:
    changed = onnx.load(f"{model}.onnx")
    described = json.loads(changed.metadata_props[0].value)
    described["model"]["hyperparameters"]["network"]["architecture"] = own
    changed.metadata_props[0].value = json.dumps(described)
    onnx.save(changed, tmp_path / "m.onnx")
    with pytest.raises(InputError, match=rf"m\.onnx: has the architecture {own}, which no ONNX model has$"):
        Predictor(tmp_path / "m.onnx")


def test_an_own_architecture_is_not_exported(model: Path, own: str, tmp_path: Path) -> None:
    for path in model.parent.glob("m[.-]*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    described = json.loads((tmp_path / "m.json").read_text(encoding="utf-8"))
    described["hyperparameters"]["network"]["architecture"] = own
    (tmp_path / "m.json").write_text(json.dumps(described), encoding="utf-8")
    expected = f"^the architecture {own} cannot be exported; those that can: lstm, crnn, cnn$"
    with pytest.raises(InputError, match=expected):
        ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "new.onnx")
    assert not (tmp_path / "new.onnx").exists()


def test_a_runtime_that_is_older_than_the_format(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "IR_VERSION", 1000)
    with pytest.raises(InputError, match=r"m\.onnx: ONNX Runtime cannot load this model: .*IR version: 1000"):
        Predictor(f"{model}.onnx")


def test_images_of_another_height(model: Path) -> None:
    predictor = Predictor(f"{model}.onnx")
    expected = r"m\.onnx: ONNX Runtime cannot run this model: .*invalid dimensions.* index: 1 Got: 7 Expected: "
    with pytest.raises(RunError, match=expected):
        predictor.log_probabilities(np.zeros((2, 7, 16), np.uint8), np.array([16, 16]))


# What a mistake in this package, or in ONNX Runtime, would do to a graph.


def samples_first(found: Callable[..., Value]) -> Callable[..., Value]:
    """Log probabilities (N, T, C)."""

    def changed(made: Graph, hidden: Value) -> Value:
        return made.add("Transpose", found(made, hidden), perm=[1, 0, 2])

    return changed


def first_column(found: Callable[..., Value]) -> Callable[..., Value]:
    """A single time step."""

    def changed(made: Graph, maps: Value) -> Value:
        return made.add("Slice", found(made, maps), *(made.constant([each]) for each in (0, 1, 0)))

    return changed


def test_outputs_that_do_not_fit_the_alphabet(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "classify", samples_first(layers.classify))
    with pytest.raises(RunError, match=r"m\.onnx: its output has the shape \(1, 16, 11\), which does not fit its alph"):
        Predictor(f"{model}.onnx").read(IMAGE)


def test_an_export_of_another_size(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_columns", first_column(building._columns))
    with pytest.raises(RunError, match=r"^the exported model has outputs \(1, 11\), and MXNet \(16, 11\)$"):
        ctc_ocr.export_onnx(model, tmp_path / "new.onnx", images=[IMAGE])  # type: ignore[list-item]
    assert not list(tmp_path.iterdir())


def test_an_export_that_reads_another_text(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the gates of the LSTM are exchanged, and the difference of the numbers is let pass."""
    monkeypatch.setattr("ctc_ocr.onnx_models.weights.GATES", (0, 2, 3, 1))
    monkeypatch.setattr("ctc_ocr.export.tolerance.ABSOLUTE", np.inf)
    images: Any = [IMAGE]
    with pytest.raises(RunError, match=r"^the exported model reads another text than MXNet in image 0$"):
        ctc_ocr.export_onnx(model, tmp_path / "new.onnx", images=images)
    assert not list(tmp_path.iterdir())
