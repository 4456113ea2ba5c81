"""benchmarks.soak sees what grows, and benchmarks.same_images sees what differs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import same_images, soak

GROWS = """
import sys, threading, time
kept = []
print("ready", flush=True)
sys.stdin.readline()
kept.append(bytearray(b"x" * 50_000_000))
files = [open("/dev/null") for _ in range(20)]
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("grown", flush=True)
sys.stdin.readline()
"""


def test_a_look_sees_memory_files_and_threads_of_a_process() -> None:
    command = [sys.executable, "-c", GROWS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        before = soak.look(process.pid, 0.0)
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()
        after = soak.look(process.pid, 1.0)
        process.stdin.close()
    assert 45 < after.memory - before.memory < 60
    assert (after.files - before.files, after.threads - before.threads, after.processes) == (20, 1, 1)


def test_the_first_quarter_is_compared_with_the_last_one() -> None:
    looks = [soak.Look(n, 999.0 if n < 4 else 100.0 + 10 * (n // 9), 5, 3, 1) for n in range(24)]
    assert "| PSS, MiB | 100 | 120 | 120 |" in soak.compared(looks)
    assert "| open files | 5 | 5 | 5 |" in soak.compared(looks)


def test_a_process_that_ends_is_watched_until_then(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        looks = soak.watch(process.pid, 1.0, 0.01, iter([True, True, False]).__next__)
        assert [each.processes for each in looks] == [1, 1]
        process.communicate(b"\n")
    soak.write(looks, tmp_path, "watch")
    assert (tmp_path / "watch.csv").read_text().startswith("minutes,memory,files,threads,processes\n")
    assert (tmp_path / "watch.png").stat().st_size > 10_000


@pytest.mark.slow
def test_images_of_two_environments_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert same_images.main([sys.executable, sys.executable, "--count", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[1]
    assert "numpy 1." in lines[0]
    assert [line.split(" | ")[1] for line in lines[4:]] == ["2 of 2"] * 5


def test_one_pixel_is_a_difference() -> None:
    images = np.zeros((2, 4, 5), np.uint8)
    other = images.copy()
    other[1, 0, 0] = 200
    assert same_images.compared({"fast": images}, {"fast": other}) == [["fast", "1 of 2", "2.50e-02", "200"]]
