"""ctc-ocr info: versions, what MXNet was built with, and what is missing on this machine.

It needs no more than the base package.
"""

import argparse
import importlib.metadata
import os
import platform

from ctc_ocr.cli.arguments import Parser, add_version
from ctc_ocr.cli.running import run
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.threads import available_cores
from ctc_ocr.version import __version__

PROG = "ctc-ocr info"
PACKAGES = (
    "numpy",
    "numba",
    "opencv-python-headless",
    "captcha",
    "pillow",
    "RapidFuzz",
    "cloudpickle",
    "tqdm",
)
EXTRAS = {
    "mxnet": "cpu",
    "mxnet-cu112": "cu112",
    "paddlepaddle": "warpctc",
    "nltk": "lm",
    "tensorboardX": "tensorboard",
    "matplotlib": "plots",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "fastapi": "serve",
    "uvicorn": "serve",
    "python-multipart": "serve",
    "prometheus-client": "serve",
}


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 2 if MXNet cannot be used."""
    return run(PROG, _info, argv, parser)


def parser() -> argparse.ArgumentParser:
    made = Parser(prog=PROG, description="Versions, MXNet's features, threads, GPUs.")
    add_version(made)
    return made


def _info(argv: list[str]) -> int:
    parser().parse_args(argv)
    _row("ctc_ocr", __version__)
    _row("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    _row("cores", str(available_cores()))
    _row("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "not set; the commands set it, see their --cpu"))
    for name in PACKAGES:
        _row(name, _version(name) or "not installed")
    for name, extra in EXTRAS.items():
        _row(name, _version(name) or f"not installed (extra [{extra}])")
    try:
        _print_mxnet()
        _print_warpctc()
    except InputError as error:
        _row("MXNet", f"cannot be used: {error}")
        return error.exit_status
    return 0


def _print_mxnet() -> None:
    from ctc_ocr.runtime.devices import gpu_count
    from ctc_ocr.runtime.mxnet import mx

    features = mx.runtime.Features()
    _row("MXNet", mx.__version__)
    _row("features", ", ".join(sorted(name for name in features if features.is_enabled(name))))
    if features.is_enabled("CUDA"):
        _row("GPUs", str(gpu_count()))
    else:
        _row("GPUs", "0: this MXNet was built without CUDA; the extra [cu112] has the one with it")


def _print_warpctc() -> None:
    from ctc_ocr.losses import warpctc_library

    try:
        _row("warp-ctc", "{} (found by {})".format(*warpctc_library.find()))
    except InputError as error:
        _row("warp-ctc", f"missing, so --loss warpctc cannot be used: {error}")


def _row(name: str, value: str) -> None:
    print(f"{name + ':':<24}{value}")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
