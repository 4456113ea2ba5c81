"""What a peer can make a server of the key-value store do, as docs/security.md says."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ctc_ocr.distributed.cluster import Cluster
from tests.test_cluster import command, environment, free_port

PROFILE = """
import sys
from ctc_ocr.distributed.cluster import cluster_of
from ctc_ocr.distributed.store import KeyValueStore
from ctc_ocr.runtime.mxnet import mx
store = KeyValueStore(cluster_of()[1])
mx.profiler.set_kvstore_handle(store._store.handle)
mx.profiler.set_config(filename=sys.argv[1], profile_all=True, profile_process="server")
mx.profiler.set_state("run", profile_process="server")
vector = mx.nd.ones(3)
store.sum("x", vector)
vector.wait_to_read()
mx.profiler.set_state("stop", profile_process="server")
mx.profiler.dump(profile_process="server")
store.close()
"""


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("profile.json", ["rank0_profile.json"]),
        ("../profile.json", []),
        pytest.param("{folder}/profile.json", [], marks=pytest.mark.long),
    ],
)
def test_a_worker_can_make_a_server_write_a_profile_in_its_own_folder_only(
    name: str, written: list[str], tmp_path: Path
) -> None:
    """ps-lite puts "rank0_" before the name, so that a path to another folder leads nowhere."""
    folder = tmp_path / "server"
    folder.mkdir()
    cluster = Cluster("127.0.0.1", free_port(), 1, node_host="127.0.0.1")
    worker = [sys.executable, "-c", textwrap.dedent(PROFILE), name.format(folder=tmp_path)]
    processes = [
        subprocess.Popen(arguments, env=environment(cluster, role), cwd=folder, stderr=subprocess.PIPE, text=True)
        for role, arguments in (("scheduler", command()), ("server", command()), ("worker", worker))
    ]
    try:
        ended = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [status for _, status in ended] == [0, 0, 0], ended
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [folder / each for each in written]
