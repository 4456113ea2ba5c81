"""Packaging: what pip installs, and which machines it refuses."""

import platform
import re
import sys
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
MXNET_PLATFORMS = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64")}


def refuse_machines_without_mxnet() -> None:
    """MXNet 1.9.1 is the last release: say what is missing here instead of failing while its wheel is looked for."""
    if not (3, 10) <= sys.version_info[:2] <= (3, 12):
        raise SystemExit(
            f"ctc_ocr: Python {platform.python_version()} is not supported: MXNet 1.9.1 needs NumPy 1.x, "
            "which Python 3.13 and newer do not have. Use Python 3.10, 3.11 or 3.12."
        )
    here = (platform.system(), platform.machine())
    if here not in MXNET_PLATFORMS:
        accepted = ", ".join(" ".join(each) for each in sorted(MXNET_PLATFORMS))
        raise SystemExit(
            f"ctc_ocr: there is no MXNet 1.9.1 wheel for {' '.join(here)}. There are wheels for: {accepted}."
        )


def version() -> str:
    text = (HERE / "ctc_ocr" / "version.py").read_text(encoding="utf-8")
    return re.search(r'__version__ = "(.+)"', text).group(1)


refuse_machines_without_mxnet()

CPU = ["mxnet==1.9.1"]
# mxnet-cu112 is linked against these CUDA 11 libraries and brings none of them.
CU112 = [
    "mxnet-cu112==1.9.1",
    "nvidia-cublas-cu11",
    "nvidia-cuda-nvrtc-cu11",
    "nvidia-cuda-runtime-cu11",
    "nvidia-cudnn-cu11<9",
    "nvidia-cufft-cu11",
    "nvidia-curand-cu11",
    "nvidia-cusolver-cu11",
    "nvidia-cusparse-cu11",
    "nvidia-nccl-cu11",
    "nvidia-nvtx-cu11",
]
# Only for the compiled libwarpctc.so in it, which is loaded without importing paddle.
WARPCTC = ["paddlepaddle>=3,<4"]
# Character n-gram language models for beam search.
LM = ["nltk>=3.8"]
TENSORBOARD = ["tensorboardX>=2.6"]
# Two of the CUDA wheels, the smallest: how they are found and loaded is tested without a GPU.
CUDA_TEST = ["nvidia-cuda-runtime-cu11", "nvidia-nvtx-cu11"]
CHECKS = ["jiwer>=3,<5", "mypy>=1.10", "pytest>=8", "pytest-timeout", "ruff>=0.6"]
TEST = [*CPU, *WARPCTC, *LM, *TENSORBOARD, *CUDA_TEST, *CHECKS]

setup(
    name="ctc_ocr",
    version=version(),
    description="Train CTC text recognisers on Apache MXNet: captchas, lines of text, characters",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["ctc_ocr", "ctc_ocr.*"]),
    python_requires=">=3.10,<3.13",
    install_requires=[
        "captcha>=0.7.1,<0.8",
        "fonttools>=4.40",
        "numba>=0.59",
        "numpy>=1.23.5,<2",
        "opencv-python-headless>=4.8,<4.12",  # later ones want NumPy 2
        "pillow>=10.1",
        "RapidFuzz>=3.6",
        "setuptools",  # MXNet imports distutils, which Python 3.12 no longer has
        "tqdm>=4.60",
    ],
    extras_require={
        "cpu": CPU,
        "cu112": CU112,
        "warpctc": WARPCTC,
        "lm": LM,
        "tensorboard": TENSORBOARD,
        "test": TEST,
        "dev": [*TEST, "pyinstrument"],
    },
    entry_points={
        "console_scripts": [
            "ctc-ocr = ctc_ocr.cli.main:main",
            "lstm_ocr_train = ctc_ocr.cli.train:main",
            "lstm_ocr_infer = ctc_ocr.cli.infer:main",
            "captcha_generator = ctc_ocr.cli.generate:main",
        ]
    },
)
