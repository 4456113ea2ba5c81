"""PREFIX-calibration.json: of each epoch that was looked at, its calibration and what it gains. No MXNet.

{epoch: {"calibration": {slope, offset} or null, "images": n, "before": {...}, "after": {...}}}; version 0.2 wrote
{epoch: {slope, offset}}.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctc_ocr.errors import InputError
from ctc_ocr.evaluation.calibration import Calibration
from ctc_ocr.evaluation.calibration_choice import CalibrationChoice
from ctc_ocr.runtime.atomic_files import replace_content
from ctc_ocr.runtime.input_files import read_bytes
from ctc_ocr.runtime.text_files import parse_json


def calibration_path(prefix: str | Path) -> Path:
    return Path(f"{prefix}-calibration.json")


def save_calibrations(prefix: str | Path, choices: Mapping[int, CalibrationChoice]) -> None:
    """Replace the file by what was chosen for these epochs. Raises RunError if it cannot be written."""
    values = {str(epoch): choice.to_dict() for epoch, choice in choices.items()}
    replace_content(calibration_path(prefix), (json.dumps(values, indent=2, allow_nan=False) + "\n").encode())


def has_been_chosen(prefix: str | Path, epoch: int) -> bool:
    """Whether it was found out if a calibration helps this epoch. Raises InputError if the file is broken."""
    path = calibration_path(prefix)
    return path.exists() and str(epoch) in _entries(read_bytes(path), path)


def parse_calibration(content: bytes, where: Path, epoch: int) -> Calibration | None:
    """The calibration of an epoch in a file's content; None if it has none. Raises InputError, with `where` as the
    file's name, if it is broken."""
    entry = _entries(content, where).get(str(epoch))
    if isinstance(entry, dict) and "calibration" in entry:
        entry = entry["calibration"]
    return None if entry is None else Calibration.from_dict(entry, str(where))


def entry_of_epoch(content: bytes, where: Path, epoch: int) -> bytes | None:
    """The content of a file with this epoch alone; None if it is not in it."""
    entry = _entries(content, where).get(str(epoch))
    return None if entry is None else (json.dumps({str(epoch): entry}, indent=2) + "\n").encode()


def _entries(content: bytes, where: Path) -> dict[str, Any]:
    values = parse_json(content, where)
    if not isinstance(values, dict):
        raise InputError("expected an object {epoch: {calibration, ...}}", where)
    return values
