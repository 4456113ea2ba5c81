"""How soon training gets there: the real command in a process of its own, whose log is read."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import FONT, Row, row
from ctc_ocr.config.presets import preset as settings

VALIDATED = re.compile(r"Epoch (\d+): (?:nothing|([0-9,]+) of ([0-9,]+)) read")
SAMPLES_ACCURACY = 0.95


@dataclass(frozen=True)
class Validation:
    """Accuracy after so many samples, and the seconds since the command was started."""

    samples: int
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class Run:
    validations: tuple[Validation, ...]

    def seconds_to(self, accuracy: float) -> float:
        """Infinite if the run did not get there, as samples_to."""
        return next((each.seconds for each in self.validations if each.accuracy >= accuracy), float("inf"))

    def samples_to(self, accuracy: float) -> float:
        return next((each.samples for each in self.validations if each.accuracy >= accuracy), float("inf"))


def train(preset: str, target: float, report: Callable[[str], None], options: tuple[str, ...] = ()) -> Run:
    """Train with a preset's defaults until the target; what was compiled before is not used, so that it counts."""
    samples_per_epoch = settings(preset).training.samples_per_epoch
    found = []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ctc_ocr", "train", FONT, "--preset", preset, "--prefix", f"{folder}/ocr"]
        command += ["--target_accuracy", str(target), *options]
        # The command chooses its threads itself, as for everybody.
        chosen = ("OMP_NUM_THREADS", "MXNET_OMP_MAX_THREADS", "OPENBLAS_NUM_THREADS")
        environment = {name: value for name, value in os.environ.items() if name not in chosen}
        environment["NUMBA_CACHE_DIR"] = f"{folder}/numba"
        started = time.perf_counter()
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stderr is not None
            lines = []
            for line in process.stderr:
                lines.append(line)
                if match := VALIDATED.search(line):
                    samples = int(match[1]) * samples_per_epoch
                    found.append(Validation(samples, _accuracy(match), time.perf_counter() - started))
                    report(f"  {found[-1].seconds:.0f} s, {samples:,} samples: {found[-1].accuracy:.4f}")
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{''.join(lines[-20:])}")
    return Run(tuple(found))


def _accuracy(match: re.Match[str]) -> float:
    """Of a line of the log that VALIDATED found."""
    if match[2] is None:
        return 0.0
    read, count = (int(number.replace(",", "")) for number in match.groups()[1:])
    return read / count


def samples_row(run: Run, sgd: Path, target: float) -> Row:
    """Samples until 0.95, against what baseline_training wrote; its last figure counts if it never got there."""
    written = json.loads(sgd.read_text(encoding="utf-8"))
    reached = [each["samples"] for each in written["validations"] if each["accuracy"] >= SAMPLES_ACCURACY]
    samples = reached[0] if reached else written["validations"][-1]["samples"]
    note = "" if reached else ", where SGD was cut off"
    return row(
        f"samples until {SAMPLES_ACCURACY} are read{note}",
        "samples",
        [run.samples_to(SAMPLES_ACCURACY)],
        [samples],
        target,
    )
