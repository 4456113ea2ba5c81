"""The models of a server, by name."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ctc_ocr.checkpoint.run_files import BUNDLE_SUFFIX, ONNX_SUFFIX, is_bundle, is_onnx
from ctc_ocr.checkpoint.starter import model_to_read
from ctc_ocr.errors import InputError, list_of, refuse_single
from ctc_ocr.inference.batch_rows import BATCH_SIZE
from ctc_ocr.inference.predictor import Predictor

PARAMS_SUFFIX = ".params"
NAME = re.compile(r"[\w.\-]+")
NAMED = re.compile(rf"(?P<name>{NAME.pattern})=(?P<model>.+)", re.DOTALL)
ONNX_BATCH_SIZE = 16  # larger batches no longer fit into the processor's caches
BLANK = np.full((32, 64), 255, np.uint8)


@dataclass(frozen=True)
class ServedModel:
    """A model and the name by which requests ask for it."""

    name: str
    predictor: Predictor

    @property
    def format(self) -> str:
        """onnx, bundle or checkpoint."""
        prefix = str(self.predictor.prefix)
        if is_onnx(prefix):
            return "onnx"
        return "bundle" if is_bundle(prefix) else "checkpoint"

    @property
    def parallel(self) -> bool:
        """Whether several threads can run its network at once."""
        return self.format == "onnx"

    def described(self) -> dict[str, object]:
        """What requests are told about it."""
        return {
            "name": self.name,
            "architecture": self.predictor.hyperparameters.network.architecture,
            "alphabet": list(self.predictor.alphabet.units),
            "epoch": self.predictor.epoch,
            "format": self.format,
        }


def load_models(given: Iterable[str], batch_size: int | None = None) -> list[ServedModel]:
    """The models of `given`, each MODEL or NAME=MODEL, where MODEL is what `Predictor` takes. Without a name, it is
    that of the file, without its suffix. batch_size: None for what is fastest.

    Raises InputError for a model that cannot be loaded, a name twice, and a name that is not letters, digits, `.`, `_`
    and `-`.
    """
    refuse_single(given, "given")
    named = [_named(each) for each in list_of(str, given, "given")]
    names: set[str] = set()
    for name, model in named:
        if not NAME.fullmatch(name):
            raise InputError(f"{name!r} cannot be a name; give another one: NAME={model}", model)
        if name in names:
            raise InputError(f"another model is named {name} too; give one of them another name: NAME={model}", model)
        names.add(name)
    return [ServedModel(name, _predictor(model, batch_size)) for name, model in named]


def _named(given: str) -> tuple[str, str]:
    """(name, model). A path that exists is a path, whatever is in it."""
    match = None if Path(given).exists() else NAMED.fullmatch(given)
    if match:
        return match["name"], match["model"]
    name = Path(given).name
    for suffix in (ONNX_SUFFIX, BUNDLE_SUFFIX, PARAMS_SUFFIX):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
            break
    return name, given


def _predictor(model: str, batch_size: int | None) -> Predictor:
    fastest = ONNX_BATCH_SIZE if is_onnx(model_to_read(model)) else BATCH_SIZE
    made = Predictor(model, batch_size=batch_size or fastest)
    made.read(BLANK)  # the first one takes longer, and says whether it can read at all
    return made
