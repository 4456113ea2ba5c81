"""Processes that work for this one: which of them hang, and when one that ends is not to be started again."""

import logging
import os
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path

POLL_SECONDS = 0.2  # until Ctrl-C is noticed
CPU_SECONDS = 0.05  # of computing: a process that uses more is at work
WORKING = (["R"], ["D"])  # states in /proc: it waits for a core, or for the disk
MAX_IN_A_ROW = 3  # deaths without anything done between them
MAX_DEATHS, DEATHS_SECONDS = 10, 300.0  # more in this time are too many, whatever was done between them

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """Seconds without an answer and without computing: after `warn` a process is named, after `replace` it is ended and
    another one does its work."""

    warn: float = 20.0
    replace: float = 60.0


PATIENCE = Patience()


class Deaths:
    """How often processes have died. `add` returns whether that was too often."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._times: deque[float] = deque()

    def progress(self) -> None:
        """Something was done."""
        self._in_a_row = 0

    def add(self) -> bool:
        now = time.monotonic()
        self._in_a_row += 1
        self._times.append(now)
        while now - self._times[0] > DEATHS_SECONDS:
            self._times.popleft()
        return self._in_a_row >= MAX_IN_A_ROW or len(self._times) > MAX_DEATHS


class Watch:
    """Watches one process that has work. `ask` it while an answer is awaited, `answered` it when one came.

    The time is taken by `ask` alone: where nobody waits, nothing hangs.
    """

    def __init__(self, process: SpawnProcess, patience: Patience) -> None:
        self._process, self._patience = process, patience
        self._still = 0.0  # seconds
        self._asked: float | None = None
        self._cpu = 0.0
        self._warned = False

    def answered(self) -> None:
        """It does its work."""
        self._still, self._asked, self._warned = 0.0, None, False

    def pause(self) -> None:
        """Nobody has waited for a while."""
        self._asked = None

    def ask(self, work: str) -> bool:
        """Whether the process hangs and is to be replaced. Warns once, with the name of its `work`."""
        now, cpu = time.monotonic(), cpu_seconds(self._process.pid)
        if cpu is None or cpu - self._cpu > CPU_SECONDS or _stat(self._process.pid)[:1] in WORKING:
            self._cpu, self._still, self._asked = cpu or 0.0, 0.0, now
            return False
        # A machine that was asleep has not waited.
        self._still += min(now - (self._asked or now), 10 * POLL_SECONDS)
        self._asked = now
        if not self._warned and self._still >= self._patience.warn:
            self._warned = True
            log.warning(
                "Process %d has not computed for %.0f s and owes %s%s; it is replaced after %.0f s",
                self._process.pid, self._still, work, _state(self._process.pid), self._patience.replace,
            )  # fmt: skip
        return self._still >= self._patience.replace


def cpu_seconds(pid: int | None) -> float | None:
    """Seconds that a process has computed; None if the system does not tell."""
    fields = _stat(pid)
    return None if len(fields) < 13 else (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _state(pid: int | None) -> str:
    return " (it is stopped: SIGCONT lets it go on)" if _stat(pid)[:1] in (["T"], ["t"]) else ""


def _stat(pid: int | None) -> list[str]:
    """The fields after the name in /proc; empty where there is no such file."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
