"""CUDA libraries that came as PyPI wheels, loaded before MXNet's own library, which needs them."""

import ctypes
import importlib.util
from pathlib import Path

# In this order, each before those that need it; the wheels put them below nvidia/*/lib.
CUDA_LIBRARIES = (
    "libcudart.so.11.0",
    "libnvrtc.so.11.2",
    "libnvToolsExt.so.1",
    "libcublasLt.so.11",
    "libcublas.so.11",
    "libcufft.so.10",
    "libcurand.so.10",
    "libcusparse.so.11",
    "libcusolver.so.11",
    "libcudnn.so.8",
    "libnccl.so.2",
)


def _wheel_library(name: str) -> Path | None:
    """The file of a CUDA library that came as an nvidia-*-cu11 wheel, if it did."""
    spec = importlib.util.find_spec("nvidia")
    roots = list(spec.submodule_search_locations or []) if spec else []
    return next((path for root in roots for path in sorted(Path(root).glob(f"*/lib/{name}"))), None)


def preload_cuda_libraries() -> list[str]:
    """Load those CUDA libraries that are installed as wheels, so that MXNet's own library finds them.

    Returns the names of those that were loaded; the others are left to the system's loader.
    """
    loaded = []
    for name in CUDA_LIBRARIES:
        path = _wheel_library(name)
        if path is not None:
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
            loaded.append(name)
    return loaded
