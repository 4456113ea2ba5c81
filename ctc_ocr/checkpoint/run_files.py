"""The files of a run: their names, which of them exist, and which checkpoint a path and an epoch stand for. No MXNet.

A run under PREFIX has PREFIX.json (hyperparameters and alphabet), PREFIX-symbol.json, and for each epoch
PREFIX-0001.params (both in MXNet's own formats) and PREFIX-0001.state.npz (what is needed to resume); beside them
PREFIX-history.csv, PREFIX-validation.csv, PREFIX-calibration.json, PREFIX-images.csv, PREFIX-tensorboard, and within a
long epoch PREFIX-unfinished.state.npz. A bundle has no prefix.
"""

import itertools
import logging
import re
from collections.abc import Collection, Iterator
from numbers import Integral
from pathlib import Path
from typing import Literal, TypeAlias

from ctc_ocr.checkpoint import history
from ctc_ocr.checkpoint.params_file import refuse_broken
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.home_folder import refuse_tilde
from ctc_ocr.runtime.input_files import read_bytes

OF_AN_EPOCH = r"-(\d{4,})\.(?:params|state\.npz)"

Epoch: TypeAlias = int | Literal["best", "newest"]
BEST: Literal["best"] = "best"  # the epoch with the best validation, by the history
NEWEST: Literal["newest"] = "newest"  # the highest epoch
DEFAULT_EPOCH: Epoch = BEST
MAX_LISTED = 5  # models in an error
BUNDLE_SUFFIX, ONNX_SUFFIX = ".zip", ".onnx"

log = logging.getLogger(__name__)


def symbol_path(prefix: str | Path) -> Path:
    return Path(f"{prefix}-symbol.json")


def description_path(prefix: str | Path) -> Path:
    return Path(f"{prefix}.json")


def params_path(prefix: str | Path, epoch: int) -> Path:
    return Path(f"{prefix}-{epoch:04d}.params")


def state_path(prefix: str | Path, epoch: int) -> Path:
    return Path(f"{prefix}-{epoch:04d}.state.npz")


def unfinished_path(prefix: str | Path) -> Path:
    """The state within an epoch that is not finished, of a run that saves it; removed with the epoch's checkpoint."""
    return Path(f"{prefix}-unfinished.state.npz")


def remove_unfinished(prefix: str | Path) -> None:
    """A checkpoint that is as new has taken its place."""
    unfinished_path(prefix).unlink(missing_ok=True)


def can_be_resumed(prefix: str | Path) -> bool:
    """Whether a run under this prefix has saved something."""
    return bool(epochs(prefix)) or unfinished_path(prefix).exists()


def validation_path(prefix: str | Path) -> Path:
    """The predictions of the newest epoch for the validation images."""
    return Path(f"{prefix}-validation.csv")


def tensorboard_folder(prefix: str | Path) -> Path:
    return Path(f"{prefix}-tensorboard")


def epochs(prefix: str | Path) -> list[int]:
    """The epochs whose .params exist, ascending."""
    return sorted(int(match[1]) for _, match in _files(prefix, r"-(\d{4,})\.params"))


def existing_files(prefix: str | Path) -> list[Path]:
    """The files of the run under this prefix, sorted, including temporary ones that a killed process left."""
    named = r"\.json|-symbol\.json|-history\.csv|-validation\.csv|-calibration\.json|-images\.csv"
    endings = rf"(?:{named}|-unfinished\.state\.npz|{OF_AN_EPOCH})"
    beside = Path(f"{prefix}-")
    # Temporary names as runtime.atomic_files.replacing forms them; without a call or a process, as it once did.
    temporary = _files(beside.with_name(f".{beside.name[:-1]}"), rf"{endings}(?:\.\d+(?:-\d+)?)?\.tmp")
    events = tensorboard_folder(prefix).glob("events.out.tfevents.*")
    return sorted([*(path for path, _ in itertools.chain(_files(prefix, endings), temporary)), *events])


