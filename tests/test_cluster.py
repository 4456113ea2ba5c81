"""A cluster: workers, server and scheduler that another program starts, as on several machines."""

import errno
import os
import pickle
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctc_ocr
from benchmarks.networks import Networks, can_make_networks
from ctc_ocr.checkpoint.model_files import load
from ctc_ocr.cli.data import main as data
from ctc_ocr.cli.train import main as train
from ctc_ocr.distributed.cluster import LOOPBACK, Cluster, cluster_of, free_port
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.training.number_of_workers import with_workers
from ctc_ocr.training.settings import Captchas, RunOptions
from tests.clusters import Started, command, environment

SECONDS_TO_STOP = 30.0
SMALL = [
    "--alphabet=01",
    "--min_length=1",
    "--max_length=2",
    "--draw_width=80",
    "--width=40",
    "--height=20",
    "--num_layers=1",
    "--num_hidden=16",
    "--batch_size=8",
    "--samples_per_epoch=80",
    "--validation_samples=19",
    "--num_epoch=1",
    "--optimizer=sgd",
    "--learning_rate=0.1",
]
GOOD = {
    "DMLC_ROLE": "worker", "DMLC_PS_ROOT_URI": "10.0.0.1", "DMLC_PS_ROOT_PORT": "9100", "DMLC_NUM_WORKER": "4",
    "DMLC_NUM_SERVER": "2",
}  # fmt: skip
needs_root = pytest.mark.skipif(not can_make_networks(), reason="network namespaces need root and /dev/net/tun")


def started(num_workers: int, folder: Path, *flags: str, seeds: bool = False, expected: int | None = None) -> Started:
    """`seeds`: each worker has another seed. `expected`: workers that the cluster waits for."""
    own = [*flags, "--prefix", str(folder / "m")]
    workers = [command(*own, f"--seed={number if seeds else 0}") for number in range(num_workers)]
    return Started(workers, folder, expected=expected)


def waits_in_library(pid: int) -> bool:
    """Whether a process has connections of ps-lite, and leaves SIGTERM to the system."""
    try:
        caught = int(Path(f"/proc/{pid}/status").read_text(encoding="ascii").partition("SigCgt:")[2].split()[0], 16)
        sockets = [each for each in Path(f"/proc/{pid}/fd").iterdir() if each.readlink().name.startswith("socket:")]
    except OSError:
        return False
    return len(sockets) > 0 and not caught >> (signal.SIGTERM - 1) & 1


def weights(prefix: Path) -> dict[str, np.ndarray]:
    return {name: array.asnumpy() for name, array in load(str(prefix), 1).arg_params.items()}


@pytest.mark.slow
def test_a_cluster_trains_as_workers_of_one_machine_do(tmp_path: Path) -> None:
    with started(2, tmp_path, *SMALL) as cluster:
        ended = cluster.ends()
    assert [status for status, _ in ended] == [0, 0, 0, 0], ended
    workers = [text for _, text in ended[2:]]
    assert sorted("Best epoch: 1" in text for text in workers) == [False, True]
    assert {number for number in (1, 2) if any(f"Worker {number} of 2" in text for text in workers)} == {1, 2}
    settings = ctc_ocr.preset(
        "lstm",
        data={"alphabet": "01", "min_length": 1, "max_length": 2, "draw_width": 80, "width": 40, "height": 20},
        network={"num_layers": 1, "num_hidden": 16},
        training={"batch_size": 8, "samples_per_epoch": 80, "validation_samples": 19, "num_epoch": 1,
                  "optimizer": "sgd", "learning_rate": 0.1, "workers": 2},
    )  # fmt: skip
    ctc_ocr.train(settings, prefix=tmp_path / "here", progress=False)
    for name, expected in weights(tmp_path / "here").items():
        assert (weights(tmp_path / "m")[name] == expected).all()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, {-15, 143}), (signal.SIGINT, {-2, 130})])
