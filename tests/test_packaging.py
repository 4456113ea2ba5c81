"""What setup.py refuses, and the door to MXNet."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ctc_ocr.errors import InputError
from ctc_ocr.runtime import mxnet as _mxnet
from ctc_ocr.runtime.devices import contexts

ROOT = Path(__file__).resolve().parent.parent
ELSEWHERE = """
import platform, runpy, sys
import setuptools
sys.version_info = {version}
platform.python_version = lambda: "{name}"
platform.system, platform.machine = (lambda: "{system}"), (lambda: "{machine}")
sys.argv = ["setup.py", "--version"]
runpy.run_path("setup.py", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("version", "name", "system", "machine", "complaint"),
    [
        ((3, 13, 0), "3.13.0", "Linux", "x86_64", "Python 3.13.0 is not supported: MXNet 1.9.1 needs NumPy 1.x"),
        ((3, 9, 1), "3.9.1", "Linux", "x86_64", "Python 3.9.1 is not supported"),
        (
            (3, 12, 0),
            "3.12.0",
            "Linux",
            "riscv64",
            "there is no MXNet 1.9.1 wheel for Linux riscv64. There are wheels for: ",
        ),
        ((3, 12, 0), "3.12.0", "Darwin", "arm64", "there is no MXNet 1.9.1 wheel for Darwin arm64"),
    ],
)
def test_machines_without_mxnet_are_refused_by_name(
    version: tuple[int, ...], name: str, system: str, machine: str, complaint: str
) -> None:
    code = ELSEWHERE.format(version=version, name=name, system=system, machine=machine)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_importing_mxnet_leaves_numpy_as_it_was() -> None:
    code = "import numpy as np; from ctc_ocr.runtime.mxnet import mx; assert 'bool' not in vars(np)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
    assert _mxnet.mx.nd.ones((2, 2)).asnumpy().sum() == 4
    assert "bool" not in vars(np)


def test_cuda_wheels_are_found_and_loaded() -> None:
    """The two in the test extra; the others are found in the same way."""
    loaded = _mxnet.preload_cuda_libraries()
    assert "libcudart.so.11.0" in loaded
    assert "libnvToolsExt.so.1" in loaded


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("libgomp.so.1: cannot open shared object file", "apt-get install libgomp1"),
        ("libcuda.so.1: cannot open shared object file", "comes with the NVIDIA driver"),
        ("libcudnn.so.8: cannot open shared object file", "come with the extra [cu112]"),
    ],
)
def test_libraries_that_are_missing_are_explained(error: str, remedy: str) -> None:
    assert remedy in _mxnet._remedy(error)


def test_gpus_that_are_not_there() -> None:
    with pytest.raises(InputError, match=r"built without CUDA.*\[cu112\]"):
        contexts(1)
    assert [str(each) for each in contexts(0)] == ["cpu(0)"]
