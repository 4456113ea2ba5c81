"""Every example runs as its own process, in an empty folder.

The suite runs copies whose constants are small: these networks are hardly trained, so their predictions are not
tested. That each example runs to its end and prints and writes what it promises is. The notebook runs as it
is, in a real kernel.
"""

import csv
import json
import multiprocessing
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr.cli.evaluate import main as evaluate
from ctc_ocr.cli.infer import main as infer
from ctc_ocr.cli.train import main as train
from tests.preloaded import Done, python

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
CAPTCHAS = {"EPOCHS": 1, "CAPTCHAS_PER_EPOCH": 64, "VALIDATION_CAPTCHAS": 32}
SMALL: dict[str, Mapping[str, object]] = {
    "train_captchas.py": {**CAPTCHAS, "ALPHABET": "01"},
    "train_folder.py": {"IMAGES": 40, "EPOCHS": 1, "SAMPLES_PER_EPOCH": 64, "HEIGHT": 24},
    "own_renderer.py": {"EPOCHS": 1, "PLATES_PER_EPOCH": 64, "VALIDATION_PLATES": 32},
    "own_architecture.py": CAPTCHAS,
    "own_source.py": {"IMAGES": 40, "EPOCHS": 1, "SAMPLES_PER_EPOCH": 64},
    "own_callback.py": CAPTCHAS,
    "read_with_mask.py": {},
    "evaluate.py": {"CAPTCHAS": 20},
    "predict_in_threads.py": {"CAPTCHAS": 24},
}
NETWORK = ["--batch_size=16", "--num_epoch=1", "--samples_per_epoch=32", "--validation_samples=16", "--cpu=1"]

RENDERER = """
import cv2, numpy as np, ctc_ocr

@ctc_ocr.register_renderer("hershey")
class Hershey(ctc_ocr.Renderer):
    def render(self, text, generator):
        image = np.full((40, 80), 230, np.uint8)
        cv2.putText(image, text, (4, 30), cv2.FONT_HERSHEY_SIMPLEX, generator.uniform(0.8, 1), 40, 2)
        return image
"""
TRAIN = """
settings = ctc_ocr.preset("lstm", data={"width": 40, "height": 20}, network={"num_layers": 1, "num_hidden": 8},
                          training={"num_epoch": 1, "samples_per_epoch": 32, "validation_samples": 16})
ctc_ocr.train(settings, ctc_ocr.Captchas(renderer=Hershey()), overwrite=True, num_proc=1)
"""
TRAIN_LONG = """
import multiprocessing

class Shout:
    silent = True
    def __call__(self, event):
        if self.silent:
            print("training", flush=True)
        self.silent = False

settings = ctc_ocr.preset("lstm", data={"width": 40, "height": 20}, network={"num_layers": 1, "num_hidden": 8},
                          training={"samples_per_epoch": 10**7, "validation_samples": 16, "batch_size": 8})
result = ctc_ocr.train(settings, ctc_ocr.Captchas(renderer=Hershey()), callbacks=[Shout()], num_proc=2)
print("finished:", result.finished)
"""
AFTERWARDS = "print('epoch:', ctc_ocr.Predictor('ocr').epoch, 'children:', len(multiprocessing.active_children()))"
# Kernels are started in processes of their own, so that what their clients warn of is no failure of this suite.
RUN_NOTEBOOK = """
import nbformat, nbclient
notebook = nbformat.read("notebook.ipynb", 4)
nbclient.NotebookClient(notebook, timeout=250, kernel_name="python3").execute()
nbformat.write(notebook, "notebook.ipynb")
"""
INTERRUPT = f"""
from pathlib import Path
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="python3")
seen = ""

def show(message):
    global seen
    text = message["content"].get("text", "")
    if "training" in text and "training" not in seen:
        manager.interrupt_kernel()
    seen += text

try:
    for cell in (Path("cell.txt").read_text(), {AFTERWARDS!r}):
        client.execute_interactive(cell, timeout=150, output_hook=show)
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
print(seen)
"""


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


@pytest.fixture(scope="session")
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


@pytest.mark.xdist_group("train_captchas.py")
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


