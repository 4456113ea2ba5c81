"""A training worker that was started by another program, on this machine or on several: `--kv_store dist_sync`."""

import json
import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from ctc_ocr.distributed.cluster import HEARTBEAT_SECONDS, LOST_SECONDS, cluster_of
from ctc_ocr.distributed.store import KeyValueStore
from ctc_ocr.errors import InputError
from ctc_ocr.training.run_data import TrainingData
from ctc_ocr.training.store_workers import StoreWorkers

log = logging.getLogger(__name__)


@contextmanager
def joined_cluster(batch_size: int) -> Iterator[StoreWorkers]:
    """This worker, when all others have come. The cluster is that of the environment variables.

    If a process of the cluster is lost, this one ends with status 1: it waits inside MXNet for a sum that never comes.
    Raises InputError for variables that are missing or wrong, and for more workers than samples of a batch.
    """
    role, cluster = cluster_of()
    if role != "worker":
        raise InputError(f"a {role} does not train: ctc_ocr.serve_cluster runs it", "DMLC_ROLE")
    if cluster.num_workers > batch_size:
        raise InputError(f"{cluster.num_workers} are more than the {batch_size} samples of a batch", "DMLC_NUM_WORKER")
    log.info("Waiting for %d workers and %d servers at %s", cluster.num_workers, cluster.num_servers, cluster.address)
    store = KeyValueStore(cluster, lost=_end)
    log.info("Worker %d of %d", store.rank + 1, store.num_workers)
    workers = StoreWorkers(store, batch_size)
    try:
        yield workers
    except BaseException:
        store.abandon()
        raise
    workers.leave()


def _end() -> None:
    log.error(
        "Lost the scheduler, which ends when it has missed a worker or a server for %d s: ending. Start all again; "
        "--resume goes on from the newest checkpoint, if there is one",
        LOST_SECONDS + HEARTBEAT_SECONDS,
    )
    os._exit(1)


def check_agreement(workers: StoreWorkers, data: TrainingData) -> None:
    """Raises InputError if this worker has other hyperparameters or other images than the first one."""
    settings = data.hyperparameters.to_dict()
    parts = {
        "hyperparameters": json.dumps(settings, sort_keys=True),
        "alphabet": repr(data.alphabet.units),
        "images": data.fingerprint,
    }
    checksums = {name: zlib.crc32(text.encode("utf-8", "surrogateescape")) for name, text in parts.items()}
    for name, own in checksums.items():
        if workers.of_first(own) != own:
            raise InputError("not the same as those of the first worker: all workers need the same", name)
