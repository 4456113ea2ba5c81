"""The model that comes with the package: letters and digits as captchas, plates and prints show them.

How it was made is in starter/README.md. It is a bundle.
"""

import importlib.util
from pathlib import Path

STARTER = "starter"  # the name by which a model is asked for
NO_MODEL = "none"


def starter_path() -> Path:
    return Path(__file__).parent.parent / "models" / "starter.zip"


def starter_onnx_path() -> Path:
    """The same model as an ONNX file, for where there is no MXNet."""
    return starter_path().with_suffix(".onnx")


def model_to_read(model: str | Path) -> str | Path:
    """What is read where this model is asked for: itself, but without MXNet the starter's ONNX file."""
    is_other = str(model) != STARTER or importlib.util.find_spec("mxnet") is not None
    return model if is_other else starter_onnx_path()
