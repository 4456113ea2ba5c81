"""What is said where MXNet or warp-ctc is missing, does not load, or is another version."""

import importlib.util
import logging
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ctc_ocr.errors import InputError
from ctc_ocr.losses import warpctc, warpctc_library
from ctc_ocr.losses.warpctc_library import NAME, WarpCTC, find
from ctc_ocr.runtime import mxnet as door
from ctc_ocr.runtime.mxnet import mx

EXTRAS = r"pip install 'ctc_ocr\[cpu\]', or 'ctc_ocr\[cu112\]' for a GPU$"
MISSING = {
    "a new Python": (
        (3, 13), "Linux", "x86_64",
        r"it needs NumPy 1, which does not exist for Python 3\.13\. Use Python 3\.10, 3\.11 or 3\.12$",
    ),
    "a computer without a wheel": (
        (3, 11), "Darwin", "arm64",
        "it has no wheel for macOS arm64. There are wheels for Linux x86_64, Linux aarch64 and macOS x86_64$",
    ),
}  # fmt: skip


def without(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a package were not installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else found(name))


@pytest.mark.parametrize("name", MISSING)
def test_mxnet_that_cannot_be_installed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    python, system, machine, reason = MISSING[name]
    without("mxnet", monkeypatch)
    monkeypatch.setattr(door, "sys", SimpleNamespace(version_info=(*python, 0)))
    monkeypatch.setattr(door, "platform", SimpleNamespace(system=lambda: system, machine=lambda: machine))
    with pytest.raises(InputError, match=f"^MXNet is not installed: {reason}"):
        door._import()


def test_mxnet_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a computer that it has a wheel for: this one, on which the suite runs with it."""
    without("mxnet", monkeypatch)
    with pytest.raises(InputError, match=f"^MXNet is not installed; install one of the extras: {EXTRAS}"):
        door._import()


@pytest.mark.parametrize(
    ("library", "remedy"),
    [
        ("libgomp-of-nobody.so.1", "; on Debian: apt-get install libgomp1"),
        ("libcuda.so.99", "; libcuda.so.1 comes with the NVIDIA driver: .*"),
        ("libcudnn.so.99", r"; the CUDA libraries come with the extra \[cu112\]"),
        ("libopencv-of-nobody.so", ""),
    ],
)
def test_mxnet_that_lacks_a_library(library: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is that of the system's loader."""
    (tmp_path / "mxnet.py").write_text(f"import ctypes\nctypes.CDLL({library!r})\n", encoding="utf-8")
    had_bool = "bool" in vars(np)
    monkeypatch.delitem(sys.modules, "mxnet")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        InputError, match=rf"^MXNet is installed but its library does not load: {library}: [^;]+{remedy}$"
    ):
        door._import()
    assert ("bool" in vars(np)) == had_bool  # which MXNet is lent


def test_cuda_libraries_that_are_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that came as wheels, which are loaded before MXNet."""
    library = tmp_path / "nvidia" / "cudnn" / "lib" / "libcudnn.so.8"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"cut off")
    (tmp_path / "nvidia" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("DMLC_ROLE", "worker")
    reason = r"its library does not load: .*libcudnn\.so\.8: file too short; the CUDA libraries come with .* \[cu112\]$"
    with pytest.raises(InputError, match=f"^MXNet is installed but {reason}"):
        door._import()
    assert os.environ["DMLC_ROLE"] == "worker"


def test_a_warp_ctc_library_that_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WARPCTC_PATH", raising=False)
    monkeypatch.setattr(warpctc_library, "NAME", f"nobodys_{NAME}")  # else the system's loader might have one
    without("paddle", monkeypatch)
    looked = r"WARPCTC_PATH, which is not set; the system's loader \(.*\); the package paddlepaddle, which is not inst"
    with pytest.raises(InputError, match=rf"^no nobodys_{NAME} found; looked at: {looked}.* 'ctc_ocr\[warpctc\]'$"):
        find()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_path_without_a_warp_ctc_library(kind: str, tmp_path: Path) -> None:
    path, looked = (tmp_path / "x.so", "x.so") if kind == "file" else (tmp_path, f"build/{NAME}, {tmp_path}/{NAME}")
    with pytest.raises(
        InputError, match=f"^the path given: no warp-ctc library; looked at: {tmp_path}/{looked}. Accep"
    ):
        find(path)


def test_a_warp_ctc_library_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other version is what is accepted: the library is the real one."""
    monkeypatch.setattr(warpctc_library, "VERSION", 3)
    with pytest.raises(InputError, match=f"{NAME}: warp-ctc interface version 2 is not supported; accepted: 3$"):
        WarpCTC(find().path)


def test_arrays_of_another_device_are_copied(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """As if the memory of the CPU's arrays could not be read. It is told once, and the loss is the same."""
    logits = mx.nd.array(np.random.default_rng(0).normal(size=(6, 2, 4)))
    given = {"data": logits, "label": mx.nd.array([[1, 2], [3, 0]])}
    loss = warpctc.loss(mx.sym.var("data"), mx.sym.var("label"))
    expected = loss.bind(mx.cpu(), given, grad_req="null").forward(is_train=False)[0].asnumpy()
    monkeypatch.setattr(warpctc, "is_on_host", lambda array: False)
    monkeypatch.setattr(warpctc, "_copies_announced", set())
    with caplog.at_level(logging.WARNING):
        found = loss.bind(mx.cpu(), given, grad_req="null").forward(is_train=False)[0].asnumpy()
    np.testing.assert_array_equal(found, expected)
    said = "warp-ctc computes on the host: logits and gradients are copied from cpu(0) and back"
    assert [record.getMessage() for record in caplog.records] == [said]
