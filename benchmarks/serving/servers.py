"""Servers in processes of their own, and what the system says of them."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.distributed.cluster import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int

    def cpu_seconds(self) -> float:
        """Of all its threads, until now."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, peak: bool = False) -> float:
        """MiB that are in memory now, or at most were since the last `forget_peak`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:" if peak else "VmRSS:")[2].split()[0]) / 1024

    def forget_peak(self) -> None:
        """Let the peak of memory be what it is now."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def metrics(self) -> dict[str, float]:
        """{name with its labels: value} of `ctc-ocr serve`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


@contextmanager
def ours(model: Path, *options: str) -> Iterator[Server]:
    """`ctc-ocr serve`."""
    port = free_port()
    with _running(port, ["-m", "ctc_ocr", "serve", str(model), f"--port={port}", *options], {}) as server:
        yield server


@contextmanager
def plain(model: Path, threads: int | None) -> Iterator[Server]:
    """The plain server; threads: of its network (None: what the runtime chooses)."""
    port = free_port()
    environment = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    with _running(port, ["-m", "benchmarks.serving.plain_server", str(model), str(port)], environment) as server:
        yield server


@contextmanager
def _running(port: int, arguments: list[str], environment: dict[str, str]) -> Iterator[Server]:
    inherited = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    process = subprocess.Popen(
        [sys.executable, *arguments], env={**inherited, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(port, process)
        yield Server(process, port)
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the server did not start")
