"""Faults of the disk at every operation while a run's files are written: no file that is not whole has its name."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from benchmarks.chaos.library import compiled
from ctc_ocr.errors import RunError
from ctc_ocr.runtime.atomic_files import replace_content

ROOT = Path(__file__).resolve().parent.parent


def writers(folder: Path, kind: str, **environment: str) -> list[str]:
    command = [sys.executable, "-m", "tests.disk_writers", kind]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=280,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout.splitlines()


def test_a_fault_at_any_operation_leaves_every_file_whole(tmp_path: Path) -> None:
    """Each open, write, fsync and rename fails in turn; and the disk is full from each one on."""
    library = compiled(tmp_path)
    if library is None:
        pytest.skip("there is no C compiler for Linux, which the library of faults needs")
    lines = writers(tmp_path, "calls", LD_PRELOAD=str(library))
    assert [each for each in lines if each != "fault"] == []
    assert len(lines) > 100


def can_mount() -> bool:
    if sys.platform != "linux" or os.getuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode == 0
        if mounted:
            subprocess.run(["umount", folder], check=True)
        return mounted


@pytest.mark.long
def test_a_disk_of_any_size_leaves_every_file_whole(tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("mounting a small file system needs root, and the right to mount")
    lines = writers(tmp_path, "sizes")
    assert [each for each in lines if each != "fault"] == []
    assert len(lines) > 10


def test_what_the_disk_does_not_give_back_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write whose last part is lost without an error, as by MXNet's own writer."""
    path = tmp_path / "a.params"
    replace_content(path, b"older")
    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda self, content: write(self, content[:-3]))
    with pytest.raises(RunError, match=r"a\.params: cannot be written: the disk does not give back what was written"):
        replace_content(path, b"the newer content")
    assert path.read_bytes() == b"older"
    assert [each.name for each in tmp_path.iterdir()] == ["a.params"]
