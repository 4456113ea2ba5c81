"""Messages about workers, clusters and GPUs, each provoked by what leads to it; other processes and GPUs are played
where a test cannot have them."""

import ctypes
import importlib
import logging
import multiprocessing
import os
import pickle
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import ctc_ocr
from ctc_ocr import mxnet as mx
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.cli.main import main
from ctc_ocr.distributed import server
from ctc_ocr.distributed.cluster import CHECKS, Cluster, on_this_machine
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.generation.rows import Rows
from ctc_ocr.runtime.devices import gpu_count
from ctc_ocr.training import cluster as training_cluster
from ctc_ocr.training import job, worker_process, worker_processes
from ctc_ocr.training.data import training_data
from ctc_ocr.training.events import Callback, Saved
from ctc_ocr.training.workers import OneWorker
from tests.training_runs import SMALL, begin

LOOPBACK = Cluster("127.0.0.1", 9100, 2, node_host="127.0.0.1")


class Missing:
    """Its unpickling imports a module that is not there."""

    def __reduce__(self) -> tuple[object, ...]:
        return importlib.import_module, ("not_here",)


@pytest.mark.parametrize("role", ["server", "scheduler"])
def test_only_workers_train(role: str, tmp_path: Path, ubuntu_font: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LOOPBACK.environment(role).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=f"^DMLC_ROLE: a {role} does not train: ctc_ocr.serve_cluster runs it$"):
        begin(str(tmp_path / "ocr"), ubuntu_font, kv_store="dist_sync")
    assert list(tmp_path.iterdir()) == []


class OfTwo(OneWorker):
    """One of two workers; what the first one says is kept for the second."""

    def __init__(self, rank: int, said: list[float]) -> None:
        self.rows = Rows(rank, 2)
        self._said = said

    def sum_values(self, values: Sequence[float]) -> list[float]:
        if self.is_first:
            self._said += values
            return list(values)
        return [self._said.pop(0)]


@pytest.mark.parametrize(
    ("change", "name"), [({}, ""), ({"seed": 1}, "hyperparameters"), ({"alphabet": "02"}, "alphabet")]
)
def test_workers_have_to_agree(change: dict[str, Any], name: str, ubuntu_font: str) -> None:
    """Each part is compared by itself: the alphabets differ where the hyperparameters are those of another worker."""
    first = training_data(SMALL, ctc_ocr.Captchas(ubuntu_font))
    other = replace(SMALL, training=replace(SMALL.training, seed=change.get("seed", 0)))
    second = training_data(other, ctc_ocr.Captchas(ubuntu_font))
    if "alphabet" in change:
        second = replace(second, alphabet=Alphabet(tuple(change["alphabet"])))
    said: list[float] = []
    training_cluster.check_agreement(OfTwo(0, said), first)  # type: ignore[arg-type]
    assert len(said) == 3
    if not name:
        training_cluster.check_agreement(OfTwo(1, said), second)  # type: ignore[arg-type]
        return
    with pytest.raises(
        InputError, match=f"^{name}: not the same as those of the first worker: all workers need the same$"
    ):
        training_cluster.check_agreement(OfTwo(1, said), second)  # type: ignore[arg-type]


def test_an_unexpected_error_of_a_worker_is_sent_to_its_parent() -> None:
    here, there = multiprocessing.Pipe()
    threads = cv2.getNumThreads()
    try:
        worker_process.work(there, 1, 1, on_this_machine(9100, 2), logging.INFO, pickle.dumps(Missing()))
        result = here.recv()
    finally:
        cv2.setNumThreads(threads)
        here.close()
        there.close()
    assert isinstance(result.error, RunError)
    assert result.error.reason.startswith("a training worker failed:\nTraceback (most recent call last):\n")
    assert result.error.reason.endswith("\nModuleNotFoundError: No module named 'not_here'")


