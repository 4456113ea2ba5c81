"""PREFIX-calibration.json: what a model's confidences are worth, found out on the validation images of its run."""

import json
from collections.abc import Mapping
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.evaluation.calibration import Calibration
from ctc_ocr.runtime.atomic_files import replacing


def calibration_path(prefix: str | Path) -> Path:
    return Path(f"{prefix}-calibration.json")


def save_calibrations(prefix: str | Path, calibrations: Mapping[int, Calibration]) -> None:
    """Write those of some epochs; they replace what was there. Raises RunError if the disk refuses."""
    values = {str(epoch): calibration.to_dict() for epoch, calibration in calibrations.items()}
    with replacing(calibration_path(prefix)) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def load_calibration(prefix: str | Path, epoch: int) -> Calibration | None:
    """That of an epoch, or None where there is none. Raises InputError for a broken file."""
    path = calibration_path(prefix)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(str(error.strerror), path) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}", path) from None
    if not isinstance(values, dict):
        raise InputError("expected an object of epochs", path)
    return Calibration.from_dict(values[str(epoch)], str(path)) if str(epoch) in values else None