def check_epoch(epoch: object) -> None:
    """Raises InputError for what is no epoch of a model, nor None."""
    is_number = isinstance(epoch, Integral) and not isinstance(epoch, bool)
    if not is_number and epoch not in (None, BEST, NEWEST):
        raise InputError(f"expected a number, {BEST!r}, {NEWEST!r} or None; got {epoch!r}", "epoch")


def select_checkpoint(path: str | Path, epoch: Epoch | None = None) -> tuple[str, int]:
    """(prefix, epoch) of the checkpoint that a path and an epoch stand for.

    `path` is a prefix, a PREFIX-0007.params, or a folder with one model. `epoch` is a number, "best", "newest", or
    None: that of the .params, or DEFAULT_EPOCH. Raises InputError if there is no such checkpoint, if a folder has
    several models, if a .params is of another epoch, or if "best" is not known.
    """
    prefix, named = resolve_model(path)
    if named is not None and epoch not in (None, named):
        raise InputError(f"this is epoch {named}, and epoch {epoch} was asked for: give the prefix instead", path)
    return prefix, existing_epoch(prefix, epoch if named is None else named)


def existing_epoch(prefix: str | Path, epoch: Epoch | None = None) -> int:
    """The number of an epoch of a run: of the number itself, "best", "newest", or None for DEFAULT_EPOCH.

    If the history has no row of an existing epoch, as with models of MXNet's example, None stands for the newest. The
    best and the newest are those whose .params is whole; one that is not is named in a warning.
    Raises InputError if no .params of such an epoch exists, or if the best is looked for in a broken history.
    """
    existing = epochs(prefix)
    if not existing:
        refuse_tilde(prefix)
        raise InputError(
            f"no model under this prefix: expected {params_path(prefix, 1)} or a later epoch{_others(prefix)}", prefix
        )
    chosen = DEFAULT_EPOCH if epoch is None else epoch
    if chosen == NEWEST:
        return _first_whole(prefix, existing[::-1])
    if chosen == BEST:
        ranked = _ranked_or_why_not(prefix)
        if not ranked and epoch == BEST:
            raise InputError("has no row of an existing epoch: the best one is not known", history.history_path(prefix))
        return _first_whole(prefix, ranked or existing[::-1])
    if chosen not in existing:
        raise InputError(
            f"no epoch {chosen} under this prefix; accepted: {_ranges(existing)}, {BEST}, {NEWEST}", prefix
        )
    return int(chosen)


def _first_whole(prefix: str | Path, epochs: list[int]) -> int:
    """The first of these epochs whose .params can be read; if none can, the first, whose error is raised elsewhere."""
    for epoch in epochs:
        try:
            refuse_broken(read_bytes(params_path(prefix, epoch)), params_path(prefix, epoch))
            return epoch
        except InputError as error:
            log.warning("Damaged or incomplete, and not used: %s", error)
    return epochs[0]


def _ranked_or_why_not(prefix: str | Path) -> list[int]:
    """As ranked_epochs. The newest epoch in place of a best one that cannot be found would be another model."""
    try:
        return ranked_epochs(prefix)
    except InputError as error:
        reason = f"{error.reason}; the best epoch is not known: name one, such as {NEWEST}"
        raise InputError(reason, error.where) from None


def best_epoch(prefix: str | Path) -> int | None:
    """The epoch that is used, of those whose .params exist (see history.best_row); None if the history has none of
    them.

    Raises InputError that names the file and row if the history is broken.
    """
    return next(iter(ranked_epochs(prefix)), None)


def ranked_epochs(prefix: str | Path) -> list[int]:
    """The epochs of the history whose .params exist, the best first. Raises InputError as best_epoch."""
    rows = validated(prefix)
    ranked = sorted(rows, key=lambda row: history.rank(row.validation_cer, row.validation_loss))
    return list(dict.fromkeys([history.best_row(rows).epoch, *(row.epoch for row in ranked)])) if rows else []


