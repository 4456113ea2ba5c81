"""The model that a run started from, as its description names it: by a path from the run's folder. No MXNet."""

import os
from collections.abc import Iterator
from pathlib import Path

from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.run_files import is_bundle
from ctc_ocr.checkpoint.starter import STARTER, starter_path
from ctc_ocr.checkpoint.stored_model import PARAMS, StoredModel, stored_description
from ctc_ocr.errors import InputError


def path_of(stored: StoredModel) -> Path:
    """The absolute path of a model's epoch: of its bundle, or of its .params."""
    return (Path(stored.prefix) if is_bundle(stored.prefix) else stored.where(PARAMS)).absolute()


def from_folder(path: Path, prefix: str | Path) -> str:
    """A path from the folder of a run's files; absolute if the two are on different drives. The starter has a name."""
    if path == starter_path():
        return STARTER
    try:
        return Path(os.path.relpath(path, Path(f"{prefix}-").absolute().parent)).as_posix()
    except ValueError:
        return path.as_posix()


def path_from(named: str, prefix: str | Path) -> Path:
    """The absolute path of what from_folder has named."""
    return starter_path() if named == STARTER else Path(f"{prefix}-").absolute().parent / named


def start_of(stored: StoredModel) -> StoredModel | None:
    """The model that the training of a model started from; None if it started from none, if its description does not
    say it, or if it is not there any more."""
    model = stored_description(stored)
    if model is None or model.init_from is None:
        return None
    try:
        return find_model(path_from(model.init_from, stored.prefix))
    except (InputError, OSError, ValueError):  # a path from a file may be anything
        return None


def chain_of(stored: StoredModel) -> Iterator[StoredModel]:
    """A model, what it started from, what that started from and so on, as far as they are still there."""
    each: StoredModel | None = stored
    passed: set[Path] = set()
    while each is not None and path_of(each) not in passed:
        yield each
        passed.add(path_of(each))
        each = start_of(each)
