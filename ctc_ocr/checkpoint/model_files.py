"""What a model file holds, how it is written, and how it is read, wherever it came from.

A run under PREFIX leaves: PREFIX.json (hyperparameters and alphabet), PREFIX-symbol.json, and for each epoch
PREFIX-0001.params (both in MXNet's own formats) and PREFIX-0001.state.npz, what it takes to resume. Beside them lie
PREFIX-history.csv (history.py), PREFIX-validation.csv, PREFIX-calibration.json and PREFIX-tensorboard. Each file is
written beside its place and then moved there, so that a crash leaves the older files whole.
"""

import io
import itertools
import json
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import history
from ctc_ocr.checkpoint import symbol_json as foreign_symbol
from ctc_ocr.checkpoint.params_file import read_params
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.runtime.mxnet import mx

FORMAT, VERSION = "ctc_ocr model", 1
LAST_LAYER = "pred_fc"
STATE_VALUES = "values as JSON"
OF_AN_EPOCH = r"-(\d{4,})\.(?:params|state\.npz)"


@dataclass(frozen=True)
class Model:
    """What PREFIX.json describes: all that is needed to rebuild the network and to read its output."""

    hyperparameters: Hyperparameters
    alphabet: Alphabet

    def to_json(self) -> str:
        described = {"hyperparameters": self.hyperparameters.to_dict(), "alphabet": self.alphabet.lookup}
        return (
            json.dumps(
                {"format": FORMAT, "version": VERSION, **described}, indent=2, ensure_ascii=False, allow_nan=False
            )
            + "\n"
        )

    @classmethod
    def from_file(cls, path: Path) -> "Model":
        """Raises InputError that names the file for anything that is not such a description."""
        try:
            values = json.loads(_read_bytes(path))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: not JSON: {error}") from None
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise InputError(f"{path}: not the description of a model: expected the format {FORMAT!r}")
        if values.get("version") != VERSION:
            raise InputError(f"{path}: version {values.get('version')!r} is not known; accepted: {VERSION}")
        expected = {"format", "version", "hyperparameters", "alphabet"}
        if set(values) != expected:
            raise InputError(f"{path}: unknown or missing keys: {', '.join(sorted(set(values) ^ expected))}")
        hyperparameters = Hyperparameters.from_dict(values["hyperparameters"], where=str(path))
        lookup = values["alphabet"]
        if not isinstance(lookup, dict) or not all(type(code) is int for code in lookup.values()):
            raise InputError(f"{path}: the alphabet must be an object of units and their codes")
        try:
            return cls(hyperparameters, Alphabet.from_lookup(lookup))
        except InputError as error:
            raise InputError(f"{path}: {error}") from None


@dataclass(frozen=True)
class Checkpoint:
    """A model as it was read. `model` is None where no PREFIX.json is beside it (MXNet's own example).

    `symbol` is all of the stored symbol, or, if it has operators that this MXNet does not know, what leads to the
    output of the last layer, pred_fc. The parameters are {name: NDArray} on the CPU.
    """

    symbol: Any
    arg_params: dict[str, Any]
    aux_params: dict[str, Any]
    model: Model | None
    epoch: int
    prefix: str

    @property
    def params_file(self) -> Path:
        return _params_path(self.prefix, self.epoch)


def _symbol_path(prefix: str) -> Path:
    return Path(f"{prefix}-symbol.json")


def _model_path(prefix: str) -> Path:
    return Path(f"{prefix}.json")


def _params_path(prefix: str, epoch: int) -> Path:
    return Path(f"{prefix}-{epoch:04d}.params")


def _state_path(prefix: str, epoch: int) -> Path:
    return Path(f"{prefix}-{epoch:04d}.state.npz")


def save(
    prefix: str | Path,
    epoch: int,
    symbol: Any,
    arg_params: Mapping[str, Any],
    aux_params: Mapping[str, Any],
    model: Model,
) -> Path:
    """Write the model's three files, the .params last, and return its path. Raises RunError if the disk refuses."""
    prefix = str(prefix)
    named = {f"arg:{name}": array.as_in_context(mx.cpu()) for name, array in arg_params.items()}
    named.update({f"aux:{name}": array.as_in_context(mx.cpu()) for name, array in aux_params.items()})
    with replacing(_model_path(prefix)) as temporary:
        temporary.write_text(model.to_json(), encoding="utf-8")
    with replacing(_symbol_path(prefix)) as temporary:
        temporary.write_text(symbol.tojson(), encoding="utf-8")
    with replacing(_params_path(prefix, epoch)) as temporary:
        try:
            mx.nd.save(str(temporary), named)
        except mx.base.MXNetError as error:
            raise RunError(f"{_params_path(prefix, epoch)}: cannot be written: {first_line(error)}") from None
    return _params_path(prefix, epoch)


def save_training_state(
    prefix: str | Path, epoch: int, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]
) -> None:
    """Write what a run needs to go on after this epoch: named arrays, and values that JSON can hold."""
    text = np.array(json.dumps(dict(values)))
    packed = io.BytesIO()  # zipfile, met by a full disk, ends in an error of its own
    np.savez(packed, **{STATE_VALUES: text}, **arrays)
    with replacing(_state_path(str(prefix), epoch)) as temporary:
        temporary.write_bytes(packed.getvalue())


def load_training_state(prefix: str | Path, epoch: int) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """(arrays, values) as they were saved. Raises InputError that names the file if it is missing or broken."""
    path = _state_path(str(prefix), epoch)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        values = json.loads(arrays.pop(STATE_VALUES).item())
    except FileNotFoundError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: broken training state ({type(error).__name__})") from None
    return arrays, values