def validated(prefix: str | Path) -> list[history.Row]:
    """The rows of the history whose .params exist. Raises InputError as best_epoch."""
    existing = set(epochs(prefix))
    return [row for row in history.read(prefix) if row.epoch in existing]


def epochs_to_calibrate(prefix: str | Path) -> list[int]:
    """The best and the newest epoch that was completed: the weights of another one change when the run is resumed."""
    best, rows = best_epoch(prefix), validated(prefix)
    return [] if best is None else list(dict.fromkeys((best, rows[-1].epoch)))


def resolve_model(path: str | Path) -> tuple[str, int | None]:
    """(prefix, epoch) that a path contains: a PREFIX, a PREFIX-0007.params, or a folder with one model. The epoch is
    None for a prefix and a folder. If a prefix and a folder have the same name, it is the prefix. A bundle is its own
    prefix, and is looked for in a folder without other models.

    Raises InputError for a folder with no model or several.
    """
    path = str(path)
    if epochs(path):
        return path, None
    if match := re.fullmatch(r"(.*)-(\d{4,})\.params", path, re.DOTALL):
        return match[1], int(match[2])
    return (_only_model(Path(path)) if Path(path).is_dir() else path), None


def is_bundle(prefix: str) -> bool:
    """Whether what resolve_model returned is a file that can only be a bundle."""
    return Path(prefix).is_file() and not epochs(prefix)


def is_onnx(path: str | Path) -> bool:
    """Whether a path is that of an ONNX model, by its name."""
    return str(path).lower().endswith(ONNX_SUFFIX)


def _only_model(folder: Path) -> str:
    found = _models_in(folder)
    if len(found) != 1:
        listed = ": " + ", ".join(found) if found else ""
        raise InputError(f"{len(found)} models in this folder{listed}; expected one, or the name of one", folder)
    return found[0]


def _models_in(folder: Path) -> list[str]:
    """The prefixes of the models in a folder; if there are none, its bundles."""
    ending, names = "-symbol.json", sorted(map(str, folder.iterdir()))
    prefixes = [each.removesuffix(ending) for each in names if each.endswith(ending)]
    return prefixes or [each for each in names if each.lower().endswith(BUNDLE_SUFFIX)]


def _others(prefix: str | Path) -> str:
    """For an error: the models in the folder in which one was looked for."""
    folder = Path(f"{prefix}-").parent
    found = _models_in(folder) if folder.is_dir() else []
    return f"; there are: {', '.join(found[:MAX_LISTED])}{', ...' if len(found) > MAX_LISTED else ''}" if found else ""


def prune(prefix: str | Path, kept: Collection[int]) -> None:
    """Remove the files of all epochs but `kept`, the .params first: without them, an epoch does not exist."""
    found = [path for path, match in _files(prefix, OF_AN_EPOCH) if int(match[1]) not in kept]
    for path in sorted(found, key=lambda path: path.suffix != ".params"):
        path.unlink(missing_ok=True)


def keep_newest(prefix: str | Path, keep: int, best_epoch: int) -> None:
    """Remove all epochs but the `keep` newest ones and the best one; none if `keep` is 0."""
    if keep:
        prune(prefix, {*epochs(prefix)[-keep:], best_epoch})


def _files(prefix: str | Path, ending: str) -> Iterator[tuple[Path, re.Match[str]]]:
    """The files named PREFIX + ending (a pattern). Raises InputError for a folder that cannot be read."""
    folder, stem = Path(f"{prefix}-").parent, Path(f"{prefix}-").name[:-1]
    pattern = re.compile(re.escape(stem) + f"(?:{ending})")
    try:
        paths = list(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise InputError(str(error.strerror), folder) from None
    for path in paths:
        if match := pattern.fullmatch(path.name):
            yield path, match


def _ranges(numbers: list[int]) -> str:
    """Ascending numbers as ranges: "1 to 5, 7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
