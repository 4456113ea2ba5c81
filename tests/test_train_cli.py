"""The training command: signals, terminals and scripts in real processes, the rest in this one."""

import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from ctc_ocr.cli import generate, train
from ctc_ocr.losses import warpctc_library
from tests.commands import Done, run_here
from tests.test_pool import wait_until_gone

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "lstm_ocr_train.py"
SMALL = [
    "--alphabet=01", "--min_length=1", "--max_length=2", "--draw_width=80", "--width=40", "--height=20",
    "--num_layers=1", "--num_hidden=16", "--batch_size=8", "--samples_per_epoch=16", "--validation_samples=16",
    "--warmup_updates=2", "--renderer=captcha", "--num_proc=1", "--cpu=1",
]  # fmt: skip


def command(font: str, *arguments: str) -> list[str]:
    return [sys.executable, str(SCRIPT), font, *SMALL, *arguments]


def run(folder: Path, font: str, *arguments: str) -> Done:
    return run_here(train.main, folder, font, *SMALL, *arguments)


def run_script(folder: Path, font: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command(font, *arguments), cwd=folder, capture_output=True, text=True, env=environment, timeout=120
    )


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_run_and_its_log(tmp_path: Path, ubuntu_font: str) -> None:
    done = run_script(tmp_path, ubuntu_font, "--num_epoch=1", "--samples_per_epoch=1600", "--renderer=fast")
    assert done.returncode == 0, done.stderr
    assert "\r" not in done.stderr  # a progress bar is for terminals
    assert "No labelled images: training on generated captchas, font Ubuntu-M.ttf\n" in done.stderr
    for line in (
        r"^\d\d:\d\d:\d\d Epoch 1, batch 50 of 200: \d+ samples/s, accuracy [\d.]+, loss [\d.]+$",
        r"^[\d:]+ Epoch 1: (\d+ of 16 read, CER [\d.]+|nothing read yet, loss [\d.]+), best 1, \d+ s, 0 s left$",
        r"Reads \d+ of 16 held-out images \(\d+ to \d+ %\)$",
    ):
        assert re.search(line, done.stderr, re.MULTILINE), line
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ocr-0001.params", "ocr-0001.state.npz", "ocr-calibration.json", "ocr-history.csv", "ocr-symbol.json",
        "ocr-validation.csv", "ocr.json",
    ]  # fmt: skip
    stored = json.loads((tmp_path / "ocr.json").read_text())
    assert stored["alphabet"] == {"0": 1, "1": 2}
    assert stored["hyperparameters"]["network"]["num_hidden"] == 16


@pytest.mark.slow
def test_a_prefix_in_use_is_refused_overwritten_or_resumed(tmp_path: Path, ubuntu_font: str) -> None:
    nothing = run(tmp_path, ubuntu_font, "--resume")
    assert (nothing.returncode, "nothing to resume" in nothing.stderr) == (2, True)
    assert run(tmp_path, ubuntu_font, "--num_epoch=1").returncode == 0
    kept = (tmp_path / "ocr-0001.params").read_bytes()
    refused = run(tmp_path, ubuntu_font)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    assert "--overwrite" in refused.stderr
    assert (tmp_path / "ocr-0001.params").read_bytes() == kept
    other = run(tmp_path, ubuntu_font, "--resume", "--alphabet=ab")
    assert (other.returncode, "the run has alphabet=01, and ab was given" in other.stderr) == (2, True)
    assert "--init_from ocr and another --prefix start a new run from its weights" in other.stderr
    resumed = run(tmp_path, ubuntu_font, "--resume", "--num_epoch=2", "--preset=crnn")
    assert resumed.returncode == 0, resumed.stderr
    assert "Epoch 2: " in resumed.stderr
    assert "Epoch 1: " not in resumed.stderr
    assert "--preset crnn has no effect: a run that is resumed keeps its own network" in resumed.stderr
    assert (tmp_path / "ocr-0001.params").read_bytes() == kept
    # A mistake, or anything before the first new checkpoint, costs no model.
    failed = run(tmp_path, ubuntu_font, "--overwrite", "--learning_rate=1e38", "--warmup_updates=0")
    assert failed.returncode == 1
    assert "not finite after" in failed.stderr
    assert (tmp_path / "ocr-0001.params").read_bytes() == kept
    own_config = run(tmp_path, ubuntu_font, "--overwrite", "--config=ocr.json")
    assert (own_config.returncode, "writes this file" in own_config.stderr) == (2, True)
    replaced = run(tmp_path, ubuntu_font, "--overwrite", "--num_epoch=1", "--seed=5")
    assert replaced.returncode == 0
    assert not (tmp_path / "ocr-0002.params").exists()
    assert (tmp_path / "ocr-0001.params").read_bytes() != kept


