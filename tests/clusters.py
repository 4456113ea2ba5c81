"""Clusters whose processes are all on this machine, started as by another program."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ctc_ocr.distributed.cluster import LOOPBACK, Cluster, free_port


def environment(cluster: Cluster, role: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", **cluster.environment(role)}


def command(*flags: str) -> list[str]:
    return [sys.executable, "-m", "ctc_ocr", "train", "--kv_store=dist_sync", "--cpu=1", "--num_proc=1", *flags]


class Started:
    """A scheduler, a server and workers, one for each of these commands; all are killed at the end of the block. What
    they write to stderr goes to files in `logs`, and `folder` is where they run."""

    def __init__(
        self, workers: Sequence[Sequence[str]], logs: Path, folder: Path | None = None, expected: int | None = None
    ) -> None:
        """`expected`: workers that the cluster waits for (default: those that are started)."""
        cluster = Cluster(LOOPBACK, free_port(), expected or len(workers), node_host=LOOPBACK)
        commands = [("scheduler", command()), ("server", command()), *(("worker", each) for each in workers)]
        self._logs = [logs / f"{number}.log" for number in range(len(commands))]
        self.processes = []
        for (role, arguments), path in zip(commands, self._logs, strict=True):
            with path.open("wb") as log:
                given = environment(cluster, role)
                self.processes.append(subprocess.Popen(arguments, env=given, cwd=folder, stderr=log))

    def __enter__(self) -> "Started":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def ends(self, seconds: float = 60.0) -> list[tuple[int | None, str]]:
        """(exit status, what was logged) of each, with None for those that have not ended in time."""
        deadline = time.monotonic() + seconds
        while any(each.poll() is None for each in self.processes) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [(each.poll(), self.logged(number)) for number, each in enumerate(self.processes)]

    def logged(self, number: int) -> str:
        return self._logs[number].read_text(encoding="utf-8", errors="replace")
