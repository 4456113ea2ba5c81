"""Image processes: order of batches, errors, the scripts that start them, and what they leave behind."""

import importlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctc_ocr.errors import InputError
from ctc_ocr.generation.pool import ArraySpec, BatchPool, ImageProcessError, WaitInterrupted
from ctc_ocr.runtime.processes import start_process
from ctc_ocr.runtime.supervision import Patience

DEADLINE = 20.0  # seconds for processes to end after their parent
ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


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
            raise InputError("not an image", "page.png")
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
def test_batches_come_in_order_whatever_the_number_of_processes(num_proc: int) -> None:
    with BatchPool(Counting(slow=3), num_proc, range(5, 25)) as pool:
        got = [(int(each["numbers"][1, 4]), int(each["odd"][0])) for each in pool]
    assert got == [(number, number) for number in range(5, 25)]


def test_all_processes_work() -> None:
    with BatchPool(Counting(slow=1), 2, range(12)) as pool:
        pids = pool.process_ids
        used = {int(each["pid"]) for each in pool}
    assert used == set(pids)
    assert wait_until_gone(pids) == []


def test_a_batch_is_not_overwritten_while_it_is_read() -> None:
    with BatchPool(Counting(), 2, itertools.count()) as pool:
        for number in range(10):
            batch = next(pool)
            time.sleep(0.02)  # the processes fill all other slots meanwhile
            assert (batch["numbers"] == number).all()


def test_process_that_raises() -> None:
    with BatchPool(Counting(broken=4), 2, itertools.count()) as pool:
        with pytest.raises(ImageProcessError, match="batch 4: (?s:.*)ZeroDivisionError: planted"):
            list(itertools.islice(pool, 20))
        pids = pool.process_ids
    assert wait_until_gone(pids) == []


def test_an_error_comes_after_the_batches_before_it() -> None:
    """Batch 0 takes longer than the one that fails, which another process has."""
    with BatchPool(Counting(slow=4, broken=1), 2, itertools.count()) as pool:
        assert (next(pool)["numbers"] == 0).all()
        with pytest.raises(ImageProcessError, match="batch 1: "):
            next(pool)


def test_users_error_in_a_process_has_no_traceback() -> None:
    with BatchPool(Counting(refused=0), 1, itertools.count()) as pool, pytest.raises(ImageProcessError) as error:
        next(pool)
    assert (error.value.where, error.value.reason) == ("page.png", "not an image")


def test_a_process_that_is_killed_is_replaced_and_the_batches_stay_the_same(caplog: pytest.LogCaptureFixture) -> None:
    with BatchPool(Counting(slow=1), 2, range(60)) as pool:
        got = [int(next(pool)["numbers"][0, 0])]
        before = pool.process_ids
        os.kill(before[0], signal.SIGKILL)
        got += [int(each["numbers"][1, 1]) for each in pool]
        assert before[1] in pool.process_ids
        assert len(pool.process_ids) == 2
        everyone = {*before, *pool.process_ids}
        assert len(everyone) == 3
    assert got == list(range(60))
    assert f"(pid {before[0]}) was killed by signal 9; another one does its work" in caplog.text
    assert wait_until_gone(list(everyone)) == []


@dataclass(frozen=True)
class Deadly(Counting):
    """Batch `deadly` kills its process."""

    deadly: int = 3

    def fill(self, number: int, arrays: dict[str, np.ndarray]) -> None:
        if number == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        super().fill(number, arrays)


def test_a_batch_that_kills_its_process_again_and_again_ends_the_run() -> None:
    with BatchPool(Deadly(), 2, itertools.count()) as pool:
        with pytest.raises(ImageProcessError, match="killed by signal 9 before its work was done, like those before"):
            list(itertools.islice(pool, 20))
        pids = pool.process_ids
    assert wait_until_gone(pids) == []


@pytest.mark.slow
@pytest.mark.parametrize("waiting", [False, True])
def test_a_process_that_is_stopped_is_named_and_replaced(caplog: pytest.LogCaptureFixture, waiting: bool) -> None:
    """With work that it has begun, or while it waits for some."""
    with BatchPool(Counting(slow=1), 2, range(40), patience=Patience(warn=1.0, replace=2.5)) as pool:
        got = [int(next(pool)["numbers"][0, 0])]
        if waiting:
            time.sleep(0.5)  # all slots are filled
        stopped = pool.process_ids[0]
        os.kill(stopped, signal.SIGSTOP)
        got += [int(each["numbers"][1, 1]) for each in pool]
    assert got == list(range(40))
    assert f"Process {stopped} has not computed for" in caplog.text
    assert "(it is stopped: SIGCONT lets it go on); it is replaced after 2 s" in caplog.text
    assert f"(pid {stopped}) did nothing for 2.5 s; another one does its work" in caplog.text
    assert not alive(stopped)


@pytest.mark.slow
def test_a_process_that_computes_for_long_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    with BatchPool(Busy(), 1, range(2), patience=Patience(warn=0.3, replace=0.6)) as pool:
        assert [int(each["numbers"][0, 0]) for each in pool] == [0, 1]
    assert caplog.text == ""


@dataclass(frozen=True)
class Busy(Counting):
    """Computes for long."""

    def fill(self, number: int, arrays: dict[str, np.ndarray]) -> None:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            pass
        super().fill(number, arrays)


