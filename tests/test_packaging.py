"""What pip installs where, the scripts of a checkout, and the door to MXNet."""

import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from ctc_ocr.cli.main import main
from ctc_ocr.errors import InputError
from ctc_ocr.runtime import mxnet as _mxnet
from ctc_ocr.runtime.cuda_libraries import preload_cuda_libraries
from ctc_ocr.runtime.devices import contexts

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PINS = {"numpy": "<2", "opencv-python-headless": "<4.12"}


def extras() -> dict[str, list[Requirement]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {name: [Requirement(each) for each in wanted] for name, wanted in project["optional-dependencies"].items()}


def installed(extra: str, python: str, system: str, machine: str) -> dict[str, str]:
    """What pip would add for an extra on another machine: {name: versions}."""
    there = {"python_version": python, "sys_platform": system, "platform_machine": machine}
    wanted = [each for each in extras()[extra] if each.marker is None or each.marker.evaluate(there)]
    return {each.name: str(each.specifier) for each in wanted}


@pytest.mark.parametrize(
    ("python", "system", "machine", "has_cpu", "has_gpu"),
    [
        ("3.10", "linux", "x86_64", True, True),
        ("3.12", "linux", "x86_64", True, True),
        ("3.12", "linux", "aarch64", True, False),
        ("3.12", "darwin", "x86_64", True, False),
        ("3.12", "darwin", "arm64", False, False),
        ("3.12", "win32", "AMD64", False, False),
        ("3.13", "linux", "x86_64", False, False),
        ("3.14", "linux", "aarch64", False, False),
    ],
)
def test_extras_have_mxnet_where_it_has_a_wheel(
    python: str, system: str, machine: str, has_cpu: bool, has_gpu: bool
) -> None:
    cpu, gpu = (installed(extra, python, system, machine) for extra in ("cpu", "cu112"))
    assert ("mxnet" in cpu, "mxnet-cu112" in gpu) == (has_cpu, has_gpu)
    assert any(name.startswith("nvidia-") for name in gpu) == has_gpu
    for found in (cpu, gpu):
        pins = {name: versions for name, versions in found.items() if name in PINS}
        assert pins == ({} if python >= "3.13" else PINS)


@pytest.mark.parametrize(
    ("python", "system", "machine", "reason"),
    [
        ((3, 12), "Linux", "x86_64", "install one of the extras: pip install 'ctc_ocr[cpu]'"),
        (
            (3, 13),
            "Linux",
            "x86_64",
            "needs NumPy 1, which does not exist for Python 3.13. Use Python 3.10, 3.11 or 3.",
        ),
        (
            (3, 12),
            "Linux",
            "riscv64",
            "no wheel for Linux riscv64. There are wheels for Linux x86_64, Linux aarch64 and",
        ),
        (
            (3, 12),
            "Darwin",
            "arm64",
            "no wheel for macOS arm64. There are wheels for Linux x86_64, Linux aarch64 and mac",
        ),
        ((3, 12), "Windows", "AMD64", "no wheel for Windows AMD64"),
    ],
)
def test_why_mxnet_is_missing(python: tuple[int, int], system: str, machine: str, reason: str) -> None:
    assert _mxnet.why_missing(python, system, machine).startswith("MXNet is not installed")
    assert reason in _mxnet.why_missing(python, system, machine)


def test_mxnet_beside_numpy_2_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "__version__", "2.1.0")
    with pytest.raises(InputError, match=r"MXNet 1.9.1 needs NumPy 1, and NumPy 2.1.0 is installed; .*\[cpu\]"):
        _mxnet._import()


def test_mxnet_that_lacks_a_module_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mxnet.py").write_text("import a_module_that_is_missing\n")
    monkeypatch.delitem(sys.modules, "mxnet")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"cannot be imported: No module named 'a_module_that_is_missing'; .*\[cpu\]"):
        _mxnet._import()


def test_info_lists_the_extras(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctc_ocr.cli.info._version", {"numpy": "1.26.4"}.get)
    main(["info"])
    said = capsys.readouterr().out.splitlines()
    assert "numpy:                  1.26.4" in said
    assert "cloudpickle:            not installed" in said
    assert "nltk:                   not installed (extra [lm])" in said


@pytest.fixture(scope="module")
def python_without_the_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with all that is installed here but ctc_ocr."""
    folder = tmp_path_factory.mktemp("without_the_package")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    asked = [str(python), "-c", "import site; print(site.getsitepackages()[0])"]
    packages = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    for each in Path(site.getsitepackages()[0]).iterdir():
        if "ctc_ocr" not in each.name and not (packages / each.name).exists():
            (packages / each.name).symlink_to(each)
    return python


def clean_environment() -> dict[str, str]:
    unwanted = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "PYTHONSTARTUP")
    return {**{name: value for name, value in os.environ.items() if name not in unwanted}, "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_scripts_work_without_the_package(python_without_the_package: Path, tmp_path: Path, ubuntu_font: str) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python_without_the_package, *arguments],
            cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    assert "No module named 'ctc_ocr'" in run("-c", "import ctc_ocr").stderr
    scripts = ROOT / "scripts"
    many = ["--count=4", "--output_dir=samples", "--num_proc=2"]
    short = ["--num_epoch=1", "--samples_per_epoch=32", "--validation_samples=16", "--batch_size=16", "--num_proc=1"]
    for name, arguments in (
        ("captcha_generator", [ubuntu_font, *many]),
        ("lstm_ocr_train", [*short, ubuntu_font]),
        ("lstm_ocr_infer", ["--labels=samples/labels.csv", "samples"]),
    ):
        done = run(str(scripts / f"{name}.py"), *arguments)
        assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "samples").glob("*.png"))) == 4
    assert "000003.png" in done.stdout


def test_importing_mxnet_leaves_numpy_as_it_was() -> None:
    code = "import numpy as np; from ctc_ocr.runtime.mxnet import mx; assert 'bool' not in vars(np)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
    assert _mxnet.mx.nd.ones((2, 2)).asnumpy().sum() == 4
    assert "bool" not in vars(np)


def test_cuda_wheels_are_found_and_loaded() -> None:
    """The two in the test extra; the others are found in the same way."""
    loaded = preload_cuda_libraries()
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
        contexts((0,))
    assert [str(each) for each in contexts(())] == ["cpu(0)"]
