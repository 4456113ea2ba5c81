"""Worker processes: order, failures, and what they leave behind."""

import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ctc_ocr.errors import InputError
from ctc_ocr.generation.pool import ArraySpec, BatchPool, ImageProcessError

DEADLINE = 5.0  # seconds for workers to go after their parent


@dataclass(frozen=True)
class Counting:
    """Batch n holds n; batches whose number is in `slow` take longer, `broken` raises, `refused` is a user's error."""

    slow: int = -1
    broken: int = -1
    refused: int = -1

    def specs(self) -> dict[str, ArraySpec]:
        return {"odd": ArraySpec((3,), "uint8"), "numbers": ArraySpec((2, 5), "float32"), "pid": ArraySpec((), "int64")}

    def fill(self, number: int, arrays: dict[str, np.ndarray]) -> None:
        if number == self.broken:
            raise ZeroDivisionError("planted")
        if number == self.refused:
            raise InputError("page.png: not an image")
        if self.slow >= 0 and number % self.slow == 0:
            time.sleep(0.05)
        arrays["odd"][:] = number % 256
        arrays["numbers"][:] = number
        arrays["pid"][()] = os.getpid()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pids: list[int]) -> list[int]:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end and any(map(alive, pids)):
        time.sleep(0.05)
    return [pid for pid in pids if alive(pid)]


@pytest.mark.parametrize("num_proc", [1, 3])
def test_batches_come_in_order_whatever_the_workers(num_proc: int) -> None:
    with BatchPool(Counting(slow=3), num_proc, range(5, 25)) as pool:
        got = [(int(each["numbers"][1, 4]), int(each["odd"][0])) for each in pool]
    assert got == [(number, number) for number in range(5, 25)]


def test_all_workers_work() -> None:
    with BatchPool(Counting(slow=1), 2, range(12)) as pool:
        pids = pool.process_ids
        used = {int(each["pid"]) for each in pool}
    assert used == set(pids)
    assert wait_until_gone(pids) == []


def test_a_batch_is_not_overwritten_while_it_is_read() -> None:
    with BatchPool(Counting(), 2, itertools.count()) as pool:
        for number in range(10):
            batch = next(pool)
            time.sleep(0.02)  # the workers fill all other slots meanwhile
            assert (batch["numbers"] == number).all()


def test_worker_that_raises() -> None:
    with BatchPool(Counting(broken=4), 2, itertools.count()) as pool:
        with pytest.raises(ImageProcessError, match="batch 4: (?s:.*)ZeroDivisionError: planted"):
            list(itertools.islice(pool, 20))
        pids = pool.process_ids
    assert wait_until_gone(pids) == []


def test_users_error_in_a_worker_has_no_traceback() -> None:
    with BatchPool(Counting(refused=0), 1, itertools.count()) as pool, pytest.raises(ImageProcessError) as error:
        next(pool)
    assert "page.png: not an image" in str(error.value)
    assert "Traceback" not in str(error.value)


def test_worker_that_is_killed() -> None:
    with BatchPool(Counting(slow=1), 2, itertools.count()) as pool:
        next(pool)
        os.kill(pool.process_ids[0], signal.SIGKILL)
        with pytest.raises(ImageProcessError, match="was killed by signal 9"):
            list(itertools.islice(pool, 50))


PARENT = """
import itertools, sys, time
from tests.test_pool import Counting
from ctc_ocr.generation.pool import BatchPool
if __name__ == "__main__":
    pool = BatchPool(Counting(slow=1), 2, itertools.count())
    next(pool)
    print(*pool.process_ids, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_parent_that_is_killed_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    before = set(Path("/dev/shm").iterdir())
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    root = Path(__file__).resolve().parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        pids = [int(each) for each in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(alive, pids))
        parent.send_signal(number)
    assert wait_until_gone(pids) == []
    assert set(Path("/dev/shm").iterdir()) - before == set()


FIRST_POOL = """
import itertools, signal
from dataclasses import dataclass
import numpy as np
from ctc_ocr.generation.pool import ArraySpec, BatchPool

@dataclass(frozen=True)
class Masks:
    def specs(self):
        return {"blocked": ArraySpec((), "int64")}
    def fill(self, number, arrays):
        arrays["blocked"][()] = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())

if __name__ == "__main__":
    with BatchPool(Masks(), 2, range(4)) as pool:
        print([int(each["blocked"]) for each in pool], signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""


def test_workers_of_the_first_pool_of_a_process_begin_with_ctrl_c_blocked(tmp_path: Path) -> None:
    script = tmp_path / "first.py"
    script.write_text(FIRST_POOL)
    root = Path(__file__).resolve().parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.split("]") == ["[1, 1, 1, 1", " False\n"], done.stderr
