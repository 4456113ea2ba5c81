"""A training whose workers are far from each other: `python -m benchmarks.round_trip [--milliseconds 0 50] [...]`.

Scheduler and server are on one machine, each worker on another; the machines are network namespaces of this one, so all
share its cores. For each round trip: the time of an update, beside one process that trains alone (generation and
metrics included, without validation); the time to sum a vector of all parameters and nothing else, which other load on
the machine changes less; and bytes on the wire for each update. Times are medians. Needs root, and Linux.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import ctc_ocr
from benchmarks.common import figure, table
from benchmarks.networks import MTU, Networks, Node, can_make_networks
from ctc_ocr.checkpoint.model_files import load
from ctc_ocr.distributed.cluster import Cluster

PORT = 9100
NOT_COUNTED = 10  # updates at the start
BYTES_OF_NUMBER = 4  # float32
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MXNET_OMP_MAX_THREADS": "1"}
TRAIN = """
import sys
import ctc_ocr
from ctc_ocr.training.events import BatchEnd
preset, prefix, updates, kv_store = sys.argv[1:]
size = ctc_ocr.preset(preset).training.batch_size
settings = ctc_ocr.preset(preset, training={
    "num_epoch": 1, "samples_per_epoch": int(updates) * size, "validation_samples": 16, "stop_patience": 0,
})
def note(event):
    if isinstance(event, BatchEnd):
        print("update", flush=True)
ctc_ocr.train(settings, None, prefix, [note], cpu=1, num_proc=1, progress=False, kv_store=kv_store or None)
"""


SUM = """
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
    if store.rank == 0:
        print("sum", flush=True)
store.close()
"""


@dataclass(frozen=True)
class Note:
    """When a line was printed, in seconds, and how many bytes had been sent between the machines."""

    seconds: float
    num_bytes: int


def trained(
    preset: str, updates: int, milliseconds: float | None, workers: int = 2, mtu: int = MTU
) -> tuple[list[Note], int]:
    """A note after each update, and the number of parameters. `milliseconds`: the round trip; None: one process that
    trains alone."""
    with tempfile.TemporaryDirectory(prefix="ctc_ocr-round_trip-") as folder:
        command = [sys.executable, "-c", TRAIN, preset, f"{folder}/ocr", str(updates)]
        if milliseconds is None:
            with subprocess.Popen([*command, ""], env=ENVIRONMENT, text=True, stdout=subprocess.PIPE) as process:
                notes = [Note(time.monotonic(), 0) for _ in process.stdout or ()]
        else:
            notes = noted([*command, "dist_sync"], milliseconds, workers, mtu)
        parameters = sum(each.size for each in load(f"{folder}/ocr", 1).arg_params.values())
    return notes, parameters


def noted(train: Sequence[str], milliseconds: float, workers: int, mtu: int = MTU) -> list[Note]:
    """A note for each line that the workers print. Raises RuntimeError if a process fails."""
    reading, writing = os.pipe()
    serve = [sys.executable, "-m", "ctc_ocr", "train", "--kv_store=dist_sync"]
    with Networks(range(1, workers + 2), milliseconds / 2000, mtu) as networks:
        central, *others = networks.nodes
        cluster = Cluster(central.address, PORT, workers)
        processes = [_start(central, serve, cluster, role, writing) for role in ("scheduler", "server")]
        processes += [_start(node, train, cluster, "worker", writing) for node in others]
        os.close(writing)
        try:
            with os.fdopen(reading) as lines:
                notes = [Note(time.monotonic(), networks.num_bytes) for _ in lines]
            if any(process.wait(60) for process in processes):
                raise RuntimeError("a process of the cluster failed")
        finally:
            for process in processes:
                process.kill()
                process.wait()
    return notes


def seconds_of(notes: Sequence[Note]) -> float:
    """The median time from one line to the next, without the first ones."""
    counted = notes[NOT_COUNTED:]
    return statistics.median(after.seconds - before.seconds for before, after in pairwise(counted))


def bytes_of(notes: Sequence[Note]) -> float:
    """The median number of bytes from one line to the next, without the first ones: a line that is read late moves
    bytes from one difference to the next."""
    counted = notes[NOT_COUNTED:]
    return statistics.median(after.num_bytes - before.num_bytes for before, after in pairwise(counted))


def _start(node: Node, command: Sequence[str], cluster: Cluster, role: str, output: int) -> "subprocess.Popen[str]":
    environment = {**ENVIRONMENT, **cluster.environment(role), "DMLC_NODE_HOST": node.address}
    return node.start(command, environment, stdout=output)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.round_trip", description="A training over slow networks.")
    parser.add_argument("--milliseconds", nargs="+", type=float, default=[0, 5, 20, 50, 100], help="round trips")
    parser.add_argument("--preset", default="crnn", help="of captchas (default: crnn)")
    parser.add_argument("--workers", type=int, default=2, help="default: 2")
    parser.add_argument("--updates", type=int, default=60, help="of each training (default: 60)")
    parser.add_argument("--sums", type=int, default=30, help="without training (default: 30)")
    parser.add_argument("--mtu", type=int, default=MTU, help=f"bytes of the largest packet (default: {MTU})")
    options = parser.parse_args(argv)
    if not can_make_networks():
        parser.error("network namespaces need root and /dev/net/tun")
    print(f"Load of the machine before: {os.getloadavg()[0]:.1f}\n", flush=True)
    size = ctc_ocr.preset(options.preset).training.batch_size
    alone, parameters = trained(options.preset, options.updates, None)
    rows = [_row("one process", size, alone, [], parameters)]
    for each in options.milliseconds:
        notes, _ = trained(options.preset, options.updates, each, options.workers, options.mtu)
        summing = [sys.executable, "-c", SUM, str(parameters), str(NOT_COUNTED + options.sums + 1)]
        sums = noted(summing, each, options.workers, options.mtu)
        rows.append(_row(f"{options.workers} workers, {each:g} ms", size, notes, sums, parameters))
        print(rows[-1], file=sys.stderr, flush=True)
    print(f"{parameters:,} parameters, {BYTES_OF_NUMBER * parameters / 1e6:.2f} MB\n")
    print(table(("training", "speed", "an update", "a sum alone", "bytes per update", "beside the parameters"), rows))
    return 0


def _row(name: str, batch_size: int, notes: Sequence[Note], sums: Sequence[Note], parameters: int) -> list[str]:
    seconds = seconds_of(notes)
    row = [name, f"{figure(batch_size / seconds)} samples/s", f"{figure(1000 * seconds)} ms"]
    if not sums:
        return [*row, "", "", ""]
    sent = bytes_of(notes)
    return [
        *row, f"{figure(1000 * seconds_of(sums))} ms", f"{sent / 1e6:.2f} MB",
        f"{sent / (BYTES_OF_NUMBER * parameters):.2f}x",
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