def test_the_wait_for_a_batch_can_be_given_up() -> None:
    with BatchPool(Counting(slow=1), 1, itertools.count()) as pool:
        next(pool)
        os.kill(pool.process_ids[0], signal.SIGSTOP)
        started = time.monotonic()
        pool.interrupted = lambda: time.monotonic() - started > 0.5
        with pytest.raises(WaitInterrupted):
            list(pool)
        assert time.monotonic() - started < 5


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
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as parent:
        assert parent.stdout is not None
        pids = [int(each) for each in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(alive, pids))
        owners = [parent.pid, *pids]
        parent.send_signal(number)
    assert wait_until_gone(pids) == []
    # multiprocessing names the files of its memory after the process.
    assert [path for pid in owners for path in Path("/dev/shm").glob(f"pym-{pid}-*")] == []


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


def test_processes_of_the_first_pool_begin_with_ctrl_c_blocked(tmp_path: Path) -> None:
    script = tmp_path / "first.py"
    script.write_text(FIRST_POOL)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert done.stdout.split("]") == ["[1, 1, 1, 1", " False\n"], done.stderr


UNGUARDED = """
from ctc_ocr.generation.pool import ArraySpec, BatchPool

FACTOR = 3

class Renderer:
    def render(self, number):
        return FACTOR * number

class Source:
    def __init__(self, renderer):
        self.renderer = renderer
    def specs(self):
        return {"numbers": ArraySpec((), "int64")}
    def fill(self, number, arrays):
        arrays["numbers"][()] = self.renderer.render(number)

main = sys.modules["__main__"]
print("started", flush=True)
with BatchPool(Source(Renderer()), 2, range(4)) as pool:
    print([int(each["numbers"]) for each in pool], flush=True)
print(__name__, sys.modules["__main__"] is main)
"""
# What a notebook's kernel does: cells are compiled and run in the namespace of a __main__ without a file.
NOTEBOOK = """
import sys, types
main = types.ModuleType("__main__")
sys.modules["__main__"] = main
for cell in {cells!r}:
    exec(compile(cell, "<cell>", "exec"), main.__dict__)
"""


@pytest.mark.parametrize("how", ["script", "module", "-c", "stdin", "notebook", "exec"])
def test_a_script_without_a_guard_runs_once_and_its_classes_reach_the_processes(tmp_path: Path, how: str) -> None:
    code = f"import sys\n{UNGUARDED}"
    (tmp_path / "unguarded.py").write_text(code)
    given = {
        "script": ["unguarded.py"],
        "module": ["-m", "unguarded"],
        "-c": ["-c", code],
        "stdin": ["-"],
        "notebook": ["-c", NOTEBOOK.format(cells=code.split("\n\n"))],
        "exec": ["-c", f"exec({code!r}, {{'__name__': '__main__'}})"],
    }[how]
    done = subprocess.run(
        [sys.executable, *given], input=code, capture_output=True, text=True, cwd=tmp_path, env=ENVIRONMENT, timeout=60
    )
    assert (done.stdout, done.stderr) == ("started\n[0, 3, 6, 9]\n__main__ True\n", "")


@dataclass(frozen=True)
class Unloadable(Counting):
    """Imports a module when it is unpickled."""

    module: str = "os"

    def __reduce__(self) -> tuple[object, ...]:
        return importlib.import_module, (self.module,)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("not_here", "ModuleNotFoundError: No module named 'not_here'"),
        ("fails_at_import", "ZeroDivisionError: division by zero"),
        ("ends_at_import", "SystemExit: 3"),
    ],
)
def test_a_process_that_cannot_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, reason: str) -> None:
    (tmp_path / "fails_at_import.py").write_text("1 / 0")
    (tmp_path / "ends_at_import.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    with BatchPool(Unloadable(module=module), 2, itertools.count()) as pool:
        with pytest.raises(ImageProcessError) as error:
            next(pool)
        pids = pool.process_ids
    assert error.value.reason == f"an image process could not start: {reason}"
    assert wait_until_gone(pids) == []


def test_a_source_that_cannot_be_pickled_is_refused() -> None:
    source = Counting()
    object.__setattr__(source, "lock", threading.Lock())
    with pytest.raises(InputError, match="cannot be sent to other processes: TypeError: cannot pickle"):
        BatchPool(source, 1, range(1))


def test_niceness_and_kill() -> None:
    with BatchPool(Counting(slow=1), 1, itertools.count(), niceness=7) as pool:
        next(pool)
        (pid,) = pool.process_ids
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(os.getpriority(os.PRIO_PROCESS, 0) + 7, 19)
        threading.Timer(0.1, pool.kill).start()
        with pytest.raises(ImageProcessError, match="was killed by signal 9"):
            for _ in pool:
                pass


def test_kill_while_a_process_is_being_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from another thread, when the new process has been started and the pool does not know it yet."""

    def killed_meanwhile(*shared: object) -> Any:
        started = start_process(*shared)
        pool.kill()
        return started

    with BatchPool(Counting(slow=1), 1, range(200)) as pool:
        next(pool)
        monkeypatch.setattr("ctc_ocr.generation.pool.start_process", killed_meanwhile)
        (pid,) = pool.process_ids
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ImageProcessError, match=rf"\(pid (?!{pid}\b)\d+\) was killed by signal 9 before its work"):
            list(pool)
        pids = pool.process_ids
    assert wait_until_gone(pids) == []


def test_pools_of_several_threads() -> None:
    """Each replaces __main__ for a moment; the original one is back afterwards."""
    main, found = sys.modules["__main__"], list[int]()

    def run() -> None:
        with BatchPool(Counting(), 1, range(3)) as pool:
            found.extend(int(each["numbers"][0, 0]) for each in pool)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert sys.modules["__main__"] is main
