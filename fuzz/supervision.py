"""Running a target: its processes are watched, and inputs are kept that bring anything but a result or a UserError."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.child import GOOD

SECONDS = 5.0  # of the processor, for one input
MAX_WAIT = 60.0  # seconds that it may wait for something else, such as somebody who writes into a pipe
START_SECONDS = 600.0  # until a process is ready
MAX_KEPT = 20  # inputs of one target

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Report:
    """What came of the inputs of one target: `counts` of outcomes, and for each that is not good, where the first such
    input is kept. `peak`: MiB that the largest process had in memory."""

    target: str
    counts: Counter[str] = field(default_factory=Counter)
    found: dict[str, Path] = field(default_factory=dict)
    peak: float = 0.0

    @property
    def inputs(self) -> int:
        return self.counts.total()

    def __str__(self) -> str:
        good = ", ".join(f"{self.counts[name]} {name}" for name in GOOD)
        bad = "".join(f"\n  {self.counts[kind]} x {kind}\n    {path}" for kind, path in self.found.items())
        return f"{self.target}: {self.inputs} inputs: {good}; at most {self.peak:.0f} MiB{bad}"


def fuzz(
    target: str, inputs: int, seed: int = 0, kept: Path | None = None, first: int = 0, report: Report | None = None
) -> Report:
    """Read so many inputs of a target, from number `first` on. Failing inputs are kept in the folder `kept`. `report`:
    one to be filled, of which something is left if this is interrupted."""
    report, number = report or Report(target), first
    with tempfile.TemporaryDirectory(prefix="ctc_ocr-fuzz-") as folder:
        while number < first + inputs:
            number = _one_process(report, target, seed, number, first + inputs, Path(folder), kept)
    return report


def _one_process(report: Report, target: str, seed: int, first: int, last: int, folder: Path, kept: Path | None) -> int:
    """Read inputs until the process ends; returns the number of the next input."""
    command = [sys.executable, "-m", "fuzz.child", target, str(seed), str(first), str(last), str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment,
            start_new_session=True,
        )  # fmt: skip
        try:
            return _watch(process, report, target, seed, first, last, folder, kept)
        except RuntimeError as error:
            errors.seek(0)
            raise RuntimeError(f"{error}: {errors.read().decode('utf-8', 'replace')[-2000:]}") from None
        finally:
            if process.returncode is None:
                _kill(process)
            process.communicate()


def _watch(
    process: "subprocess.Popen[bytes]", report: Report, target: str, seed: int, first: int, last: int, folder: Path,
    kept: Path | None,
) -> int:  # fmt: skip
    assert process.stdin is not None
    name = target.rpartition(":")[2]
    number, is_running, pending = first, False, b""
    while number < last:
        line, pending = _next_line(process, pending, is_running)
        if not line and not is_running:
            raise RuntimeError(f"the process of {target} does not start")
        if not line:
            hung = line is None
            _kill(process)
            status = process.wait()
            kind = "hang" if hung else f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
            _note(report, kind, f"{name}-{seed}-{number}", folder, kept)
            return number + 1
        word, shown, *rest = line.decode().split(" ", 2)
        if word == "start":
            number, is_running = int(shown), True
        elif word == "done":
            report.peak = max(report.peak, _peak(process.pid))
            _note(report, rest[0], f"{name}-{seed}-{shown}", folder, kept)
            if rest[0] not in GOOD:
                process.stdin.write(b"\n")
                process.stdin.flush()
            number, is_running = int(shown) + 1, False
    return number


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """A process that has not been waited for, and a server that it has started."""
    os.killpg(process.pid, signal.SIGKILL)


def _next_line(process: "subprocess.Popen[bytes]", pending: bytes, is_running: bool) -> tuple[bytes | None, bytes]:
    """(line, what follows it): b"" at the end of the output, None if the process takes too long."""
    assert process.stdout is not None
    began, used = time.monotonic(), _processor(process.pid)
    while b"\n" not in pending:
        ready, _, _ = select.select([process.stdout], [], [], 0.5)
        waited = time.monotonic() - began
        if ready:
            part = os.read(process.stdout.fileno(), 65536)
            if not part:
                return b"", b""
            pending += part
        elif is_running:
            # Not the clock alone: on a busy machine, a process may get little of the processor.
            if _processor(process.pid) - used > SECONDS or waited > MAX_WAIT and _waits(process.pid):
                return None, b""
        elif waited > START_SECONDS:
            return None, b""
    line, _, pending = pending.partition(b"\n")
    return line, pending


def _note(report: Report, kind: str, name: str, folder: Path, kept: Path | None) -> None:
    """Count an outcome, and keep the first input of each that is not good."""
    report.counts[kind] += 1
    if kind in GOOD or kind in report.found or len(report.found) >= MAX_KEPT:
        return
    report.found[kind] = folder
    if kept is not None:
        report.found[kind] = kept / name
        shutil.copytree(folder, kept / name, dirs_exist_ok=True)


def _status(pid: int) -> list[str]:
    """The fields of a process from its state on (proc(5), stat)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:  # it has ended
        return ["Z", *["0"] * 20]


def _processor(pid: int) -> float:
    """Seconds of the processor that a process has used."""
    values = _status(pid)
    return (int(values[11]) + int(values[12])) / TICKS


def _waits(pid: int) -> bool:
    """Whether a process waits for something, and not for the processor."""
    return _status(pid)[0] != "R"


def _peak(pid: int) -> float:
    """MiB that a process had in memory at most."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024 if "VmHWM:" in status else 0.0