@pytest.mark.slow
def test_own_callback(tmp_path: Path) -> None:
    assert re.search(r"^epoch 1: \d+ mistakes, \d+ captchas/s\n$", run_example("own_callback.py", tmp_path))
    with (tmp_path / "mistakes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert set(rows[0]) == {"epoch", "label", "prediction", "edits"}


@pytest.mark.slow
def test_own_source(tmp_path: Path) -> None:
    assert "of the validation images are read correctly" in run_example("own_source.py", tmp_path)


@pytest.mark.xdist_group("train_captchas.py")
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


@pytest.mark.slow
def test_an_architecture_of_the_user_in_python_and_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "of 20 new captchas are read correctly" in run_example("own_architecture.py", tmp_path)
    imported = ["--import", "own_architecture.py"]
    trained = command(
        tmp_path,
        "train",
        *imported,
        "--architecture=convolutions",
        "--prefix=models/command",
        *NETWORK,
        "--num-proc=1",
        "--samples_per_epoch=1600",  # until it reads something, as infer would say otherwise
    )
    assert trained.returncode == 0, trained.stderr
    for each in (["infer", "--model", "models/command", "captchas"], ["evaluate", "models/convolutions", "captchas"]):
        done = command(tmp_path, *each, *imported)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    # Without --import, and so in this process, there is no such architecture.
    for each_main, argv in (
        (infer, ["captchas", "--model=models/command"]),
        (evaluate, ["models/command", "captchas"]),
    ):
        monkeypatch.chdir(tmp_path)
        assert each_main(argv) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "no architecture 'convolutions'" in printed.err
        assert "--import" in printed.err


@pytest.mark.slow
def test_an_architecture_that_ignores_steps_is_refused_where_it_needs_them(tmp_path: Path) -> None:
    """Before it is trained, and not when it is to read."""
    small_copy("own_architecture.py", tmp_path)
    ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(), seed=1).write_folder(tmp_path / "photos", 40)
    flags = ["--import=own_architecture.py", "--architecture=convolutions", "--data=photos", "--num-epoch=1",
             "--samples-per-epoch=64"]  # fmt: skip
    done = command(tmp_path, "train", *flags, "--cpu=1", "--num-proc=2")
    assert done.returncode == 2, done.stderr
    assert "architecture convolutions: does not use steps" in done.stderr
    assert "Epoch 1: " not in done.stderr
    done = command(tmp_path, "train", *flags, "--keep-ratio=false", "--cpu=1", "--num-proc=2")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_source_and_a_callback_of_the_user_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("own_source.py", "own_callback.py"):
        small_copy(name, tmp_path)
    ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(), seed=1).write_folder(tmp_path / "photos", 40)
    with (tmp_path / "photos" / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = [json.dumps({"file": row["image"], "text": row["label"]}) for row in csv.DictReader(file)]
    (tmp_path / "photos" / "list.jsonl").write_text("\n".join(rows), encoding="utf-8")
    source = "jsonl:photos/list.jsonl"
    flags = ["--import=own_source.py", "--import=own_callback.py", "--callback=mistakes", f"--data={source}"]
    done = command(tmp_path, "train", *flags, "--num-epoch=1", "--samples-per-epoch=64", "--cpu=1", "--num-proc=1")
    assert done.returncode == 0, done.stderr
    assert "epoch 1: " in done.stdout
    assert (tmp_path / "mistakes.csv").is_file()
    done = command(tmp_path, "evaluate", "ocr", source, "--import=own_source.py")
    assert done.returncode == 0, done.stderr
    assert re.match(r"ctc-ocr evaluate: \d+ of 40 images are images that the model was trained on: .*\n", done.stderr)
    monkeypatch.chdir(tmp_path)
    assert evaluate(["ocr", source]) == 2
    assert "nor a registered source 'jsonl'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_renderer_of_the_user_is_needed_for_training_and_not_for_reading(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hershey.py").write_text(RENDERER)
    flags = ["--renderer=hershey", "--alphabet=ab", "--width=40", "--height=20", "--num_hidden=8", *NETWORK]
    done = command(tmp_path, "train", "--import=hershey.py", *flags, "--num-proc=4")
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(tmp_path)
    prediction = ctc_ocr.Predictor("ocr").read(np.full((20, 40), 250, np.uint8))
    assert set(prediction.text) <= set("ab")
    with pytest.raises(SystemExit, match="2"):
        train(flags)
    assert "invalid choice: 'hershey'" in capsys.readouterr().err
    with pytest.raises(ctc_ocr.InputError, match="no renderer 'hershey'; there are: fast, captcha"):
        ctc_ocr.train(ctc_ocr.preset("lstm", data={"renderer": "hershey"}), prefix="other")


