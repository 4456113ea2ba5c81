"""Number of threads: what OpenMP uses in a process that ran a command, whatever the environment said before."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.models import save_own_model

ROOT = Path(__file__).resolve().parent.parent
# MXNet takes its number of threads from the environment when it is imported, OpenMP when it is loaded.
SCRIPT = """
import ctypes, os, sys

class AtImport:
    def find_spec(self, name, path=None, target=None):
        if name == "mxnet":
            print("mxnet", os.environ["MXNET_OMP_MAX_THREADS"], file=sys.stderr)

sys.meta_path.insert(0, AtImport())
from ctc_ocr.cli.main import main

assert main(sys.argv[1:]) == 0
print("openmp", ctypes.CDLL("libgomp.so.1").omp_get_max_threads(), file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks the OpenMP of Linux")
@pytest.mark.parametrize(
    ("flags", "threads"),
    [
        (("infer", "--model", "ocr", "--cpu", "3", "77.png"), 3),
        (("infer", "--model", "ocr", "77.png"), 1),
        (("evaluate", "ocr", "labels.csv", "--cpu", "3"), 3),
        (("train", "--print_network", "--cpu", "3"), 3),
    ],
)
def test_threads_of_a_command(tmp_path: Path, flags: tuple[str, ...], threads: int) -> None:
    save_own_model(tmp_path / "ocr")
    Image.new("L", (16, 10), 240).save(tmp_path / "77.png")
    (tmp_path / "labels.csv").write_text("77.png,77\n")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *flags],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2", "MXNET_OMP_MAX_THREADS": "2"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == f"openmp {threads}"
    assert f"mxnet {threads}" in done.stderr.splitlines()
