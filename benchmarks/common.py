"""What the benchmarks share: the sizes of MXNet's CTC example, turns, processes with fixed threads, rows of a table."""

import importlib
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctc_ocr.runtime.threads import set_threads

# MXNet's example/ctc
WIDTH, HEIGHT = 80, 30  # of the image that the network reads; one column for each time step
DRAW_WIDTH, DRAW_HEIGHT = 160, 60
DIGITS = "0123456789"
MIN_LENGTH, MAX_LENGTH = 3, 4
CLASSES = len(DIGITS) + 1
LAYERS, HIDDEN = 2, 100
BATCH_SIZE = 128

FONT = str(Path(__file__).resolve().parent.parent / "fonts" / "Ubuntu-M.ttf")


LESS_IS_BETTER = ("s", "ms", "samples")


@dataclass(frozen=True)
class Row:
    """One figure: medians of both sides in `unit`, and how many times better ours is.

    `target` is the ratio that is aimed at, or, where there is no baseline, the figure that ours should stay below.
    """

    what: str
    unit: str
    ours: float
    baseline: float | None
    ratio: float | None
    target: float

    @property
    def reached(self) -> bool:
        return self.ours < self.target if self.ratio is None else self.ratio >= self.target


def row(what: str, unit: str, ours: Sequence[float], baseline: Sequence[float], target: float) -> Row:
    """Of the rounds' figures; an empty `baseline` is none."""
    mine = statistics.median(ours)
    if not baseline:
        return Row(what, unit, mine, None, None, target)
    other = statistics.median(baseline)
    return Row(what, unit, mine, other, other / mine if unit in LESS_IS_BETTER else mine / other, target)


def seconds(job: Callable[[], object]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def in_turns(rounds: int, *jobs: Callable[[], float]) -> list[list[float]]:
    """The results of `rounds` calls of each job, one job after the other in every round: noise meets all alike."""
    results: list[list[float]] = [[] for _ in jobs]
    for _ in range(rounds):
        for job, found in zip(jobs, results, strict=True):
            found.append(job())
    return results


def isolated(threads: int, benchmark: str, *arguments: Any) -> Any:
    """`measure(*arguments)` of a module here, in a process whose MXNet, OpenMP and BLAS use `threads` threads."""
    set_threads(threads)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, benchmark, arguments).result()


def _measure(benchmark: str, arguments: tuple[Any, ...]) -> Any:
    # Imported only here: threads are fixed when MXNet is imported.
    return importlib.import_module(f"benchmarks.{benchmark}").measure(*arguments)


def processor() -> str:
    """The processor's name, as Linux gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure(value: float) -> str:
    """A number with three digits that count, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def comparison(rows: Sequence[Row]) -> str:
    """The table of rows."""
    head = ("what", "ours", "baseline", "ratio", "target")
    return table(head, [_cells(each) for each in rows])


def _cells(each: Row) -> list[str]:
    ours = f"{figure(each.ours)} {each.unit}"
    if each.baseline is None or each.ratio is None:
        return [each.what, ours, "", "", f"< {figure(each.target)} {each.unit}"]
    return [each.what, ours, f"{figure(each.baseline)} {each.unit}", f"{each.ratio:.1f}x", f">= {figure(each.target)}x"]
