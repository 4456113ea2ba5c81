"""ctc-ocr itself, info, and what is said where MXNet is missing."""

import os
import shutil
import site
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

import ctc_ocr
from ctc_ocr.checkpoint.starter import starter_path
from ctc_ocr.cli.main import COMMANDS, main
from ctc_ocr.cli.running import run
from ctc_ocr.version import __version__

ROOT = Path(__file__).resolve().parent.parent


def test_info_tells_versions_features_and_devices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    said = capsys.readouterr().out
    for part in (__version__, "MXNet:", "1.9.1", "MKLDNN", "numpy:", "cores:", "GPUs:"):
        assert part in said


def test_version_help_and_unknown_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ctc_ocr {__version__}\n"
    assert main(["--help"]) == 0
    usage = capsys.readouterr().out
    assert all(f"  {name}" in usage for name in COMMANDS)
    assert main(["tain"]) == 2
    assert "no command 'tain'; expected one of train, infer" in capsys.readouterr().err
    assert main([]) == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_version(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for flag, expected in (("--help", "usage: "), ("--version", f"ctc_ocr {__version__}")):
        with pytest.raises(SystemExit) as ended:
            main([name, flag])
        assert ended.value.code == 0
        assert expected in capsys.readouterr().out


def ended(program: str, stdout: int | IO[bytes] = subprocess.PIPE, **environment: str) -> tuple[int, bytes, bytes]:
    """(exit status, stdout, stderr) of a command whose body is this expression."""
    lines = f"import sys; from ctc_ocr.cli.running import run; sys.exit(run('prog', lambda _: {program}, []))"
    done = subprocess.run(
        [sys.executable, "-c", lines], env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=stdout, stderr=subprocess.PIPE, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("size", "unbuffered"), [(1, ""), (100_000, ""), (1, "1")])
def test_output_that_a_full_disk_refuses(size: int, unbuffered: str) -> None:
    with Path("/dev/full").open("wb") as full:
        status, _, said = ended(f"print('x' * {size})", stdout=full, PYTHONUNBUFFERED=unbuffered)
    assert (status, said) == (1, b"prog: error: the output cannot be written: No space left on device\n")


def test_what_the_encoding_of_the_output_lacks() -> None:
    """A letter as its number, a byte of a file's name as it is."""
    status, out, said = ended(r"print('a\xe9\udcff\u4e2d\udce9')", PYTHONIOENCODING="ascii")
    assert (status, out, said) == (0, b"a\\xe9\xff\\u4e2d\xe9\n", b"")
    status, out, _ = ended(r"print('a\xe9\udcff')", PYTHONIOENCODING="utf-8")
    assert (status, out) == (0, b"a\xc3\xa9\xff\n")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (PermissionError(13, "Permission denied", "folder"), 2, "folder: Permission denied"),
        (OSError(36, "File name too long", b"long"), 2, "long: File name too long"),
        (OSError(24, "Too many open files"), 1, "Too many open files"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    error: OSError, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def body(argv: list[str]) -> None:
        raise error

    assert run("prog", body, []) == status
    assert capsys.readouterr() == ("", f"prog: error: {said}\n")


@pytest.fixture
def packages_without_mxnet(tmp_path: Path) -> Path:
    """A folder with all that is installed here but MXNet."""
    for each in Path(site.getsitepackages()[0]).iterdir():
        if each.name == "cv2":  # looks at where its files really are
            shutil.copytree(each, tmp_path / each.name)
        elif not each.name.startswith("mxnet"):
            (tmp_path / each.name).symlink_to(each)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [["info"], ["train", "--num_proc=1"], ["infer", "--model", str(starter_path()), "sample.jpg"]],
    ids=lambda arguments: arguments[0],
)
def test_without_mxnet_the_extra_is_named(packages_without_mxnet: Path, arguments: list[str], tmp_path: Path) -> None:
    from PIL import Image

    Image.new("L", (80, 30), 255).save(tmp_path / "sample.jpg")
    path = os.pathsep.join([str(packages_without_mxnet), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-S", "-m", "ctc_ocr", *arguments],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "MXNet is not installed; install one of the extras: pip install 'ctc_ocr[cpu]'" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("ocr*"))


def test_infer_reads_with_the_starter_without_mxnet(packages_without_mxnet: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([str(packages_without_mxnet), str(ROOT)])
    image = str(ROOT / "docs" / "sample.png")
    done = subprocess.run(
        [sys.executable, "-S", "-m", "ctc_ocr", "infer", image],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"Text: {ctc_ocr.Predictor('starter').read(image).text}"


def test_generator_works_without_mxnet(packages_without_mxnet: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([str(packages_without_mxnet), str(ROOT)])
    font = str(ROOT / "fonts" / "Ubuntu-M.ttf")
    done = subprocess.run(
        [sys.executable, "-S", str(ROOT / "scripts" / "captcha_generator.py"), font, "sample.png", "--num", "0089"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sample.png").exists()
