"""The lock of a prefix: one process at a time, and nothing left of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ctc_ocr.checkpoint.run_files import existing_files
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.runtime import run_lock
from ctc_ocr.runtime.run_lock import locked_prefix

HOLDER = """
import sys, time
from ctc_ocr.runtime.run_lock import locked_prefix
with locked_prefix(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(60)
"""


def holder(prefix: str) -> "subprocess.Popen[str]":
    """Another process that holds the lock."""
    root = str(Path(__file__).resolve().parent.parent)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, prefix],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_one_process_at_a_time_and_no_file_afterwards(tmp_path: Path) -> None:
    with locked_prefix(str(tmp_path / "." / "r")):
        assert [path.name for path in tmp_path.iterdir()] == ["r.lock"]
        assert existing_files(tmp_path / "r") == []
        with pytest.raises(RunError) as error, locked_prefix(str(tmp_path / "r")):
            pass
        assert (error.value.where, error.value.reason) == (
            str(tmp_path / "r"), "another process is training under this prefix"
        )  # fmt: skip
        with locked_prefix(str(tmp_path / "r2")):
            pass
    assert list(tmp_path.iterdir()) == []
    with locked_prefix(str(tmp_path / "r")):
        pass


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    prefix = str(tmp_path / "r")
    with holder(prefix) as process:
        try:
            with pytest.raises(RunError), locked_prefix(prefix):
                pass
        finally:
            process.send_signal(signal.SIGKILL)
    assert [path.name for path in tmp_path.iterdir()] == ["r.lock"]
    assert existing_files(prefix) == []
    with locked_prefix(prefix):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_its_holder_removes_meanwhile_is_not_taken_for_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder ends between the opening of the file and its locking."""
    prefix, lock, calls = str(tmp_path / "r"), run_lock._lock, []

    def late(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            Path(f"{prefix}.lock").unlink()
        lock(descriptor)

    monkeypatch.setattr(run_lock, "_lock", late)
    with locked_prefix(prefix):
        assert len(calls) == 2
        assert Path(f"{prefix}.lock").is_file()


def test_an_error_within_ends_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked_prefix(str(tmp_path / "r")):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error, locked_prefix(str(tmp_path / "no" / "r")):
        pass
    assert error.value.where == str(tmp_path / "no" / "r.lock")