def checksum(params: Mapping[str, Any]) -> int:
    """CRC-32 of named parameters: a training state says by it which weights it goes with."""
    total = 0
    for name in sorted(params):
        total = zlib.crc32(params[name].asnumpy().tobytes(), total)
    return total


def epochs(prefix: str | Path) -> list[int]:
    """The epochs whose .params exist, ascending."""
    return sorted(int(match[1]) for _, match in _files(prefix, r"-(\d{4,})\.params"))


def occupied(prefix: str | Path) -> list[Path]:
    """The files of a run under this prefix, sorted, half-written ones of a killed process among them; empty where a new
    run may begin."""
    whole = rf"(?:\.json|-symbol\.json|-history\.csv|-validation\.csv|-calibration\.json|{OF_AN_EPOCH})"
    beside = Path(f"{prefix}-")
    half = _files(beside.with_name(f".{beside.name[:-1]}"), rf"{whole}\.tmp")  # as atomic_files.replacing names them
    logged = tensorboard_folder(prefix).glob("events.out.tfevents.*")
    return sorted([*(path for path, _ in itertools.chain(_files(prefix, whole), half)), *logged])


def validation_path(prefix: str | Path) -> Path:
    """The file of the newest epoch's readings of the validation images."""
    return Path(f"{prefix}-validation.csv")


def tensorboard_folder(prefix: str | Path) -> Path:
    """The folder of what TensorBoard shows."""
    return Path(f"{prefix}-tensorboard")


def best_epoch(prefix: str | Path) -> int | None:
    """Of the epochs whose .params exist, the one of the best validation; None if the run has no history of them.

    Raises InputError that names the file and row of a broken history.
    """
    existing = set(epochs(prefix))
    rows = [row for row in history.read(prefix) if row.epoch in existing]
    if not rows:
        return None
    return min(rows, key=lambda row: history.rank(row.validation_cer, row.validation_loss)).epoch


def located(path: str | Path) -> tuple[str, int | None]:
    """(prefix, epoch) of the model that is meant: a PREFIX, a PREFIX-0007.params, or a folder with one model in it
    (epoch None for both). Of a prefix and a folder with the same name, the prefix.

    Raises InputError for a folder with no model or several.
    """
    path = str(path)
    if epochs(path):
        return path, None
    if match := re.fullmatch(r"(.*)-(\d{4,})\.params", path, re.DOTALL):
        return match[1], int(match[2])
    return (_only_model(Path(path)) if Path(path).is_dir() else path), None


def _only_model(folder: Path) -> str:
    ending = "-symbol.json"
    prefixes = sorted(str(each)[: -len(ending)] for each in folder.iterdir() if each.name.endswith(ending))
    if len(prefixes) != 1:
        found = ": " + ", ".join(prefixes) if prefixes else ""
        raise InputError(f"{folder}: {len(prefixes)} models in this folder{found}; one is expected, or name its prefix")
    return prefixes[0]


def prune(prefix: str | Path, kept: Collection[int]) -> None:
    """Remove the files of all epochs but `kept`. The .params go first: an epoch without them counts for nothing."""
    found = [path for path, match in _files(prefix, OF_AN_EPOCH) if int(match[1]) not in kept]
    for path in sorted(found, key=lambda path: path.suffix != ".params"):
        path.unlink(missing_ok=True)


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
    model_path, params_path = _model_path(prefix), _params_path(prefix, epoch)
    model = Model.from_file(model_path) if model_path.exists() else None
    arg_params, aux_params = _load_params(params_path)
    return Checkpoint(_load_symbol(_symbol_path(prefix)), arg_params, aux_params, model, epoch, prefix)


def _load_params(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {"arg": {}, "aux": {}}
    for name, array in read_params(path).items():
        kind, _, bare = name.partition(":")
        if kind not in found or not bare:
            raise InputError(f"{path}: {name!r} is the name of no parameter; they begin with arg: or aux:")
        if not np.isfinite(array).all():
            raise InputError(f"{path}: {bare} has values that are not finite numbers")
        found[kind][bare] = mx.nd.array(array, dtype=array.dtype)
    return found["arg"], found["aux"]


def _load_symbol(path: Path) -> Any:
    text = _read_bytes(path)
    try:
        graph = foreign_symbol.parse(text)
        try:
            return mx.sym.load_json(json.dumps(graph))
        except mx.base.MXNetError as error:
            head = foreign_symbol.find(graph, LAST_LAYER)
            if head is None:
                said = first_line(error)
                raise InputError(
                    f"MXNet cannot load this symbol ({said}), and there is no {LAST_LAYER} in it"
                ) from None
        try:
            return mx.sym.load_json(json.dumps(foreign_symbol.cut(graph, head)))
        except mx.base.MXNetError as error:
            raise InputError(f"MXNet cannot load this symbol: {first_line(error)}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def first_line(error: Exception) -> str:
    """What MXNet says, without its stack trace and its own source line."""
    said = next((line for line in str(error).splitlines() if "Error:" in line), str(error).splitlines()[0])
    return re.sub(r"^\S*Error: |\[[\d:]+\] \S+: ", "", said).strip()


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def _files(prefix: str | Path, ending: str) -> Iterator[tuple[Path, re.Match[str]]]:
    """The files named PREFIX + ending (a pattern). Raises InputError for a folder that may not be looked into."""
    folder, stem = Path(f"{prefix}-").parent, Path(f"{prefix}-").name[:-1]
    pattern = re.compile(re.escape(stem) + f"(?:{ending})")
    try:
        paths = list(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}") from None
    for path in paths:
        if match := pattern.fullmatch(path.name):
            yield path, match


def _ranges(numbers: list[int]) -> str:
    """Ascending numbers in words: 1 to 5, 7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
