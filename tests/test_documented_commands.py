"""Every command and every Python block of README and docs works, in the order in which it is shown."""

import argparse
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import onnx_models
from benchmarks.foreign import audit, curve, measure, unlabelled
from benchmarks.own_images import common
from ctc_ocr.cli import data, evaluate, export, infer, interpret, lr_find, serve, train
from tests.documented_page import COMMANDS, SHORT_RUN, steps
from tests.preloaded import python

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
STEPS = {page: steps(page.read_text(encoding="utf-8")) for page in PAGES}
# The site's first page shows what README shows: once is enough.
RUN = [page for page in PAGES if page == PAGES[0] or not set(STEPS[page]) <= set(STEPS[PAGES[0]])]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def succeed(folder: Path, *arguments: str | Path) -> None:
    """Run Python in a folder."""
    done = python(folder, *arguments)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands name, and a model under the prefix of `make train`."""
    folder = tmp_path_factory.mktemp("trained")
    for name in ("fonts", "scripts"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "sample.png", folder / "docs")
    succeed(
        folder, "-m", "ctc_ocr", "train", "--prefix=train/ocr", "--num_epoch=1", "--validation_samples=16", *SHORT_RUN
    )
    return folder


@pytest.fixture
def checkout(trained: Path, tmp_path: Path) -> Path:
    """Each page has a folder of its own: what another page's commands wrote is not in it."""
    return Path(shutil.copytree(trained, tmp_path / "checkout"))


# Pages whose commands train again and again: 10 to 30 seconds each.
LONG = ("how_many_labels", "find_wrong_labels", "many_images", "few_images", "several_workers", "learning_rate")


def page_to_run(page: Path) -> Any:
    if page.stem in LONG:
        return pytest.param(page, marks=pytest.mark.long)
    return page if page.parent in (ROOT, ROOT / "docs") else pytest.param(page, marks=pytest.mark.slow)


@pytest.mark.parametrize("page", [page_to_run(page) for page in RUN], ids=name_of)
def test_commands_and_python(page: Path, checkout: Path) -> None:
    succeed(checkout, "-m", "tests.documented_page", page)


def test_pages_show_commands_of_this_package_only() -> None:
    shown = [step.text for page in PAGES for step in STEPS[page] if step.kind == "console"]
    assert len(shown) >= 50
    assert [line for line in shown if line.split()[0] not in COMMANDS] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    pages_of_the_site = {"changelog.md", "contributing.md"}  # made of files in the root
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        exists = (page.parent / target).exists() or target in pages_of_the_site
        assert target.startswith("https://") or exists, target


def options() -> dict[str, argparse.Action]:
    """The flags of all commands that read images or are trained on them, and of their benchmarks."""
    commands = (train, infer, evaluate, interpret, data, export, lr_find, serve, measure, audit, curve, unlabelled)
    parsers = [*(command.parser() for command in commands), common.parser(""), onnx_models.parser()]
    found: dict[str, argparse.Action] = {}
    for parser in parsers:
        for action in parser._actions:
            subparsers = action.choices.values() if isinstance(action, argparse._SubParsersAction) else ()
            for each in (parser, *subparsers):
                found |= each._option_string_actions
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_that_pages_name_exist_and_take_a_value_where_one_is_shown(page: Path) -> None:
    known = options()
    text = re.sub(r"^\s+\| old \| new \|$.*?^$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for name, value in re.findall(r"`(--\w[\w-]*)(?: ([\w'][^`]*))?`", text):
        if name in OF_OTHERS:
            continue
        assert name.replace("-", "_").replace("__", "--", 1) in known, name
        assert not value or known[name].nargs != 0, f"{name} takes no value, as in {value}"


# Flags of `python -m benchmarks`, which has a parser of its own.
OF_OTHERS = ("--rounds", "--long")


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
    assert re.search(r"of 8 (right|correct)", done.stdout)
    correct, count = re.findall(r"Epoch \d+: ([\d,]+) of ([\d,]+) read", done.stderr)[-1]
    assert int(correct.replace(",", "")) >= 0.99 * int(count.replace(",", ""))