def test_a_worker_that_cannot_start(ubuntu_font: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(multiprocessing.active_children())
    monkeypatch.setattr(worker_processes, "work", Missing())
    job_of_one = job.Job(ctc_ocr.RunOptions(), training_data(SMALL, ctc_ocr.Captchas(ubuntu_font)), 1)
    reason = "^worker 0 could not start: ModuleNotFoundError: No module named 'not_here'$"
    with (
        pytest.raises(RunError, match=reason),
        worker_processes.WorkerProcesses(job_of_one, 1, 1) as processes,
    ):
        processes.run(never_begun)
    assert processes.process_ids == {}
    assert set(multiprocessing.active_children()) == before


def ends_at_once(connection: Connection, *_: object) -> None:
    os._exit(3)


def ends_when_it_has_saved(connection: Connection, *_: object) -> None:
    connection.send(job.Begun((), 0, started=False))
    connection.send(Saved("ocr-0001.params"))
    connection.recv_bytes()
    os._exit(3)


@pytest.mark.parametrize(
    ("work", "resume", "left"),
    [
        (ends_at_once, False, "the run had saved nothing yet"),
        (ends_at_once, True, "--resume goes on from the newest checkpoint"),
        (ends_when_it_has_saved, False, "--resume goes on from the newest checkpoint"),
    ],
)
def test_a_lost_process_says_whether_the_run_can_go_on(
    work: Any, resume: bool, left: str, ubuntu_font: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_processes, "work", work)
    options = ctc_ocr.RunOptions(resume=resume)
    job_of_one = job.Job(options, training_data(SMALL, ctc_ocr.Captchas(ubuntu_font)), 1)
    reason = rf"^worker 0 \(pid \d+\) ended with status 3: the other processes were ended too; {left}$"
    with (
        pytest.raises(RunError, match=reason),
        worker_processes.WorkerProcesses(job_of_one, 1, 1) as processes,
    ):
        processes.run(lambda begun: lambda event: None)


def test_a_scheduler_whose_port_is_taken(
    ubuntu_font: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """By another program, in the second before it listens."""
    job_of_one = job.Job(ctc_ocr.RunOptions(), training_data(SMALL, ctc_ocr.Captchas(ubuntu_font)), 1)
    with socket.create_server((LOOPBACK.host, 0)) as taken:
        monkeypatch.setattr(worker_processes, "free_port", lambda: taken.getsockname()[1])
        with (
            pytest.raises(RunError, match="^scheduler could not start: MXNet's key-value store failed: .*bind failed$"),
            worker_processes.WorkerProcesses(job_of_one, 1, 1) as processes,
        ):
            processes.run(never_begun)
    assert "Traceback" not in capfd.readouterr().err


def never_begun(begun: job.Begun) -> Callback:
    raise AssertionError


def test_a_command_to_a_server_runs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Called as MXNet's library does it, with what its own server would unpickle."""
    server.Controller(server._refuse)(0, pickle.dumps(Missing()), None)
    assert caplog.messages == [
        "A worker sent the command 0, which is refused: the optimizer runs on the workers"
    ]  # fmt: skip


def test_a_scheduler_without_mxnets_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MXNet's package is there, as after an installation that was cut off."""
    (tmp_path / "mxnet").mkdir()
    (tmp_path / "mxnet" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "mxnet")
    monkeypatch.syspath_prepend(tmp_path)
    for name, value in LOOPBACK.environment("scheduler").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RunError, match=r"^libmxnet\.so is not where MXNet is installed$"):
        server.serve_cluster()


def test_a_scheduler_whose_library_does_not_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mxnet").mkdir()
    (tmp_path / "mxnet" / "__init__.py").touch()
    (tmp_path / "mxnet" / "libmxnet.so").write_bytes(b"cut off")
    monkeypatch.delitem(sys.modules, "mxnet")
    monkeypatch.syspath_prepend(tmp_path)
    for name, value in LOOPBACK.environment("scheduler").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RunError, match=r"^libmxnet\.so does not load: .*libmxnet\.so: file too short$"):
        server.serve_cluster()


@pytest.mark.skipif(mx.runtime.Features().is_enabled("NCCL"), reason="this MXNet has the store that is asked for")
def test_what_mxnets_library_says_of_its_store_is_passed_on() -> None:
    library = server._library()
    status = library.MXKVStoreCreate(b"nccl", ctypes.byref(ctypes.c_void_p()))
    with pytest.raises(RunError, match="^MXNet's key-value store failed: .*USE_NCCL"):
        server._check(library, status)


class Ended(Exception):
    """In place of the end of the process."""


@pytest.fixture
def _process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(status: int) -> None:
        raise Ended(status)

    monkeypatch.setattr(os, "_exit", end)


class AllLost:
    """MXNet's library, where a process is missed each time."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def MXKVStoreGetNumDeadNode(self, handle: Any, group: int, count: Any, seconds: int) -> None:  # noqa: N802
        self.asked.append(group)
        count._obj.value = 1


@pytest.mark.usefixtures("_process_ends")
@pytest.mark.parametrize(
    ("group", "lost"),
    [
        (server.SCHEDULER, "Lost the scheduler: ending"),
        (server.SERVERS + server.WORKERS, "Lost a worker or a server: ending"),
    ],
)
def test_a_server_ends_with_the_others(
    group: int, lost: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "CHECK_SECONDS", 0)
    library = AllLost()
    with pytest.raises(Ended, match="^1$"):
        server._watch(library, ctypes.c_void_p(), group)
    assert library.asked == [group] * CHECKS
    assert caplog.messages == [lost]


@pytest.mark.usefixtures("_process_ends")
def test_a_worker_ends_with_its_scheduler(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Ended, match="^1$"):
        training_cluster._end()
    assert caplog.messages == [
        "Lost the scheduler, which ends when it has missed a worker or a server for 11 s: ending. Start all again; "
        "--resume goes on from the newest checkpoint, if there is one"
    ]


class WithCuda:
    """What an MXNet for GPUs says of itself."""

    def is_enabled(self, name: str) -> bool:
        return name == "CUDA"


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ("0,1", "--gpu_ids: expected the number of one GPU, got 0,1"),
        ("-1", "--gpu_ids: expected the number of one GPU, got -1"),
        ("99", "GPUs with the numbers 99 were asked for, and MXNet sees {} on this machine, from 0 on"),
    ],
)
def test_gpus_that_one_reader_cannot_have(
    numbers: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mx.runtime, "Features", WithCuda)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((10, 20), np.uint8))
    assert main(["infer", f"--gpu_ids={numbers}", "--model=starter", str(tmp_path / "a.png")]) == 2
    available = gpu_count()
    assert capsys.readouterr().err == f"ctc-ocr infer: error: {reason.format(available)}\n"
