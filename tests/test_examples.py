"""Every example runs as its own process, in an empty folder.

The suite runs copies whose constants are small: these networks are hardly trained, so their predictions are not
tested. That each example runs to its end and prints and writes what it promises is. The notebook runs as it
is, in a real kernel.
"""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import ctc_ocr

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
CAPTCHAS = {"EPOCHS": 1, "CAPTCHAS_PER_EPOCH": 64, "VALIDATION_CAPTCHAS": 32}
SMALL: dict[str, Mapping[str, object]] = {
    "train_captchas.py": {**CAPTCHAS, "ALPHABET": "01"},
    "train_folder.py": {"IMAGES": 40, "EPOCHS": 1, "HEIGHT": 24},
    "own_renderer.py": {"EPOCHS": 1, "PLATES_PER_EPOCH": 64, "VALIDATION_PLATES": 32},
    "own_architecture.py": CAPTCHAS,
    "own_source.py": {"IMAGES": 40, "EPOCHS": 1},
    "own_callback.py": CAPTCHAS,
    "read_with_mask.py": {},
    "evaluate.py": {"CAPTCHAS": 20},
    "predict_in_threads.py": {"CAPTCHAS": 24},
}
NETWORK = ["--batch_size=16", "--num_epoch=1", "--samples_per_epoch=32", "--validation_samples=16", "--cpu=1"]

Done = subprocess.CompletedProcess[str]


def python(folder: Path, *arguments: str) -> Done:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=200
    )


def command(folder: Path, *arguments: str) -> Done:
    return python(folder, "-m", "ctc_ocr", *arguments)


def small_copy(name: str, folder: Path) -> Path:
    """The example with the constants of SMALL."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    for constant, value in SMALL[name].items():
        text, count = re.subn(rf"^{constant} = .*$", f"{constant} = {value!r}", text, flags=re.MULTILINE)
        assert count == 1, f"{name} has no constant {constant}"
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def run_example(name: str, folder: Path) -> str:
    """What the small copy prints."""
    small_copy(name, folder)
    done = python(folder, name)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which train_captchas.py has run, and what it printed."""
    folder = tmp_path_factory.mktemp("examples")
    return folder, run_example("train_captchas.py", folder)


def test_every_example_is_tested_and_short() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SMALL)
    for name in SMALL:
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 50, name
        assert "ctc_ocr." not in "".join(re.findall(r"^(?:from|import) .*", text, re.MULTILINE)), "public names only"
    listed = re.findall(r"\((\w+\.(?:py|ipynb))\)", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
    assert set(listed) == {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb")}


def test_train_captchas(trained: tuple[Path, str]) -> None:
    folder, printed = trained
    assert re.search(r"of the validation captchas are read correctly by epoch 1\n", printed)
    assert re.search(r"captcha.png shows [01]{4}, read as '[01]*' with confidence \d", printed)
    assert (folder / "captcha.png").is_file()


def test_train_folder(tmp_path: Path) -> None:
    printed = run_example("train_folder.py", tmp_path)
    assert "epoch 1 is the best" in printed
    assert "4 new images: accuracy" in printed
    assert len(list((tmp_path / "photos").glob("*.png"))) == 40


def test_own_renderer(tmp_path: Path) -> None:
    printed = run_example("own_renderer.py", tmp_path)
    assert re.search(r"of the validation plates are read correctly\nKA-4729 is read as \S+\n", printed)
    assert "Z" in json.loads((tmp_path / "models" / "plates.json").read_text())["alphabet"]


def test_own_callback(tmp_path: Path) -> None:
    assert re.search(r"^epoch 1: \d+ mistakes, \d+ captchas/s\n$", run_example("own_callback.py", tmp_path))
    with (tmp_path / "mistakes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert set(rows[0]) == {"epoch", "label", "prediction", "edits"}


def test_own_source(tmp_path: Path) -> None:
    assert "of the validation images are read correctly" in run_example("own_source.py", tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("read_with_mask.py", r"label: +[01]{4}\ngreedy: +[01]*\n.*(?s:.*)with rejection: "),
        ("evaluate.py", r"20 images read, 0 could not be\naccuracy [01]\.\d{3} "),
        ("predict_in_threads.py", r"\d+ images/s, one at a time, by 8 threads\n\d+ images/s in batches\n"),
    ],
)
def test_examples_that_use_the_model_of_train_captchas(trained: tuple[Path, str], name: str, expected: str) -> None:
    assert re.search(expected, run_example(name, trained[0]))


def test_an_architecture_of_the_user_in_python_and_on_the_command_line(tmp_path: Path) -> None:
    assert "of 20 new captchas are read correctly" in run_example("own_architecture.py", tmp_path)
    imported = ["--import", "own_architecture.py"]
    trained = command(
        tmp_path, "train", *imported, "--architecture=convolutions", "--prefix=models/command", *NETWORK, "--num-proc=1"
    )
    assert trained.returncode == 0, trained.stderr
    for prefix in ("models/command", "models/convolutions"):
        for each in (["infer", "--model", prefix, "captchas/000000.png"], ["evaluate", prefix, "captchas"]):
            done = command(tmp_path, *each, *imported)
            assert (done.returncode, done.stderr) == (0, ""), done.stderr
    for each in (["infer", "--model", "models/command", "captchas"], ["evaluate", "models/command", "captchas"]):
        done = command(tmp_path, *each)
        assert (done.returncode, done.stdout) == (2, "")
        assert "no architecture 'convolutions'" in done.stderr
        assert "--import" in done.stderr


def test_an_architecture_of_the_user_on_labelled_images(tmp_path: Path) -> None:
    """Its time steps are known in the image processes, which import nothing of it."""
    small_copy("own_architecture.py", tmp_path)
    ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(), seed=1).write_folder(tmp_path / "photos", 40)
    done = command(
        tmp_path, "train", "--import=own_architecture.py", "--architecture=convolutions", "--data=photos",
        "--num-epoch=1", "--cpu=1", "--num-proc=2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_source_and_a_callback_of_the_user_on_the_command_line(tmp_path: Path) -> None:
    for name in ("own_source.py", "own_callback.py"):
        small_copy(name, tmp_path)
    ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(), seed=1).write_folder(tmp_path / "photos", 40)
    with (tmp_path / "photos" / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = [json.dumps({"file": row["image"], "text": row["label"]}) for row in csv.DictReader(file)]
    (tmp_path / "photos" / "list.jsonl").write_text("\n".join(rows), encoding="utf-8")
    source = "jsonl:photos/list.jsonl"
    flags = ["--import=own_source.py", "--import=own_callback.py", "--callback=mistakes", f"--data={source}"]
    done = command(tmp_path, "train", *flags, "--num-epoch=1", "--cpu=1", "--num-proc=1")
    assert done.returncode == 0, done.stderr
    assert "epoch 1: " in done.stdout
    assert (tmp_path / "mistakes.csv").is_file()
    done = command(tmp_path, "evaluate", "ocr", source, "--import=own_source.py")
    assert (done.returncode, done.stderr) == (0, "")
    done = command(tmp_path, "evaluate", "ocr", source)
    assert done.returncode == 2
    assert "nor a registered source 'jsonl'" in done.stderr