def started(tmp_path: Path, font: str, *flags: str) -> "tuple[subprocess.Popen[str], list[int]]":
    """A long run that has written its first epoch, and the processes below it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command(font, "--num_epoch=100000", "--samples_per_epoch=400", "--num_proc=2", *flags),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "Epoch 1: " in line:
            return process, children(process.pid)
    raise AssertionError("the run ended before its first epoch")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "to_all", "workers"), [(signal.SIGINT, False, 1), (signal.SIGTERM, True, 1), (signal.SIGTERM, True, 2)]
)
def test_a_signal_saves_the_run_which_can_be_resumed(
    tmp_path: Path, ubuntu_font: str, number: signal.Signals, to_all: bool, workers: int
) -> None:
    """Sent to the process, or to it and those that it has started, as a terminal or a batch system does."""
    process, below = started(tmp_path, ubuntu_font, f"--workers={workers}")
    assert len(below) >= 2
    for pid in [process.pid, *(below if to_all else [])]:
        os.kill(pid, number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number, said
    # Between two epochs the checkpoint is that of the first, and was announced before.
    assert "The run is saved; continue it with the same command and --resume" in said
    assert "Traceback" not in said
    assert wait_until_gone(below) == []
    epochs = len(list(tmp_path.glob("*.params")))
    again = run(tmp_path, ubuntu_font, "--resume", f"--num_epoch={epochs + 1}", "--samples_per_epoch=400")
    assert again.returncode == 0, again.stderr
    assert f"Epoch {epochs + 1}: " in again.stderr


@pytest.mark.slow
def test_a_killed_run_leaves_its_checkpoints_and_nothing_else(tmp_path: Path, ubuntu_font: str) -> None:
    process, below = started(tmp_path, ubuntu_font)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert wait_until_gone(below) == []
    assert (tmp_path / "ocr-0001.params").exists()


@pytest.mark.slow
def test_an_image_process_that_dies_is_replaced_and_ctrl_c_works_while_all_are_stopped(
    tmp_path: Path, ubuntu_font: str
) -> None:
    process, below = started(tmp_path, ubuntu_font)
    image_processes = [pid for pid in below if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(image_processes[0], signal.SIGKILL)
    assert process.stderr is not None
    assert any("was killed by signal 9; another one does its work" in line for line in process.stderr)
    assert any("Epoch " in line for line in process.stderr)
    below = children(process.pid)
    for pid in below:
        if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGSTOP)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGINT, said
    assert "The run is saved" in said
    assert "Traceback" not in said
    assert wait_until_gone(below) == []


@pytest.mark.slow
def test_overfit_batch_saves_nothing(tmp_path: Path, ubuntu_font: str) -> None:
    done = run(tmp_path, ubuntu_font, "--overfit_batch", "--num_epoch=100", "--learning_rate=0.01")
    assert done.returncode == 0, done.stderr
    assert "One batch was overfitted" in done.stderr
    assert list(tmp_path.iterdir()) == []
    hopeless = run(tmp_path, ubuntu_font, "--overfit_batch", "--learning_rate=0")
    assert hopeless.returncode == 1
    assert "could not overfit one batch" in hopeless.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nofont.ttf"], "nofont.ttf: no such font"),
        (["--num_proc=0"], "--num_proc: 0 is less than 1"),
        (["--gpu=1"], "built without CUDA"),
        (["--gpu=1", "--cpu=1"], "not allowed with argument"),
        (["--max_length=50"], "max_length: 50 is too much"),
        (["--alphabet=0é漢"], "no glyph for '漢'"),
        (["--config=nothing.json"], "nothing.json"),
        (["--loss=mse"], "invalid choice: 'mse'"),
        (["--prefix="], "expected the beginning of file names"),
        (["--prefix=/proc/nothing/ocr"], "/proc/nothing cannot be written to"),
        (["--cpu=100000"], "--cpu: 100000 is more than 1024"),
        (["--num_hidden=100000000"], "num_hidden: 100000000 is more than 10000"),
        (["--learning_rate=-1"], "learning_rate: -1.0 is less than 0"),
        (["--batch_size=x"], "expected an integer, got 'x'"),
    ],
)
def test_bad_arguments(
    tmp_path: Path, ubuntu_font: str, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    font = [] if arguments[0].endswith(".ttf") else [ubuntu_font]
    status: int | str | None
    try:
        status = train.main(["--prefix", str(tmp_path / "ocr"), *font, *SMALL[:-1], *arguments])
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_progress_bar_on_a_terminal(tmp_path: Path, ubuntu_font: str) -> None:
    """Without a terminal: see test_a_run_and_its_log."""
    leader, follower = os.openpty()
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))  # a terminal of no width shows no bar
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command(ubuntu_font, "--num_epoch=1", "--samples_per_epoch=160"), cwd=tmp_path, stderr=follower, env=environment
    )
    os.close(follower)
    said = b""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            said += os.read(leader, 65536)
        except OSError:  # the terminal's other end is closed
            break
    os.close(leader)
    assert process.wait(60) == 0
    assert b"samples/s" in said
    assert b"Epoch 1:" in said


@pytest.mark.slow
def test_warpctc_trains_and_its_model_is_read_without_the_library(tmp_path: Path, ubuntu_font: str) -> None:
    warpctc_library._load.cache_clear()  # which library is used is logged once per process
    done = run(tmp_path, ubuntu_font, "--loss=warpctc", "--num_epoch=1")
    assert done.returncode == 0, done.stderr
    assert "warp-ctc: " in done.stderr
    assert run(tmp_path, ubuntu_font, "--loss=warpctc", "--num_epoch=2", "--resume").returncode == 0
    assert run_here(generate.main, tmp_path, ubuntu_font, "a.png").returncode == 0
    environment = {**os.environ, "WARPCTC_PATH": str(tmp_path / "nothing")}  # anything that looked for it would fail
    read = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "lstm_ocr_infer.py"), "a.png"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert read.returncode == 0, read.stderr
    assert read.stdout.startswith("Digits: [")


def test_without_warpctc_nothing_is_written(tmp_path: Path, ubuntu_font: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARPCTC_PATH", str(tmp_path / "nothing"))
    refused = run_script(tmp_path, ubuntu_font, "--loss=warpctc", "--prefix=models/ocr")
    assert refused.returncode == 2
    assert "no warp-ctc library; looked at: " in refused.stderr
    assert "pip install 'ctc_ocr[warpctc]'" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []
