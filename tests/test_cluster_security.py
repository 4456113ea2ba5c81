"""What a peer can make a server of the key-value store do, as docs/security.md says."""

import sys
import textwrap
from pathlib import Path

import pytest

from tests.clusters import Started

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
    name: str, written: list[str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """ps-lite puts "rank0_" before the name, so that a path to another folder leads nowhere."""
    folder = tmp_path / "server"
    folder.mkdir()
    worker = [sys.executable, "-c", textwrap.dedent(PROFILE), name.format(folder=tmp_path)]
    with Started([worker], tmp_path_factory.mktemp("logs"), folder) as cluster:
        ended = cluster.ends()
    assert [status for status, _ in ended] == [0, 0, 0], ended
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [folder / each for each in written]
