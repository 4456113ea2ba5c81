"""The scheduler or a server of a key-value store.

Only MXNet's library is loaded, without its Python package: in a tenth of a second and 70 MB in place of two seconds and
160 MB. Importing the package in such a process would serve by itself, and its server unpickles what workers send.
"""

import ctypes
import importlib.util
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from ctc_ocr.distributed.cluster import CHECK_SECONDS, CHECKS, LOST_SECONDS, Cluster, cluster_of
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.runtime.cuda_libraries import preload_cuda_libraries
from ctc_ocr.runtime.mxnet_errors import reason_of
from ctc_ocr.runtime.threads import set_threads

SCHEDULER, SERVERS, WORKERS = 1, 2, 4  # groups of processes, which are added up (ps-lite, base.h)
Controller = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)

log = logging.getLogger(__name__)


def is_server() -> bool:
    """Whether this process is a server or the scheduler, by the environment variables. Raises InputError if one is
    missing."""
    return cluster_of()[0] != "worker"


def serve_cluster() -> None:
    """Be what the environment variables say, a server or the scheduler, until all workers have left.

    Raises InputError for variables that are missing or wrong, and if this process is to be a worker.
    """
    role, cluster = cluster_of()
    if role == "worker":
        raise InputError("expected server or scheduler; a worker trains", "DMLC_ROLE")
    log.info("Being the %s of a cluster of %d workers at %s", role, cluster.num_workers, cluster.address)
    set_threads(1)
    serve(cluster, role)


def serve(cluster: Cluster, role: str) -> None:
    """Be the scheduler or a server until all workers have left, or one of the processes is lost: then this one ends,
    and those that miss it end too.

    Raises RunError if the address cannot be used or MXNet's library fails otherwise.
    """
    os.environ.update(cluster.environment(role))
    library = _library()
    handle = ctypes.c_void_p()
    _check(library, library.MXKVStoreCreate(b"dist_sync", ctypes.byref(handle)))
    # The scheduler gets signs of life from all; a server gets the scheduler's answers.
    watched = WORKERS + SERVERS if role == "scheduler" else SCHEDULER
    threading.Thread(target=_watch, args=(library, handle, watched), name="watch_cluster", daemon=True).start()
    controller = Controller(_refuse)
    _check(library, library.MXKVStoreRunServer(handle, controller, None))


def _library() -> Any:
    """libmxnet.so through ctypes."""
    spec = importlib.util.find_spec("mxnet")
    folders = list(spec.submodule_search_locations or []) if spec else []
    path = next((each for each in (Path(folder) / "libmxnet.so" for folder in folders) if each.is_file()), None)
    if path is None:
        raise RunError("libmxnet.so is not where MXNet is installed")
    try:
        preload_cuda_libraries()
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise RunError(f"libmxnet.so does not load: {error}") from None
    library.MXGetLastError.restype = ctypes.c_char_p
    return library


def _check(library: Any, status: int) -> None:
    if status:
        message = (library.MXGetLastError() or b"").decode("utf-8", "replace").strip()
        raise RunError(f"MXNet's key-value store failed: {reason_of(message) if message else status}")


def _refuse(command: int, body: bytes, _: object) -> None:
    """Commands of workers. MXNet's own server takes one as a pickled optimizer, which could run anything."""
    log.warning("A worker sent the command %d, which is refused: the optimizer runs on the workers", command)


def _watch(library: Any, handle: ctypes.c_void_p, group: int) -> None:
    """End when a process of the group has been silent for too long."""
    lost, times = ctypes.c_int(), 0
    while True:
        time.sleep(CHECK_SECONDS)
        library.MXKVStoreGetNumDeadNode(handle, group, ctypes.byref(lost), LOST_SECONDS)
        times = times + 1 if lost.value else 0
        if times >= CHECKS:
            log.error("Lost %s: ending", "the scheduler" if group == SCHEDULER else "a worker or a server")
            os._exit(1)
