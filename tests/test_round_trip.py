"""Workers that are far from each other, and what goes to which server: as docs/benchmarks.md says."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import round_trip
from benchmarks.networks import Networks, can_make_networks
from ctc_ocr.distributed.cluster import Cluster
from tests.clusters import command, environment

pytestmark = pytest.mark.skipif(not can_make_networks(), reason="network namespaces need root and /dev/net/tun")
SIZE = 100_000
SUMS = 10
SUM_AND_WAIT = """
import sys
from ctc_ocr.distributed.cluster import cluster_of
from ctc_ocr.distributed.store import KeyValueStore
from ctc_ocr.runtime.mxnet import mx
size, times = map(int, sys.argv[1:])
store = KeyValueStore(cluster_of()[1])
for _ in range(times):
    vector = mx.nd.ones(size)
    store.sum("vector", vector)
    vector.wait_to_read()
print("done", flush=True)
input()
store.close()
"""


@pytest.mark.long
def test_a_sum_takes_a_round_trip_and_four_times_the_vector() -> None:
    train = [sys.executable, "-c", round_trip.SUM, str(SIZE), str(round_trip.NOT_COUNTED + SUMS)]
    notes = round_trip.noted(train, milliseconds=60, workers=2)
    assert len(notes) == round_trip.NOT_COUNTED + SUMS
    assert 0.06 <= round_trip.seconds_of(notes) < 0.5
    # Each of two workers sends the vector and gets it.
    assert round_trip.bytes_of(notes) / (2 * 2 * 4 * SIZE) == pytest.approx(1, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("bound", [None, 1000])
def test_a_vector_below_the_bound_goes_to_one_server(bound: int | None) -> None:
    """Two servers, each on a machine of its own."""
    with Networks([1, 2, 3]) as networks:
        central, *others = networks.nodes
        cluster = Cluster(central.address, 9100, 1, 2)
        worker = [sys.executable, "-c", SUM_AND_WAIT, str(SIZE), str(SUMS)]
        places = [("scheduler", central, command()), *(("server", node, command()) for node in others)]
        processes = []
        for role, node, arguments in [*places, ("worker", central, worker)]:
            given = {**environment(cluster, role), "DMLC_NODE_HOST": node.address}
            if bound is not None:
                given["MXNET_KVSTORE_BIGARRAY_BOUND"] = str(bound)
            pipe = subprocess.PIPE if role == "worker" else None
            processes.append(node.start(arguments, given, stdin=pipe, stdout=pipe))
        try:
            assert processes[-1].stdout is not None
            assert processes[-1].stdout.readline() == "done\n"
            received = sorted(received_bytes(process.pid) for process in processes[1:3])
            processes[-1].communicate("\n", timeout=60)
            assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
        finally:
            for process in processes:
                process.kill()
    whole = 4 * SIZE * (SUMS + 1)  # one more to begin with
    if bound is None:
        assert received[0] < 0.1 * whole
        assert received[1] > whole
    else:
        assert all(0.5 * whole < each < 0.6 * whole for each in received)


def received_bytes(pid: int) -> int:
    """Bytes that have come to the machine of a process."""
    lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()
    (fields,) = [line.split() for line in lines if line.strip().startswith("tun0:")]
    return int(fields[1])
