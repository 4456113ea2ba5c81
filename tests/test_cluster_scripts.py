"""The scripts of examples/cluster: over a real sshd and by a real mpirun where they are installed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ctc_ocr.cli import train
from ctc_ocr.distributed.cluster import free_port

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "examples" / "cluster"
MACHINE = SCRIPTS / "machine.sh"
SECONDS = 240.0  # until a test gives up
FLAGS = [
    "--alphabet=01", "--min_length=1", "--max_length=2", "--draw_width=80", "--width=40", "--height=20",
    "--num_layers=1", "--num_hidden=16", "--batch_size=8", "--samples_per_epoch=80", "--validation_samples=16",
    "--num_epoch=1", "--cpu=1", "--num_proc=1",
]  # fmt: skip
LONG = [*FLAGS, "--num_epoch=100000", "--keep=1"]

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Variables with which this checkout's ctc-ocr is found; no process that has them may be left at the end."""
    command = tmp_path / "bin" / "ctc-ocr"
    command.parent.mkdir()
    command.write_text(
        f'#!/bin/sh\nexport PYTHONPATH={ROOT} OMP_NUM_THREADS=1\nexec {sys.executable} -m ctc_ocr "$@"\n'
    )
    command.chmod(0o755)
    given = {name: value for name, value in os.environ.items() if not name.startswith("DMLC_")}
    given["PATH"] = f"{command.parent}:{given['PATH']}"
    yield {**given, "DMLC_PS_ROOT_PORT": str(free_port()), "DMLC_NODE_HOST": "127.0.0.1"}
    wait_until(lambda: not started_in(tmp_path), 10)
    left = started_in(tmp_path)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def started_in(folder: Path) -> list[int]:
    """Processes with the folder in their environment."""
    found = []
    for each in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{folder}/bin".encode() in each.read_bytes():
                found.append(int(each.parent.name))
        except OSError:
            continue
    return found


