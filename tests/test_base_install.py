"""The base package, alone in a fresh environment on a Python that has no MXNet, with NumPy 2."""

import json
import os
import shutil
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from ctc_ocr.version import __version__

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "ctc_ocr")
DECODING = """
import math
import numpy as np
from ctc_ocr import Alphabet, Decoder
from ctc_ocr.evaluation.metrics import Tally

# Two time steps, one image, the blank and one unit: the best path is empty, the most probable text is the unit.
log_probs = np.log([[[0.6, 0.4]], [[0.6, 0.4]]])
decoders = [decoder.bind(Alphabet(("a",))) for decoder in (Decoder(), Decoder(beam_width=4))]
greedy, beam = (decoder.decode(log_probs, None, True)[0][0] for decoder in decoders)
assert (greedy.codes, beam.codes) == ([], [1])
assert math.isclose(math.exp(greedy.log_probability), 0.36)
assert math.isclose(math.exp(beam.log_probability), 0.64)
tally = Tally()
tally.add([greedy.codes, beam.codes], [[1], [1]])
assert (tally.accuracy, tally.cer) == (0.5, 0.5)
"""

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]


def find_python(version: str) -> str | None:
    """The first interpreter of this version that starts: on the PATH, or one that pyenv has."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))]
    for each in candidates:
        if each and subprocess.run([each, "-c", ""], capture_output=True).returncode == 0:
            return str(each)
    return None


def clean_environment() -> dict[str, str]:
    """Without what would let the checkout be found."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@dataclass(frozen=True)
class Install:
    """An environment that has the package, and a folder to work in."""

    environment: Path
    folder: Path

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One of its programs. A warning would be an error."""
        return subprocess.run(
            [self.environment / "bin" / name, *arguments],
            cwd=self.folder, env={**clean_environment(), "PYTHONWARNINGS": "error"}, capture_output=True, text=True,
        )  # fmt: skip

    def output(self, name: str, *arguments: str) -> str:
        done = self.run(name, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def quietly(*command: str | Path) -> None:
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module", params=["3.13", "3.14"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Install:
    return install(request.param, tmp_path_factory.mktemp("base"), "cpu,cu112,warpctc")  # nothing for this Python


def install(version: str, folder: Path, extras: str) -> Install:
    """The package, built here, with extras, in an environment of its own in a folder."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    sources = folder / "sources"  # a copy: setuptools writes beside what it builds
    sources.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, sources)
    environment, work = folder / "environment", folder / "work"
    work.mkdir()
    quietly(python, "-m", "venv", environment)
    pip = environment / "bin" / "pip"
    quietly(pip, "wheel", "--no-deps", "--wheel-dir", folder, sources)
    (wheel,) = folder.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    quietly(pip, "install", wheel)
    quietly(pip, "install", f"{wheel}[{extras}]")
    quietly(pip, "check")
    return Install(environment, work)


def test_what_is_installed(base: Install) -> None:
    said = base.run("ctc-ocr", "info")
    rows = dict(line.split(":", 1) for line in said.stdout.splitlines())
    assert rows["ctc_ocr"].strip() == __version__
    assert rows["numpy"].strip().startswith("2.")
    assert rows["mxnet"].strip() == "not installed (extra [cpu])"
    assert "not installed: it needs NumPy 1, which does not exist for Python 3.1" in rows["MXNet"]
    assert said.stderr == ""
    installed = base.output("python", "-c", "import ctc_ocr; print(ctc_ocr.__file__)").strip()
    assert Path(installed).is_relative_to(base.environment)
    assert Path(installed).with_name("py.typed").exists()


def test_captchas_and_data_commands(base: Install, ubuntu_font: str) -> None:
    base.output("captcha_generator", ubuntu_font, "one.png", "--num", "0089")
    base.output("captcha_generator", ubuntu_font, "--count=30", "--output_dir=samples", "--num_proc=2")
    assert "30 valid, 0 invalid" in base.output("ctc-ocr", "data", "check", "samples")
    assert "train: 24 samples" in base.output("ctc-ocr", "data", "split", "samples", "parts")
    base.output("ctc-ocr", "data", "check", "parts/train.csv", "--preset=word")
    assert "Packed 30 images" in base.output("ctc-ocr", "data", "pack", "samples", "packed")
    assert "30 valid, 0 invalid" in base.output("ctc-ocr", "data", "check", "packed.rec")
    base.output("ctc-ocr", "data", "preview", "packed.rec", "preview.png", "--preset=line")
    assert (base.folder / "preview.png").stat().st_size > 1000


def test_decoding_and_metrics(base: Install) -> None:
    base.output("python", "-c", DECODING)


def test_training_says_why_mxnet_is_missing(base: Install) -> None:
    done = base.run("ctc-ocr", "train")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "it needs NumPy 1, which does not exist for Python 3.1" in done.stderr
    assert "Use Python 3.10, 3.11 or 3.12" in done.stderr


@pytest.mark.parametrize("command", [["infer", "one.png"], ["evaluate", "samples"]], ids=" ".join)
def test_reading_says_which_extra_reads_without_mxnet(base: Install, command: list[str], ubuntu_font: str) -> None:
    if not (base.folder / "samples").exists():
        base.output("captcha_generator", ubuntu_font, "--count=2", "--output_dir=samples")
    if not (base.folder / "one.png").exists():
        base.output("captcha_generator", ubuntu_font, "one.png")
    done = base.run("ctc-ocr", *command)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'ctc_ocr[onnx]'" in done.stderr


def test_serving(base: Install) -> None:
    """The last one: it adds what the tests above do without."""
    (wheel,) = base.environment.parent.glob("*.whl")
    quietly(base.environment / "bin" / "pip", "install", f"{wheel}[onnx,serve]")
    command = [str(base.environment / "bin" / "ctc-ocr"), "serve", "--port=0"]
    environment = {**clean_environment(), "PYTHONWARNINGS": "error"}
    server = subprocess.Popen(command, cwd=base.folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        address = server.stdout.readline().split()[-1]
        sample = (ROOT / "docs" / "sample.png").read_bytes()
        request = urllib.request.Request(f"{address}/read", sample, {"Content-Type": "image/png"})
        with urllib.request.urlopen(request) as answer:
            assert [each["text"] for each in json.load(answer)["readings"]] == ["0089"]
    finally:
        server.terminate()
        assert server.wait(60) == 0
        server.stdout.close()