def test_a_worker_that_waits_for_others_can_be_ended(number: int, status: set[int], tmp_path: Path) -> None:
    """It waits for a second one, in MXNet's library, where Python's handlers of signals do not run."""
    with started(1, tmp_path, *SMALL, expected=2) as cluster:
        worker = cluster.processes[2]
        deadline = time.monotonic() + 60
        while not waits_in_library(worker.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        worker.send_signal(number)
        assert worker.wait(SECONDS_TO_STOP) in status


@pytest.mark.long
@pytest.mark.parametrize("lost", ["scheduler", "server", "worker"])
def test_a_lost_process_ends_the_cluster(lost: str, tmp_path: Path) -> None:
    with started(2, tmp_path, *SMALL, "--num_epoch=100000") as cluster:
        deadline = time.monotonic() + 60
        while not (tmp_path / "m-0001.params").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        victim = cluster.processes[("scheduler", "server", "worker").index(lost)]
        victim.send_signal(signal.SIGKILL)
        ended = cluster.ends(SECONDS_TO_STOP)
    others = [each for each, process in zip(ended, cluster.processes, strict=True) if process is not victim]
    assert all(status not in (0, None) for status, _ in others)
    assert any("Lost the scheduler" in text and "--resume" in text for _, text in others)


@pytest.mark.slow
def test_workers_with_other_settings_are_refused(tmp_path: Path) -> None:
    with started(2, tmp_path, *SMALL, seeds=True) as cluster:
        deadline = time.monotonic() + 60
        refused: list[int] = []
        while not refused and time.monotonic() < deadline:
            time.sleep(0.1)
            refused = [number for number in (2, 3) if cluster.processes[number].poll() is not None]
        assert cluster.processes[refused[0]].returncode == 2
        assert "hyperparameters: not the same as those of the first worker" in cluster.logged(refused[0])


def test_a_server_refuses_to_unpickle(tmp_path: Path) -> None:
    """MXNet's own server would run what a worker sends as its optimizer."""
    victim = tmp_path / "was_run"
    body = pickle.dumps(Bomb(str(victim)), 0).decode("ascii")
    code = f"""
        from ctc_ocr.distributed.cluster import cluster_of
        from ctc_ocr.distributed.store import KeyValueStore
        from ctc_ocr.runtime.mxnet import mx
        store = KeyValueStore(cluster_of()[1])
        store._store._send_command_to_servers(0, {body!r})
        vector = mx.nd.ones(3)
        store.sum("x", vector)
        assert vector.asnumpy().tolist() == [1, 1, 1]
        store.close()
    """
    with Started([[sys.executable, "-c", textwrap.dedent(code)]], tmp_path) as cluster:
        ended = cluster.ends()
    assert [status for status, _ in ended] == [0, 0, 0], ended
    assert "A worker sent the command 0, which is refused" in ended[1][1]
    assert not victim.exists()


class Bomb:
    """Its unpickling makes a file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return open, (self._path, "w")


@pytest.mark.slow
@needs_root
def test_machines_with_a_delay_between_them(tmp_path: Path) -> None:
    """Scheduler and server on one, a worker on each of two others, 50 ms from one to another and back."""
    logs = []
    with Networks([1, 2, 3], delay=0.025) as networks:
        server, *others = networks.nodes
        cluster = Cluster(server.address, 9100, 2)
        places = [("scheduler", server), ("server", server), ("worker", others[0]), ("worker", others[1])]
        processes = []
        for role, node in places:
            given = {**environment(cluster, role), "DMLC_NODE_HOST": node.address}
            flags = [*SMALL, "--prefix", str(tmp_path / "m")]
            processes.append(node.start(command(*flags), given, stderr=subprocess.PIPE))
        try:
            logs = [process.communicate(timeout=120)[1] for process in processes]
        finally:
            for process in processes:
                process.kill()
        assert [process.returncode for process in processes] == [0, 0, 0, 0], logs
        parameters = sum(each.size for each in weights(tmp_path / "m").values())
        # Each worker sends 10 gradients and gets 10 sums.
        assert networks.num_bytes > 2 * 2 * 10 * 4 * parameters
        assert networks.num_bytes < 3 * 2 * 2 * 10 * 4 * parameters


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"DMLC_ROLE": "king"}, "DMLC_ROLE: expected scheduler, server, worker, got 'king'"),
        ({"DMLC_ROLE": ""}, "DMLC_ROLE: not set; .* DMLC_PS_ROOT_URI"),
        ({"DMLC_PS_ROOT_URI": ""}, "DMLC_PS_ROOT_URI: not set"),
        ({"DMLC_PS_ROOT_PORT": "70000"}, "DMLC_PS_ROOT_PORT: expected a number from 1 to 65535, got '70000'"),
        ({"DMLC_NUM_WORKER": "0"}, "DMLC_NUM_WORKER: expected a number from 1 to 10000, got '0'"),
        ({"DMLC_NUM_SERVER": "two"}, "DMLC_NUM_SERVER: expected a number"),
    ],
)
def test_environment_variables_are_checked(change: dict[str, str], reason: str) -> None:
    assert cluster_of(GOOD) == ("worker", Cluster("10.0.0.1", 9100, 4, 2))
    with pytest.raises(InputError, match=reason):
        cluster_of({**GOOD, **change})


def test_the_number_of_workers_is_that_of_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    options = RunOptions(kv_store="dist_sync")
    assert with_workers(ctc_ocr.preset("lstm"), Captchas(), options).training.workers == 4
    with pytest.raises(InputError, match="workers: has no effect in a cluster, which has 4 workers"):
        with_workers(ctc_ocr.preset("lstm", training={"workers": 2}), Captchas(), options)
    with pytest.raises(InputError, match="kv_store: 'local' is not dist_sync"):
        RunOptions(kv_store="local")


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--folds=2",), "--kv_store: a cluster is for one training, and these are several: leave it out"),
        (("--unlabelled=photos",), "--kv_store: a cluster is for one training, and these are several: leave it out"),
        (("--overfit_batch",), "--kv_store: has no effect with --overfit_batch, which saves nothing"),
        (("--print_network",), "--kv_store: has no effect with --print_network, which saves nothing"),
    ],
)
def test_a_cluster_is_for_one_training(
    flags: tuple[str, ...], reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    assert train(["--kv_store=dist_sync", "--data=photos", "--num_proc=1", *flags]) == 2
    assert reason in capsys.readouterr().err


def test_commands_of_several_trainings_have_no_flag_for_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["curve", "photos"], ["audit", "model", "photos"]):
        with pytest.raises(SystemExit):
            data([*arguments, "--kv_store=dist_sync"])
        assert "--kv_store" in capsys.readouterr().err


@pytest.fixture(autouse=True)
def _without_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        monkeypatch.delenv(name, raising=False)


def test_what_is_missing_is_said_by_the_command() -> None:
    done = subprocess.run(command(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "DMLC_ROLE: not set" in done.stderr


@pytest.mark.skipif(not Path("/proc/sys/net/ipv4").is_dir(), reason="the range of ports is Linux's")
def test_the_port_of_a_scheduler_is_none_that_connections_get() -> None:
    least, greatest = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split())
    found = {free_port() for _ in range(20)}
    assert len(found) > 1
    assert not any(least <= port <= greatest for port in found)
    with socket.create_server(("127.0.0.1", found.pop())):
        pass


def test_a_machine_on_which_no_port_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        monkeypatch.setattr("ctc_ocr.distributed.cluster.PORTS", [taken.getsockname()[1]])
        with pytest.raises(RunError) as error:
            free_port()
    in_use = os.strerror(errno.EADDRINUSE)
    assert str(error.value) == f"{LOOPBACK}: no port can be used, at which several workers would meet: {in_use}"