def wait_until(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


def start(environment: Mapping[str, str], *command: str | Path) -> "subprocess.Popen[str]":
    arguments = [str(each) for each in command]
    return subprocess.Popen(arguments, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def output(process: "subprocess.Popen[str]") -> str:
    try:
        return process.communicate(timeout=SECONDS)[0]
    finally:
        process.kill()


def check_training(folder: Path, logged: str) -> None:
    assert (folder / "m-0001.params").is_file(), logged
    assert set(re.findall(r"Worker (\d) of 2", logged)) == {"1", "2"}
    assert logged.count("Best epoch: 1") == 1


@pytest.mark.long
def test_a_machine_that_is_told_to_end_saves_the_run(environment: dict[str, str], tmp_path: Path) -> None:
    processes = [
        start(environment, MACHINE, str(number), "2", "127.0.0.1", *LONG, "--prefix", tmp_path / "m")
        for number in range(2)
    ]
    wait_until(lambda: (tmp_path / "m-0001.params").exists())
    processes[1].send_signal(signal.SIGTERM)
    logged = [output(each) for each in processes]
    assert [each.returncode for each in processes] == [130, 130], logged
    assert sum("Interrupted. The run is saved" in each for each in logged) == 2


@pytest.mark.slow
def test_a_first_machine_that_fails_leaves_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    process = start(environment, MACHINE, "0", "2", "127.0.0.1", "--data", tmp_path / "nothing", "--batch_size=1")
    logged = output(process)
    assert process.returncode == 2, logged
    assert "2 are more than the 1 samples of a batch" in logged


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[str]:
    """The ssh command for a server at 127.0.0.2, with keys that are made for it."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("needs ssh and sshd")
    if os.geteuid() == 0 and not Path("/run/sshd").is_dir():
        pytest.skip("sshd of root needs the folder /run/sshd")
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    port = free_port()
    known = f"[127.0.0.2]:{port} {(folder / 'host.pub').read_text()}"
    (folder / "known_hosts").write_text(known)
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.2:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\nPidFile none\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\n"
    )
    (folder / "config").write_text(
        f"Port {port}\nIdentityFile {folder}/user\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known_hosts\n"
        "StrictHostKeyChecking yes\nBatchMode yes\nLogLevel ERROR\n"
    )
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([sshd, "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
    try:
        command = f"ssh -F {folder}/config"
        wait_until(lambda: subprocess.run([*command.split(), "127.0.0.2", "true"], check=False).returncode == 0, 10)
        yield command
    finally:
        server.kill()
        server.wait()


def test_ssh(environment: dict[str, str], ssh: str, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("# the first one is this machine\n127.0.0.1\n127.0.0.2\n")
    flags: list[str | Path] = [*FLAGS, "--prefix", tmp_path / "a folder" / "m"]
    process = start({**environment, "SSH": ssh}, SCRIPTS / "ssh.sh", tmp_path / "hosts", *flags)
    logged = output(process)
    assert process.returncode == 0, logged
    check_training(tmp_path / "a folder", logged)


def test_ctrl_c_of_ssh_saves_the_run(environment: dict[str, str], ssh: str, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1\n127.0.0.2\n")
    flags: list[str | Path] = [*LONG, "--prefix", tmp_path / "m"]
    process = start({**environment, "SSH": ssh}, SCRIPTS / "ssh.sh", tmp_path / "hosts", *flags)
    wait_until(lambda: (tmp_path / "m-0001.params").exists())
    process.send_signal(signal.SIGINT)
    for pid in started_in(tmp_path):  # as the terminal does, but not to what ssh has started
        if Path(f"/proc/{pid}/stat").read_text().split()[4] == str(os.getpgid(process.pid)):
            os.kill(pid, signal.SIGINT)
    logged = output(process)
    assert process.returncode == 130, logged
    assert "Interrupted. The run is saved" in logged


@pytest.fixture
def mpi(environment: dict[str, str]) -> dict[str, str]:
    if shutil.which("mpirun") is None:
        pytest.skip("needs Open MPI")
    return {**environment, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


@pytest.mark.long
def test_mpi(mpi: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1\n127.0.0.1\n")
    process = start(mpi, SCRIPTS / "mpi.sh", tmp_path / "hosts", *FLAGS, "--prefix", tmp_path / "m")
    logged = output(process)
    assert process.returncode == 0, logged
    check_training(tmp_path, logged)


@pytest.mark.slow
def test_ctrl_c_of_mpirun_saves_the_run(mpi: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1\n127.0.0.1\n")
    process = start(mpi, SCRIPTS / "mpi.sh", tmp_path / "hosts", *LONG, "--prefix", tmp_path / "m")
    wait_until(lambda: (tmp_path / "m-0001.params").exists())
    process.send_signal(signal.SIGINT)
    logged = output(process)
    assert process.returncode != 0
    assert "Interrupted. The run is saved" in logged


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_bash(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    assert os.access(script, os.X_OK)
    if shutil.which("shellcheck") is not None:
        done = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_options_of_slurm_stand_before_the_first_command() -> None:
    """sbatch reads no others."""
    lines = (SCRIPTS / "slurm.sh").read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    options = [number for number, line in enumerate(lines) if line.startswith("#SBATCH ")]
    assert len(options) == 6
    assert max(options) < first


@pytest.fixture
def manifest() -> dict[str, Any]:
    """What kubernetes.yaml describes, by kind."""
    yaml = pytest.importorskip("yaml")
    return {each["kind"]: each for each in yaml.safe_load_all((SCRIPTS / "kubernetes.yaml").read_text())}


def test_the_parts_of_the_manifest_fit(manifest: dict[str, Any]) -> None:
    service, policy, job = (manifest[kind] for kind in ("Service", "NetworkPolicy", "Job"))
    template = job["spec"]["template"]
    labels, pod = template["metadata"]["labels"], template["spec"]
    assert service["spec"]["selector"] == labels
    assert policy["spec"]["podSelector"]["matchLabels"] == labels
    assert policy["spec"]["ingress"] == [{"from": [{"podSelector": {"matchLabels": labels}}]}]
    assert service["spec"]["clusterIP"] == "None"
    assert pod["subdomain"] == service["metadata"]["name"]
    (container,) = pod["containers"]
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert job["spec"]["completionMode"] == "Indexed"
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == int(variables["COUNT"])
    assert variables["FIRST"] == f"{job['metadata']['name']}-0.{pod['subdomain']}"
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}
    assert train.parser().parse_args(container["args"]).data == ["photos"]


@pytest.mark.long
def test_the_command_of_the_manifest_trains(
    manifest: dict[str, Any], environment: dict[str, str], tmp_path: Path
) -> None:
    """With this machine's name in place of the first pod's."""
    (container,) = manifest["Job"]["spec"]["template"]["spec"]["containers"]
    command = [each.replace("/cluster/", f"{SCRIPTS}/") for each in container["command"]]
    given = {**environment, **{each["name"]: each["value"] for each in container["env"]}, "FIRST": "localhost"}
    processes = [
        start({**given, "JOB_COMPLETION_INDEX": str(number)}, *command, *FLAGS, "--prefix", tmp_path / "m")
        for number in range(2)
    ]
    logged = [output(each) for each in processes]
    assert [each.returncode for each in processes] == [0, 0], logged
    check_training(tmp_path, "".join(logged))
