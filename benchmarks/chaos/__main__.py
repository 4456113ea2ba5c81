"""Kills with signal 9: `python -m benchmarks.chaos [--kills N] [--seed N] [--folder DIR]`, or `make chaos`.

A small run is trained undisturbed. Then the same run is trained again and again under kills at random moments, and
resumed after each: of the trainer, of an image process, of a training worker, server or scheduler (two workers), and,
where there is a C compiler, of the process that writes, at a random one of its operations on files. At its end the
weights of the newest epoch, the history but for its seconds, and the best epoch have to be those of the undisturbed run
to the bit. What is left of processes, shared memory and temporary files is looked for. Prints a table; the exit status
is 1 if anything differs or is left.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.chaos.library import compiled
from benchmarks.processes import children
from ctc_ocr.checkpoint import history, run_files
from ctc_ocr.checkpoint.params_file import params_content, read_params
from ctc_ocr.runtime.atomic_files import LEFT

KINDS = ("trainer", "image process", "worker", "write")
EPOCHS, UPDATES = 4, 40
SECONDS_TO_END = 20.0
FEWEST_OPERATIONS, MOST_OPERATIONS = 1, 110  # of the writer until it is killed: about an epoch's files and more
FONT = Path(__file__).resolve().parents[2] / "fonts" / "Ubuntu-M.ttf"


@dataclass
class Report:
    """Kills by kind, and what was wrong."""

    kills: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    wrong: list[str] = field(default_factory=list)


def command(folder: Path, workers: int, resume: bool) -> list[str]:
    settings = {
        "prefix": folder / "ocr", "num_epoch": EPOCHS, "samples_per_epoch": 8 * UPDATES, "batch_size": 8,
        "validation_samples": 16, "num_layers": 1, "num_hidden": 16, "renderer": "captcha", "checkpoint_minutes": 0.005,
        "num_proc": 1, "cpu": 1, "workers": workers, "keep": 1,
    }  # fmt: skip
    flags = [f"--{name}={value}" for name, value in settings.items()]
    return [sys.executable, "-m", "ctc_ocr", "train", str(FONT), *flags, "--resume" if resume else "--overwrite"]


def run_undisturbed(folder: Path, workers: int) -> float:
    """Seconds that it takes."""
    folder.mkdir(parents=True)
    started = time.monotonic()
    subprocess.run(command(folder, workers, resume=False), check=True, capture_output=True)
    return time.monotonic() - started


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def victims(trainer: int, kind: str, workers: int) -> list[int]:
    """The processes that a kind of kill may meet."""
    if kind == "trainer":
        return [trainer]
    spawned = {pid for pid, line in children(trainer).items() if "spawn_main" in line}
    direct = {pid for pid in spawned if parent_of(pid) == trainer}
    # Of several workers, those below the trainer are workers, server and scheduler, and image processes are theirs.
    return sorted(spawned - direct if (kind == "image process") == (workers > 1) else direct)


def parent_of(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


class Victim:
    """A run that is killed and resumed until it reaches its end."""

    def __init__(self, folder: Path, workers: int, library: Path | None, seconds: float, dice: random.Random) -> None:
        folder.mkdir(parents=True)
        self._folder, self._workers, self._library = folder, workers, library
        self._seconds, self._dice = seconds, dice
        self.report = Report()

    def run(self, kills: int) -> None:
        """With up to so many kills; then to its end."""
        while self.report.kills.total() < kills:
            kinds = [each for each in KINDS if self._can_be(each)]
            if self._disturbed(self._dice.choice(kinds)):
                return
        self._finish(self._start({}))

    def _can_be(self, kind: str) -> bool:
        return not (kind == "write" and self._library is None) and not (kind == "worker" and self._workers == 1)

    def _start(self, environment: dict[str, str]) -> "subprocess.Popen[str]":
        self._let_a_minute_pass()
        resume = run_files.can_be_resumed(self._folder / "ocr")
        self.report.resumed += resume
        log = (self._folder / "log.txt").open("a")
        with log:
            return subprocess.Popen(
                command(self._folder, self._workers, resume), stdout=log, stderr=log, text=True,
                env={**os.environ, **environment},
            )  # fmt: skip

    def _let_a_minute_pass(self) -> None:
        """After which the next writer of a file removes what a killed one has left of it."""
        for path in self._folder.glob(".*.tmp"):
            written = path.stat().st_mtime - LEFT
            os.utime(path, (written, written))

    def _disturbed(self, kind: str) -> bool:
        """Whether the run came to its end."""
        environment, mark = {}, self._folder / "mark"
        if kind == "write":
            mark.unlink(missing_ok=True)
            environment = {
                "LD_PRELOAD": str(self._library), "FAULT_FOLDER": str(self._folder / "ocr").removesuffix("ocr"),
                "FAULT_AT": str(self._dice.randint(FEWEST_OPERATIONS, MOST_OPERATIONS)),
                "FAULT_ACTION": self._dice.choice(["kill", "half"]), "FAULT_MARK": str(mark),
            }  # fmt: skip
        trainer = self._start(environment)
        below: dict[int, str] = {}
        until = time.monotonic() + self._dice.uniform(0.02, 1.0) * self._seconds
        while trainer.poll() is None and (kind == "write" or time.monotonic() < until):
            below |= children(trainer.pid)
            time.sleep(0.02)
        if trainer.poll() is None:
            below |= children(trainer.pid)
            if found := victims(trainer.pid, kind, self._workers):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._dice.choice(found), signal.SIGKILL)
                    self.report.kills[kind] += 1
            if kind == "image process":  # it is replaced, and the run goes on
                return self._finish(trainer, below)
        elif kind == "write" and mark.exists():
            self.report.kills[kind] += 1
        status = trainer.wait()
        self._look_for_processes([trainer.pid, *below])
        return status == 0

    def _finish(self, trainer: "subprocess.Popen[str]", below: dict[int, str] | None = None) -> bool:
        found = dict(below or {})
        while trainer.poll() is None:
            found |= children(trainer.pid)
            time.sleep(0.05)
        if trainer.returncode != 0:
            said = (self._folder / "log.txt").read_text().splitlines()[-1:]
            self.report.wrong.append(f"ended with status {trainer.returncode}: {said}")
        self._look_for_processes([trainer.pid, *found])
        return True

    def _look_for_processes(self, pids: list[int]) -> None:
        until = time.monotonic() + SECONDS_TO_END
        while any(map(is_alive, pids)) and time.monotonic() < until:
            time.sleep(0.05)
        self.report.wrong += [f"process {pid} is left" for pid in pids if is_alive(pid)]
        memory = [str(path) for pid in pids for path in Path("/dev/shm").glob(f"pym-{pid}-*")]
        self.report.wrong += [f"shared memory is left: {each}" for each in memory]


def differences(whole: Path, part: Path) -> Iterator[str]:
    """How a run differs from the undisturbed one."""
    one, other = str(whole / "ocr"), str(part / "ocr")
    if run_files.epochs(one) != run_files.epochs(other):
        yield f"epochs {run_files.epochs(other)} in place of {run_files.epochs(one)}"
        return
    for epoch in run_files.epochs(one):
        contents = [params_content(read_params(run_files.params_path(each, epoch))) for each in (one, other)]
        if contents[0] != contents[1]:
            yield f"the weights of epoch {epoch}"
    rows = [[replace(row, seconds=0.0) for row in history.read(each)] for each in (one, other)]
    if rows[0] != rows[1]:
        yield f"the history: {rows[1]} in place of {rows[0]}"
    if run_files.best_epoch(one) != run_files.best_epoch(other):
        yield f"the best epoch: {run_files.best_epoch(other)} in place of {run_files.best_epoch(one)}"
    left = [path.name for path in part.iterdir() if path.name.endswith((".tmp", ".lock")) or "unfinished" in path.name]
    if left:
        yield f"files are left: {left}"


def chaos(folder: Path, kills: int, workers: int, seed: int, kills_per_run: int = 10) -> tuple[Report, int]:
    """(all that was found, number of runs) with this number of training workers."""
    dice, library, total, runs = random.Random(seed), compiled(folder), Report(), 0
    whole = folder / f"whole{workers}"
    seconds = run_undisturbed(whole, workers)
    while total.kills.total() < kills:
        runs += 1
        victim = Victim(folder / f"part{workers}_{runs}", workers, library, seconds, dice)
        victim.run(min(kills_per_run, kills - total.kills.total()))
        total.kills += victim.report.kills
        total.resumed += victim.report.resumed
        total.wrong += victim.report.wrong
        total.wrong += differences(whole, folder / f"part{workers}_{runs}")
        print(f"run {runs}: {total.kills.total()} kills, {len(total.wrong)} wrong", file=sys.stderr, flush=True)
    return total, runs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="half of them with one training worker, half with two")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers of training workers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the runs are kept (default: a temporary folder)")
    options = parser.parse_args()
    failed = False
    print("| training workers | runs | " + " | ".join(f"killed: {kind}" for kind in KINDS) + " | resumed | wrong |")
    print("|---:" * (len(KINDS) + 4) + "|")
    with tempfile.TemporaryDirectory() as temporary:
        for workers in options.workers:
            folder = options.folder or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            kills = -(-options.kills // len(options.workers))
            report, runs = chaos(folder, kills, workers, options.seed)
            counts = " | ".join(str(report.kills[kind]) for kind in KINDS)
            print(f"| {workers} | {runs} | {counts} | {report.resumed} | {len(report.wrong)} |", flush=True)
            for each in report.wrong:
                print(f"wrong: {each}", file=sys.stderr)
            failed = failed or bool(report.wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
