"""A model's files: written, and read with every part checked, wherever they came from.

Each file is written under a temporary name and then renamed, so that a crash leaves the older files whole.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ctc_ocr.checkpoint import symbol_json
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.params_file import read_params
from ctc_ocr.checkpoint.run_files import description_path, epochs, params_path, symbol_path
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.text_files import read_bytes
from ctc_ocr.runtime.types import MXArray, Symbol

LAST_LAYER = "pred_fc"


@dataclass(frozen=True)
class Checkpoint:
    """A model as it was read. `model` is None where no PREFIX.json is beside it (MXNet's own example).

    `symbol` is all of the stored symbol, or, if it has operators that this MXNet does not know, what leads to the
    output of the last layer, pred_fc. The parameters are {name: NDArray} on the CPU.
    """

    symbol: Symbol
    arg_params: dict[str, MXArray]
    aux_params: dict[str, MXArray]
    model: Model | None
    epoch: int
    prefix: str

    @property
    def params_file(self) -> Path:
        return params_path(self.prefix, self.epoch)


def save(
    prefix: str | Path,
    epoch: int,
    symbol: Symbol,
    arg_params: Mapping[str, MXArray],
    aux_params: Mapping[str, MXArray],
    model: Model,
) -> Path:
    """Write the model's three files, the .params last, and return its path. Raises RunError if the disk refuses."""
    prefix = str(prefix)
    named = {f"arg:{name}": array.as_in_context(mx.cpu()) for name, array in arg_params.items()}
    named.update({f"aux:{name}": array.as_in_context(mx.cpu()) for name, array in aux_params.items()})
    with replacing(description_path(prefix)) as temporary:
        temporary.write_text(model.to_json(), encoding="utf-8")
    with replacing(symbol_path(prefix)) as temporary:
        temporary.write_text(symbol.tojson(), encoding="utf-8")
    with replacing(params_path(prefix, epoch)) as temporary:
        try:
            mx.nd.save(str(temporary), named)
        except mx.base.MXNetError as error:
            raise RunError(f"{params_path(prefix, epoch)}: cannot be written: {first_line(error)}") from None
    return params_path(prefix, epoch)


def load(prefix: str | Path, epoch: int | None = None) -> Checkpoint:
    """Read a checkpoint; no epoch: the highest one.

    Raises InputError that names the file for a prefix or an epoch that is not there, and for files that are broken.
    """
    prefix = str(prefix)
    existing = epochs(prefix)
    if not existing:
        raise InputError(f"no model under the prefix {prefix!r}: looked for {prefix}-0001.params and later epochs")
    if epoch is None:
        epoch = existing[-1]
    elif epoch not in existing:
        raise InputError(f"no epoch {epoch} under the prefix {prefix!r}: there are {_ranges(existing)}")
    description = description_path(prefix)
    model = Model.from_file(description) if description.exists() else None
    arg_params, aux_params = _load_params(params_path(prefix, epoch))
    return Checkpoint(_load_symbol(symbol_path(prefix)), arg_params, aux_params, model, epoch, prefix)


def _load_params(path: Path) -> tuple[dict[str, MXArray], dict[str, MXArray]]:
    found: dict[str, dict[str, MXArray]] = {"arg": {}, "aux": {}}
    for name, array in read_params(path).items():
        kind, _, bare = name.partition(":")
        if kind not in found or not bare:
            raise InputError(f"{name!r} is the name of no parameter; they begin with arg: or aux:", path)
        if not np.isfinite(array).all():
            raise InputError(f"{bare} has values that are not finite numbers", path)
        found[kind][bare] = mx.nd.array(array, dtype=array.dtype)
    return found["arg"], found["aux"]


def _load_symbol(path: Path) -> Symbol:
    text = read_bytes(path)
    try:
        graph = symbol_json.parse(text)
        try:
            return mx.sym.load_json(json.dumps(graph))
        except mx.base.MXNetError as error:
            head = symbol_json.find(graph, LAST_LAYER)
            if head is None:
                said = first_line(error)
                raise InputError(
                    f"MXNet cannot load this symbol ({said}), and there is no {LAST_LAYER} in it"
                ) from None
        try:
            return mx.sym.load_json(json.dumps(symbol_json.cut(graph, head)))
        except mx.base.MXNetError as error:
            raise InputError(f"MXNet cannot load this symbol: {first_line(error)}") from None
    except InputError as error:
        raise error.within(path) from None


def first_line(error: Exception) -> str:
    """What MXNet says, without its stack trace and its own source line."""
    said = next((line for line in str(error).splitlines() if "Error:" in line), str(error).splitlines()[0])
    return re.sub(r"^\S*Error: |\[[\d:]+\] \S+: ", "", said).strip()


def _ranges(numbers: list[int]) -> str:
    """Ascending numbers in words: 1 to 5, 7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
