"""The three files of a model, PREFIX.json, PREFIX-symbol.json and PREFIX-0001.params: saved, and loaded with every part
checked. The symbol is for other programs: here, the network is built from PREFIX.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.example_symbol import example_steps
from ctc_ocr.checkpoint.params_file import params_content, parse_params
from ctc_ocr.checkpoint.run_files import Epoch, description_path, existing_epoch, params_path, symbol_path
from ctc_ocr.checkpoint.stored_model import DESCRIPTION, PARAMS, SYMBOL, StoredModel, StoredRun, stored_description
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.atomic_files import replace_content, replacing_content
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import MXArray, Symbol

MAX_AXES = 8  # no parameter of a network has more


@dataclass(frozen=True)
class Checkpoint:
    """A model as it was loaded. `model` is None if there is no PREFIX.json, as with MXNet's own example.

    The parameters are {name: array} on the CPU.
    """

    arg_params: dict[str, MXArray]
    aux_params: dict[str, MXArray]
    model: Model | None
    stored: StoredModel

    @property
    def epoch(self) -> int:
        return self.stored.epoch

    def example_steps(self) -> int:
        """The time steps of MXNet's example, by its symbol. Raises InputError if that is of something else."""
        content = self.stored.read(SYMBOL)
        try:
            return example_steps(content or b"")
        except InputError as error:
            raise error.within(self.symbol_file) from None

    @property
    def params_file(self) -> Path:
        return self.stored.where(PARAMS)

    @property
    def symbol_file(self) -> Path:
        return self.stored.where(SYMBOL)

    @property
    def description_file(self) -> Path:
        return self.stored.where(DESCRIPTION)


def save(
    prefix: str | Path,
    epoch: int,
    symbol: Symbol,
    arg_params: Mapping[str, MXArray],
    aux_params: Mapping[str, MXArray],
    model: Model,
) -> Path:
    """Write the three files, the .params last, and return its path. Raises RunError if one cannot be written.

    Each file is replaced as a whole, when what was written could be read back: a crash leaves the older one.
    """
    named = {f"arg:{name}": array.asnumpy() for name, array in arg_params.items()}
    named.update({f"aux:{name}": array.asnumpy() for name, array in aux_params.items()})
    path = params_path(prefix, epoch)
    # The largest file is on disk before any other is replaced: a full disk leaves the files of an earlier run together.
    with replacing_content(path, params_content(named)):
        save_description(prefix, model)
        # With remove_amp_cast, MXNet 1.9 leaks a copy of the symbol at each call.
        replace_content(symbol_path(prefix), symbol.tojson(remove_amp_cast=False).encode("utf-8"))
    return path


def save_description(prefix: str | Path, model: Model) -> None:
    """Write PREFIX.json. Raises RunError if it cannot be written."""
    replace_content(description_path(prefix), model.to_json().encode("utf-8"))


def load(prefix: str | Path, epoch: Epoch | None = None) -> Checkpoint:
    """Load an epoch of a run: its number, or see `existing_epoch`.

    Raises InputError if there is no such prefix or epoch, or if a file is broken.
    """
    prefix = str(prefix)
    return load_stored(StoredRun(prefix, existing_epoch(prefix, epoch)))


def load_stored(stored: StoredModel) -> Checkpoint:
    """Load a model from a run or a bundle. Raises InputError if one of its parts is missing or broken."""
    model = stored_description(stored)
    arguments, auxiliary = _load_params(stored.read(PARAMS) or b"", stored.where(PARAMS))
    return Checkpoint(arguments, auxiliary, model, stored)


def _load_params(content: bytes, path: Path) -> tuple[dict[str, MXArray], dict[str, MXArray]]:
    found: dict[str, dict[str, MXArray]] = {"arg": {}, "aux": {}}
    for prefixed, array in parse_params(content, path).items():
        kind, _, name = prefixed.partition(":")
        if kind not in found or not name:
            raise InputError(f"{prefixed!r} is not the name of a parameter; expected arg:NAME or aux:NAME", path)
        if not array.size or array.ndim > MAX_AXES or array.dtype.kind != "f":
            shape = "x".join(map(str, array.shape[:MAX_AXES]))
            raise InputError(f"{name} is {array.dtype} of the shape ({shape}); expected numbers with a fraction", path)
        with np.errstate(over="ignore"):
            values = array.astype(np.float32)  # networks compute with nothing else
        if not np.isfinite(values).all():
            raise InputError(f"{name} has values that are not finite numbers", path)
        found[kind][name] = mx.nd.array(values, dtype=np.float32)
    return found["arg"], found["aux"]