def test_a_file_that_has_the_name_of_another_module(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """captcha.py is a likely name for a user's file, and the name of a package that this one needs."""
    (tmp_path / "captcha.py").write_text(RENDERER)
    monkeypatch.syspath_prepend(str(tmp_path / "nothing"))  # sys.path is as before afterwards
    assert train([f"--import={tmp_path / 'captcha.py'}"]) == 2
    assert re.search(r"captcha\.py: another module has the name 'captcha' .*: rename the file", capsys.readouterr().err)


@pytest.mark.slow
def test_log_lines_are_printed_once(tmp_path: Path) -> None:
    """By the user's own logger, or by none."""
    for configured, number in (("logging.basicConfig(level=logging.INFO)", 1), ("pass", 0)):
        script = f"import logging; {configured}\n{RENDERER}\n{TRAIN}"
        done = python(tmp_path, "-c", script)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("Epoch 1: ") == number, done.stderr


@pytest.mark.slow
def test_what_a_callback_and_a_renderer_raise(tmp_path: Path) -> None:
    """A callback's exception is unchanged, a renderer's comes with its traceback; no files or processes are left."""

    class Failing(ctc_ocr.Renderer):
        def render(self, text: str, generator: np.random.Generator) -> np.ndarray:
            raise ValueError("no such glyph")

    class Stop(Exception):
        pass

    def stop(event: object) -> None:
        pids.extend(process.pid for process in multiprocessing.active_children() if process.pid)
        raise Stop

    pids: list[int] = []
    settings = ctc_ocr.preset("lstm", data={"width": 40, "height": 20}, training={"batch_size": 8})
    with pytest.raises(Stop):
        ctc_ocr.train(settings, prefix=tmp_path / "models" / "one", callbacks=[stop], num_proc=1)
    with pytest.raises(ctc_ocr.RunError, match="(?s)an image process failed.*in render.*no such glyph"):
        ctc_ocr.train(settings, ctc_ocr.Captchas(renderer=Failing()), tmp_path / "models" / "two", num_proc=1)
    assert list(tmp_path.iterdir()) == []
    assert pids
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.parametrize(
    ("arguments", "where", "reason"),
    [
        ({"hyperparameters": "crnn"}, "hyperparameters", "expected Hyperparameters, as from preset.*'crnn'"),
        ({"hyperparameters": {"training": {}}}, "hyperparameters", "expected Hyperparameters"),
        ({"hyperparameters": {}}, "hyperparameters", "expected Hyperparameters, as from preset.*; got {}"),
        ({"data": 3}, "data", "expected Captchas, LabelledImages or a path, got int"),
        ({"data": []}, "data", "expected Captchas, LabelledImages or a path, got list"),
        ({"callbacks": print}, "callbacks", "expected a list of callbacks"),
        ({"callbacks": [dict]}, "callbacks", "objects that can be called with an event, got <class 'dict'>"),
        ({"callbacks": ["mistakes"]}, "callbacks", "got 'mistakes'"),
        ({"num_proc": 0}, "num_proc", "expected 1 or more, got 0"),
        ({"cpu": -1}, "cpu", "expected 1 or more, got -1"),
        ({"gpu": -1}, "gpu", "expected 0 or more, got -1"),
    ],
)
def test_arguments_that_are_something_else(arguments: dict[str, Any], where: str, reason: str) -> None:
    with pytest.raises(ctc_ocr.InputError, match=reason) as raised:
        ctc_ocr.train(**arguments)
    assert raised.value.where == where


def test_a_renderer_s_class_in_place_of_an_object() -> None:
    class Mine(ctc_ocr.Renderer):
        def render(self, text: str, generator: np.random.Generator) -> np.ndarray:
            return np.zeros((10, 10), np.uint8)

    with pytest.raises(ctc_ocr.InputError, match=r"got the class Mine; Mine\(\) makes one"):
        ctc_ocr.Captchas(renderer=Mine)  # type: ignore[arg-type]
    with pytest.raises(ctc_ocr.InputError, match=r"got Mine; Captchas\(renderer=...\) takes a renderer"):
        ctc_ocr.train(data=Mine())  # type: ignore[arg-type]


def outputs(notebook: Path) -> list[dict[str, Any]]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [output for cell in cells for output in cell.get("outputs", [])]


def check_outputs(notebook: Path) -> None:
    """No error, no warning; images, and texts that are read correctly."""
    found = outputs(notebook)
    assert {each["output_type"] for each in found} == {"display_data", "execute_result", "stream"}
    assert all(each["name"] == "stdout" for each in found if each["output_type"] == "stream")
    assert sum("image/png" in each.get("data", {}) for each in found) == 5
    text = "".join("".join(each.get("text", [])) for each in found)
    read = re.findall(r"(\d+) with confidence 0\.\d+; the label is (\d+)", text)
    assert len(read) == 4
    assert all(prediction == label for prediction, label in read), text


def test_the_notebook_as_it_is_stored() -> None:
    notebook = EXAMPLES / "train_in_a_notebook.ipynb"
    check_outputs(notebook)
    stored = notebook.read_text(encoding="utf-8")
    paths = [path for path in ("/work", "/tmp", "/root", "/home", str(ROOT), sys.prefix) if f"{path}/" in stored]
    assert not paths


@pytest.mark.slow
def test_the_notebook_runs_in_a_kernel(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "train_in_a_notebook.ipynb", tmp_path / "notebook.ipynb")
    done = python(tmp_path, "-c", RUN_NOTEBOOK)
    assert done.returncode == 0, done.stderr
    check_outputs(tmp_path / "notebook.ipynb")
    assert (tmp_path / "meter-0002.params").is_file()


@pytest.mark.slow
def test_an_interrupted_cell_saves_the_run_and_the_kernel_goes_on(tmp_path: Path) -> None:
    (tmp_path / "cell.txt").write_text(f"{RENDERER}\n{TRAIN_LONG}")
    done = python(tmp_path, "-c", INTERRUPT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["training", "finished:", "False", "epoch:", "1", "children:", "0"]
    assert (tmp_path / "ocr-0001.params").is_file()
