"""The one door to MXNet: import it with `from ctc_ocr.runtime.mxnet import mx`.

MXNet 1.9.1 was made for older NumPy and Python: while it is imported it reads `numpy.bool`, which NumPy 1.24 took
away, and `distutils`, which Python 3.12 took away. What is set here for the import is taken back after it.
"""

import importlib.util
import os
import platform
import sys

import numpy as np

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.cuda_libraries import preload_cuda_libraries
from ctc_ocr.runtime.mxnet_import import quick_import
from ctc_ocr.runtime.types import MXNet

INSTALL_HINT = "install one of the extras: pip install 'ctc_ocr[cpu]', or 'ctc_ocr[cu112]' for a GPU"
PYTHONS = ((3, 10), (3, 11), (3, 12))
WHEELS = (("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64"))  # what platform.system and .machine give
SYSTEMS = {"Darwin": "macOS"}
ROLE = "DMLC_ROLE"  # of a process in a distributed training


def _import() -> MXNet:
    if importlib.util.find_spec("mxnet") is None:
        raise InputError(why_missing(sys.version_info[:2], platform.system(), platform.machine()))
    if int(np.__version__.partition(".")[0]) > 1:
        raise InputError(f"MXNet 1.9.1 needs NumPy 1, and NumPy {np.__version__} is installed; {INSTALL_HINT}")
    # With the role of a server, the import would serve and not return; see ctc_ocr.distributed.server.
    role = os.environ.pop(ROLE, None)
    borrowed = "bool" not in vars(np)
    if borrowed:
        np.bool = bool  # type: ignore[attr-defined]
    try:
        preload_cuda_libraries()
        with quick_import():
            import mxnet
    except OSError as error:
        raise InputError(f"MXNet is installed but its library does not load: {error}{_remedy(str(error))}") from None
    except ImportError as error:
        raise InputError(f"MXNet is installed but cannot be imported: {error}; {INSTALL_HINT}") from None
    finally:
        if borrowed:
            del np.bool  # type: ignore[attr-defined]
        if role is not None:
            os.environ[ROLE] = role
    return mxnet


def why_missing(python: tuple[int, int], system: str, machine: str) -> str:
    """Why MXNet is not installed on a machine, and what to do about it."""
    if python > PYTHONS[-1]:
        names = [f"{major}.{minor}" for major, minor in PYTHONS]
        return (
            f"MXNet is not installed: it needs NumPy 1, which does not exist for Python {python[0]}.{python[1]}. "
            f"Use Python {_listed(names, 'or')}"
        )
    if (system, machine) not in WHEELS:
        names = [f"{SYSTEMS.get(each, each)} {kind}" for each, kind in WHEELS]
        return (
            f"MXNet is not installed: it has no wheel for {SYSTEMS.get(system, system)} {machine}. "
            f"There are wheels for {_listed(names, 'and')}"
        )
    return f"MXNet is not installed; {INSTALL_HINT}"


def _listed(names: list[str], last: str) -> str:
    """ "a, b or c"."""
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def _remedy(error: str) -> str:
    if "libgomp" in error:
        return "; on Debian: apt-get install libgomp1"
    if "libcuda.so" in error:
        return "; libcuda.so.1 comes with the NVIDIA driver: on a machine without one, use the extra [cpu]"
    return "; the CUDA libraries come with the extra [cu112]" if "libcu" in error or "libnv" in error else ""


# MXNet would print on stderr, at each bind, that it uses oneDNN. It reads this at the first bind.
os.environ.setdefault("MXNET_SUBGRAPH_VERBOSE", "0")
# Buffers that operators share on a CPU. With more than one, each grows to the size of the largest.
os.environ.setdefault("MXNET_CPU_TEMP_COPY", "1")
mx: MXNet = sys.modules["mxnet"] if "mxnet" in sys.modules else _import()
