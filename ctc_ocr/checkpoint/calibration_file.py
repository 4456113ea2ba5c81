"""PREFIX-calibration.json: the calibration of each calibrated epoch, {epoch: {slope, offset}}. No MXNet."""

import json
from collections.abc import Mapping
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.evaluation.calibration import Calibration
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.runtime.text_files import read_json


def calibration_path(prefix: str | Path) -> Path:
    return Path(f"{prefix}-calibration.json")


def save_calibrations(prefix: str | Path, calibrations: Mapping[int, Calibration]) -> None:
    """Replace the file by the calibrations of these epochs. Raises RunError if it cannot be written."""
    values = {str(epoch): calibration.to_dict() for epoch, calibration in calibrations.items()}
    with replacing(calibration_path(prefix)) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def load_calibration(prefix: str | Path, epoch: int) -> Calibration | None:
    """The calibration of an epoch; None if it has none. Raises InputError that names the file if it is broken."""
    path = calibration_path(prefix)
    if not path.exists():
        return None
    values = read_json(path)
    if not isinstance(values, dict):
        raise InputError("expected an object {epoch: {slope, offset}}", path)
    return Calibration.from_dict(values[str(epoch)], str(path)) if str(epoch) in values else None
