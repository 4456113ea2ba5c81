"""Files that are replaced as a whole, by several processes at once, and by processes that are killed."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from ctc_ocr.checkpoint import run_files
from ctc_ocr.errors import RunError
from ctc_ocr.runtime.atomic_files import replace_content, replacing

ROOT = Path(__file__).resolve().parent.parent
# It writes half of a file, and the other half when it is told to.
WRITER = """
import sys
from pathlib import Path
from ctc_ocr.runtime.atomic_files import replacing
with replacing(Path(sys.argv[1])) as temporary, temporary.open("w") as file:
    print("one half", file=file, flush=True)
    print("ready", flush=True)
    sys.stdin.readline()
    print("the other", file=file)
"""


@contextmanager
def half_written(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process, which has written half of a file."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=pipe, stdout=pipe, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as writer:  # fmt: skip
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        try:
            yield writer
        finally:
            writer.kill()


def temporary_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(".*.tmp"))


@pytest.mark.parametrize(("number", "is_error"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synced(
    number: int, is_error: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems of networks cannot do it: what was written there is no error."""
    fsync = os.fsync

    def of_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", of_files)
    with pytest.raises(RunError, match="cannot be written") if is_error else nullcontext():
        replace_content(tmp_path / "a.csv", b"whole")
    assert (tmp_path / "a.csv").read_bytes() == b"whole"


def test_processes_that_write_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with half_written(path) as one, half_written(path) as other:
        assert len(temporary_files(tmp_path)) == 2
        replace_content(path, b"whole")
        assert path.read_bytes() == b"whole"
        for writer in (one, other):
            writer.communicate("go on\n", timeout=60)
            assert writer.returncode == 0
            assert path.read_text() == "one half\nthe other\n"
    assert list(tmp_path.iterdir()) == [path]


def test_threads_that_write_one_file_do_not_mix(tmp_path: Path) -> None:
    path, both = tmp_path / "a.csv", threading.Barrier(2, timeout=60)
    errors = list[Exception]()

    def write(text: str) -> None:
        try:
            with replacing(path) as temporary:
                temporary.write_text(text)
                both.wait()
                assert temporary.read_text() == text
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=[text]) for text in ("one", "the other")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert errors == []
    assert path.read_text() in ("one", "the other")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot tell whether a process runs")
def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "ocr.json"
    with half_written(path) as killed:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    left = temporary_files(tmp_path)
    assert [each.name for each in left] == [f".ocr.json.{killed.pid}-0.tmp"]
    left.append(left[0].with_name(f".ocr.json.{killed.pid}.tmp"))  # of an earlier version
    left[1].touch()
    strangers = [tmp_path / ".ocr.json.x.tmp", tmp_path / f".ocr.json.{10**30}.tmp", tmp_path / ".b.json.1.tmp"]
    for each in strangers:
        each.touch()
    assert {*left} < {*run_files.existing_files(tmp_path / "ocr")}
    replace_content(path, b"{}")
    assert sorted(tmp_path.iterdir()) == sorted([path, *left, *strangers])  # it may be of another machine's process
    for each in (*left, *strangers):
        os.utime(each, times=(0, 0))
    replace_content(path, b"{}")
    assert sorted(tmp_path.iterdir()) == sorted([path, *strangers])


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("older")
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), replacing(path) as temporary:  # noqa: PT012
            temporary.write_text("newer")
            raise error
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "older"
