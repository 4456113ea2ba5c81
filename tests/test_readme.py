"""Every command that README and docs show in a console block works, in the order in which it is shown."""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.own_images import common
from ctc_ocr.cli import data, evaluate, infer, train

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# The same commands, made short.
SHORTER = {"lstm_ocr_train": ["--num_epoch=1", "--samples_per_epoch=64", "--batch_size=16"]}
COMMANDS = ("lstm_ocr_train", "lstm_ocr_infer", "captcha_generator", "ctc-ocr")


def console(page: Path) -> list[str]:
    """The commands of a page's console blocks."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands name, and a model where README says that `make train` left one."""
    folder = tmp_path_factory.mktemp("trained")
    for name in ("fonts", "docs", "scripts"):
        shutil.copytree(ROOT / name, folder / name)
    run(folder, "lstm_ocr_train --prefix train/ocr fonts/Ubuntu-M.ttf")
    return folder


@pytest.fixture
def checkout(trained: Path, tmp_path: Path) -> Path:
    """Each page begins where a reader of it alone would: what another page's commands wrote is not there."""
    return Path(shutil.copytree(trained, tmp_path / "checkout"))


def run(folder: Path, line: str) -> str:
    name, *arguments = shlex.split(line)
    assert name in COMMANDS, f"{name} is no command of this package"
    command = Path(sys.executable).parent / name
    done = subprocess.run(
        [command, *arguments, *SHORTER.get(name, [])],
        cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_console_commands(page: Path, checkout: Path) -> None:
    for line in console(page):
        said = run(checkout, line)
        if line.startswith("lstm_ocr_infer"):
            assert said.strip()
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        done = subprocess.run([sys.executable, "-c", block], cwd=checkout, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{block}\n{done.stderr}"


def test_readme_has_commands_and_its_links_lead_somewhere() -> None:
    assert len(console(ROOT / "README.md")) >= 8
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


def options() -> dict[str, argparse.Action]:
    """Those of all commands that read or are trained on images, and of the benchmarks of labelled images."""
    parsers = [train.parser(), infer.parser(), evaluate.parser(), data.parser(), common.parser("")]
    found: dict[str, argparse.Action] = {}
    for parser in parsers:
        for action in parser._actions:
            subparsers = action.choices.values() if isinstance(action, argparse._SubParsersAction) else ()
            for each in (parser, *subparsers):
                found |= each._option_string_actions
    return found


@pytest.mark.parametrize(
    "page", ["README.md", "docs/data.md", "docs/training.md", "docs/decoding.md", "docs/own_images.md"]
)
def test_options_that_pages_name_exist_and_take_a_value_where_one_is_shown(page: str) -> None:
    known = options()
    for name, value in re.findall(r"`(--\w+)(?: (\w[^`]*))?`", (ROOT / page).read_text(encoding="utf-8")):
        assert name in known, f"{page}: {name}"
        assert not value or known[name].nargs != 0, f"{page}: {name} takes no value, as in {value}"


def test_make_targets_that_readme_names_exist() -> None:
    named = set(re.findall(r"^    make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"train", "test"} <= named
    for target in named:
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.long
def test_make_train(tmp_path: Path) -> None:
    """The README's first command, on a clean clone; it ends when the target accuracy is reached."""
    subprocess.run(["git", "clone", "--quiet", ROOT, tmp_path / "clone"], check=True)
    done = subprocess.run(["make", "train"], cwd=tmp_path / "clone", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "of 8 right" in done.stdout
    assert float(re.findall(r"Validation-accuracy=([\d.]+)", done.stderr)[-1]) >= 0.99
