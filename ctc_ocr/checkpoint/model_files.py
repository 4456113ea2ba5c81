"""The three files of a model, PREFIX.json, PREFIX-symbol.json and PREFIX-0001.params: saved, and loaded with every part
checked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ctc_ocr.checkpoint import symbol_json
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.params_file import params_content, parse_params
from ctc_ocr.checkpoint.run_files import Epoch, description_path, existing_epoch, params_path, symbol_path
from ctc_ocr.checkpoint.stored_model import DESCRIPTION, PARAMS, SYMBOL, StoredModel, StoredRun
from ctc_ocr.config.architectures import LAST_LAYER
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.atomic_files import replace_content
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.mxnet_errors import reason_of
from ctc_ocr.runtime.types import MXArray, Symbol


@dataclass(frozen=True)
class Checkpoint:
    """A model as it was loaded. `model` is None if there is no PREFIX.json, as with MXNet's own example.

    `symbol` is the whole stored symbol, or, if that has operators which this MXNet does not know, the part up to the
    output of the last layer, pred_fc. The parameters are {name: array} on the CPU.
    """

    symbol: Symbol
    arg_params: dict[str, MXArray]
    aux_params: dict[str, MXArray]
    model: Model | None
    stored: StoredModel

    @property
    def epoch(self) -> int:
        return self.stored.epoch

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
    save_description(prefix, model)
    replace_content(symbol_path(prefix), symbol.tojson().encode("utf-8"))
    path = params_path(prefix, epoch)
    replace_content(path, params_content(named))
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
    description = stored.read(DESCRIPTION)
    model = None if description is None else Model.from_json(description, stored.where(DESCRIPTION))
    arguments, auxiliary = _load_params(stored.read(PARAMS) or b"", stored.where(PARAMS))
    symbol = _load_symbol(stored.read(SYMBOL) or b"", stored.where(SYMBOL))
    return Checkpoint(symbol, arguments, auxiliary, model, stored)


def _load_params(content: bytes, path: Path) -> tuple[dict[str, MXArray], dict[str, MXArray]]:
    found: dict[str, dict[str, MXArray]] = {"arg": {}, "aux": {}}
    for prefixed, array in parse_params(content, path).items():
        kind, _, name = prefixed.partition(":")
        if kind not in found or not name:
            raise InputError(f"{prefixed!r} is not the name of a parameter; expected arg:NAME or aux:NAME", path)
        if not np.isfinite(array).all():
            raise InputError(f"{name} has values that are not finite numbers", path)
        found[kind][name] = mx.nd.array(array, dtype=array.dtype)
    return found["arg"], found["aux"]


def _load_symbol(encoded: bytes, path: Path) -> Symbol:
    """The stored symbol, or the part up to the last layer if the rest has unknown operators."""
    try:
        graph = symbol_json.parse(encoded)
        try:
            return _to_symbol(graph)
        except mx.base.MXNetError as error:
            head = symbol_json.find(graph, LAST_LAYER)
            if head is None:
                raise InputError(
                    f"has no layer {LAST_LAYER}, and MXNet cannot load this symbol: {reason_of(error)}"
                ) from None
        try:
            return _to_symbol(symbol_json.cut(graph, head))
        except mx.base.MXNetError as error:
            raise InputError(f"MXNet cannot load this symbol: {reason_of(error)}") from None
    except InputError as error:
        raise error.within(path) from None


def _to_symbol(graph: symbol_json.Graph) -> Symbol:
    """Load a graph as one of this MXNet's version: of any other version, MXNet prints notices on stderr.

    The conversions that this skips are for operators of MXNet before 0.9.5, which no network of this package has.
    """
    attributes = json.loads(mx.sym.Variable("data").tojson())["attrs"]
    return mx.sym.load_json(json.dumps({**graph, "attrs": attributes}))
