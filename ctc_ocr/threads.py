"""How many threads the compiled libraries may use. More of them than cores make everything many times slower."""

import os


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_threads(count: int) -> None:
    """Let MXNet, OpenMP and BLAS use `count` threads. Only has an effect before MXNet is imported."""
    for name in ("OMP_NUM_THREADS", "MXNET_OMP_MAX_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(count)
