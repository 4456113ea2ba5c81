"""A disk without room: each file of a run is named, the older one stays, and there is no traceback.

The system's limit on the size of a process's files stands for the disk: a write beyond it fails in the same way.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ctc_ocr.checkpoint import history, model_files, run_files
from ctc_ocr.checkpoint.params_file import params_content, read_params
from ctc_ocr.runtime.mxnet import mx
from tests.models import save_own_model

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

WRITERS = """
import resource
from dataclasses import replace
import numpy as np
from ctc_ocr.checkpoint import history, model_files, training_state
from ctc_ocr.errors import RunError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.events import ValidationPrediction
from ctc_ocr.training.file_callbacks import ValidationPredictions
from ctc_ocr.training.tensorboard import TensorBoard
from tests.models import save_own_model
from tests.training_runs import epoch_end

LIMIT = 100_000
save_own_model("ocr")
loaded = model_files.load("ocr")
row = history.Row(1, 64, 1.0, 0.1, 1.0, 0.5, 0.5, 1.0, 0.5, 0.1)
history.write("ocr", [row])
predictions = (ValidationPrediction("12", "12", 0),)

def save(values):
    model_files.save("ocr", 1, mx.sym.Variable("w"), {"w": mx.nd.ones((values,))}, {}, loaded.model)

def validation(count):
    ValidationPredictions("ocr")(replace(epoch_end(), predictions=predictions * count))

def tensorboard(epochs):
    with TensorBoard("ocr") as board:
        for epoch in range(epochs):
            board(epoch_end(epoch))

validation(1)
tensorboard(1)
attempts = {
    "parameters": lambda: save(LIMIT),
    "the last bytes of parameters": lambda: save(LIMIT // 4),
    "state": lambda: training_state.save_training_state("ocr", 1, {"w": np.ones(LIMIT)}, {}),
    "history": lambda: history.write("ocr", [row] * LIMIT),
    "validation": lambda: validation(LIMIT),
    "tensorboard": lambda: tensorboard(LIMIT),
}
resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, resource.RLIM_INFINITY))
for name, attempt in attempts.items():
    try:
        attempt()
        print(f"{name}: no error")
    except RunError as error:
        print(f"{name}: {error}")
"""


@pytest.mark.slow
def test_every_file_of_a_run_says_that_it_cannot_be_written_and_stays_as_it_was(tmp_path: Path) -> None:
    """MXNet's own writer says nothing when the last bytes cannot be written, and TensorBoard's thread lets one wait."""
    done = subprocess.run(
        [sys.executable, "-c", WRITERS], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=120
    )
    assert (done.stderr, done.returncode) == ("", 0)
    said = "cannot be written: File too large"
    assert done.stdout.splitlines() == [
        f"parameters: ocr-0001.params: {said}",
        f"the last bytes of parameters: ocr-0001.params: {said}",
        f"state: ocr-0001.state.npz: {said}",
        f"history: ocr-history.csv: {said}",
        f"validation: ocr-validation.csv: {said}",
        "tensorboard: ocr-tensorboard: cannot be written to: File too large",
    ]
    assert model_files.load(tmp_path / "ocr").epoch == 1
    assert len(history.read(tmp_path / "ocr")) == 1
    assert len((tmp_path / "ocr-validation.csv").read_text().splitlines()) == 2
    assert not list(tmp_path.glob("*.tmp")) + list(tmp_path.glob(".*.tmp"))


FILLS = """
import resource
import ctc_ocr

@ctc_ocr.register_callback("fill_the_disk")
def fill_the_disk(event):
    if isinstance(event, ctc_ocr.BatchEnd):  # the shared memory of the image processes has been made
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "flags", "said"),
    [
        (3_000, (), "ocr-0001.state.npz: cannot be written: File too large"),
        (100, ("--tensorboard",), "ocr-tensorboard: cannot be written to: File too large"),
    ],
)
def test_a_run_on_a_full_disk_ends_with_one_line(
    tmp_path: Path, ubuntu_font: str, limit: int, flags: tuple[str, ...], said: str
) -> None:
    command = [sys.executable, "-m", "ctc_ocr", "train", ubuntu_font, "--num_hidden=16", "--num_layers=1",
               "--samples_per_epoch=400", "--validation_samples=16", "--batch_size=8", "--num_epoch=1", "--num_proc=1",
               "--renderer=captcha", "--cpu=1", "--import=fills.py", "--callback=fill_the_disk", *flags]  # fmt: skip
    (tmp_path / "fills.py").write_text(FILLS.format(limit=limit))
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1] == f"ctc-ocr train: error: {said}"
    assert "Traceback" not in done.stderr
    assert run_files.epochs(tmp_path / "ocr") == []


@pytest.mark.slow
def test_a_run_that_finds_no_room_leaves_the_one_that_it_replaces(tmp_path: Path, ubuntu_font: str) -> None:
    """There is room for its description, and not for the state within its first epoch."""
    save_own_model(tmp_path / "ocr")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("ocr*")}
    command = [sys.executable, "-m", "ctc_ocr", "train", ubuntu_font, "--num_hidden=16", "--num_layers=1",
               "--samples_per_epoch=400", "--validation_samples=16", "--batch_size=8", "--num_epoch=1", "--num_proc=1",
               "--checkpoint_minutes=1e-9", "--renderer=captcha", "--cpu=1", "--import=fills.py",
               "--callback=fill_the_disk", "--overwrite"]  # fmt: skip
    (tmp_path / "fills.py").write_text(FILLS.format(limit=10_000))
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=240)
    said = "ocr-unfinished.state.npz: cannot be written: File too large"
    assert done.stderr.splitlines()[-1] == f"ctc-ocr train: error: {said}"
    assert {path.name: path.read_bytes() for path in tmp_path.glob("ocr*")} == before


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool"])
def test_parameters_are_written_byte_by_byte_as_mxnet_writes_them(tmp_path: Path, dtype: str) -> None:
    arrays = {"arg:a": np.arange(6).reshape(2, 3).astype(dtype), "aux:é": np.ones(1, dtype)}
    mx.nd.save(str(tmp_path / "a.params"), {n: mx.nd.array(each, dtype=each.dtype) for n, each in arrays.items()})
    assert params_content(arrays) == (tmp_path / "a.params").read_bytes()
    (tmp_path / "b.params").write_bytes(params_content({}))
    assert read_params(tmp_path / "b.params") == {}
