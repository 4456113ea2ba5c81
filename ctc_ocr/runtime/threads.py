"""Settings that MXNet and OpenMP read when they are loaded, so they must be made before MXNet is imported."""

import os


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_threads(count: int) -> None:
    """Let MXNet, OpenMP and BLAS use `count` threads: more of them than cores make everything many times slower.

    Also keeps MXNet from saying at each bind that it uses oneDNN.
    """
    for name in ("OMP_NUM_THREADS", "MXNET_OMP_MAX_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(count)
    os.environ.setdefault("MXNET_SUBGRAPH_VERBOSE", "0")
