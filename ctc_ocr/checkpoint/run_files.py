"""The files of a run: their names, which of them exist, and which model a path stands for. No MXNet.

A run under PREFIX leaves PREFIX.json (hyperparameters and alphabet), PREFIX-symbol.json, and for each epoch
PREFIX-0001.params (both in MXNet's own formats) and PREFIX-0001.state.npz (what is needed to resume); beside them
PREFIX-history.csv, PREFIX-validation.csv, PREFIX-calibration.json and PREFIX-tensorboard.
"""

import itertools
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from ctc_ocr.checkpoint import history
from ctc_ocr.errors import InputError

OF_AN_EPOCH = r"-(\d{4,})\.(?:params|state\.npz)"


def symbol_path(prefix: str | Path) -> Path:
    return Path(f"{prefix}-symbol.json")


def description_path(prefix: str | Path) -> Path:
    return Path(f"{prefix}.json")


def params_path(prefix: str | Path, epoch: int) -> Path:
    return Path(f"{prefix}-{epoch:04d}.params")


def state_path(prefix: str | Path, epoch: int) -> Path:
    return Path(f"{prefix}-{epoch:04d}.state.npz")


def epochs(prefix: str | Path) -> list[int]:
    """The epochs whose .params exist, ascending."""
    return sorted(int(match[1]) for _, match in _files(prefix, r"-(\d{4,})\.params"))


def existing_files(prefix: str | Path) -> list[Path]:
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


def resolve_model(path: str | Path) -> tuple[str, int | None]:
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
        raise InputError(f"{len(prefixes)} models in this folder{found}; one is expected, or name its prefix", folder)
    return prefixes[0]


def prune(prefix: str | Path, kept: Collection[int]) -> None:
    """Remove the files of all epochs but `kept`. The .params go first: an epoch without them counts for nothing."""
    found = [path for path, match in _files(prefix, OF_AN_EPOCH) if int(match[1]) not in kept]
    for path in sorted(found, key=lambda path: path.suffix != ".params"):
        path.unlink(missing_ok=True)


def _files(prefix: str | Path, ending: str) -> Iterator[tuple[Path, re.Match[str]]]:
    """The files named PREFIX + ending (a pattern). Raises InputError for a folder that may not be looked into."""
    folder, stem = Path(f"{prefix}-").parent, Path(f"{prefix}-").name[:-1]
    pattern = re.compile(re.escape(stem) + f"(?:{ending})")
    try:
        paths = list(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise InputError(str(error.strerror), folder) from None
    for path in paths:
        if match := pattern.fullmatch(path.name):
            yield path, match
