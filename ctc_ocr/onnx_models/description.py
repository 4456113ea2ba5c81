"""What an ONNX model's metadata says about it: all that reading needs besides the graph (docs/reference/onnx.md).

It is one entry, METADATA_KEY, a JSON object. The parts that other programs need are spelled out; `model` is what
PREFIX.json has, for this package.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctc_ocr.alphabet import BLANK
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.errors import InputError
from ctc_ocr.evaluation.calibration import Calibration
from ctc_ocr.runtime.text_files import parse_json

METADATA_KEY = "ctc_ocr"
FORMAT, VERSION = "ctc_ocr onnx", 1
MAX_EPOCH = 2**31
MAX_SOURCE = 255  # characters


@dataclass(frozen=True)
class Description:
    """`epoch` of the training; `of_example`: the model is one of MXNet's own example/ctc; `quantised`: its weights are
    in 8 bits; `source`: the name of the file that it was exported from, without its folder."""

    model: Model
    epoch: int
    calibration: Calibration | None = None
    of_example: bool = False
    quantised: bool = False
    source: str = ""

    def to_json(self) -> str:
        """The text of the metadata's entry."""
        data, geometry = self.model.hyperparameters.data, self.model.hyperparameters.geometry
        values = {
            "format": FORMAT,
            "version": VERSION,
            "alphabet": list(self.model.alphabet.units),
            "blank": BLANK,
            "images": {
                "height": data.height,
                "width": data.width,
                "keep_ratio": data.keep_ratio,
                "channels": data.channels,
                "columns_per_step": geometry.columns_per_step,
                "crop": data.crop,
                "top_edge": data.top_edge,
                "bottom_edge": data.bottom_edge,
                "ink": data.ink,
                # Named only where it is not as in the first models, so that those stay what they are.
                **({"writing": data.writing} if data.writing != "horizontal" else {}),
                **({"letterbox": True} if data.letterbox else {}),
                **({"straighten": data.straighten} if data.straighten != "none" else {}),
                **({"binarise": data.binarise} if data.binarise != "none" else {}),
                **({"grey": data.grey} if data.grey != "luminance" else {}),
            },
            "source": self.source,
            "epoch": self.epoch,
            "calibration": None if self.calibration is None else asdict(self.calibration),
            "of_example": self.of_example,
            "quantised": self.quantised,
            "model": json.loads(self.model.to_json()),
        }
        return json.dumps(values, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, where: str | Path) -> "Description":
        """Raises InputError, with `where` as the file's name, for anything else than what `to_json` gives."""
        values = parse_json(text.encode("utf-8", "surrogateescape"), Path(where))
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise InputError(f"not a model of this package: expected the format {FORMAT!r} in its metadata", where)
        if values.get("version") != VERSION:
            raise InputError(f"version {values.get('version')!r} is not known; accepted: {VERSION}", where)
        epoch = values.get("epoch")
        if type(epoch) is not int or not 0 <= epoch < MAX_EPOCH:
            raise InputError("epoch must be a whole number", where)
        model = Model.from_json(json.dumps(values.get("model")).encode(), Path(where))
        calibration = _calibration(values.get("calibration"), where)
        found = cls(
            model, epoch, calibration, values.get("of_example") is True, values.get("quantised") is True,
            _source(values.get("source", ""), where),
        )  # fmt: skip
        # Not all of it: a later version may know more hyperparameters.
        made = json.loads(found.to_json())
        if any(values.get(key) != made[key] for key in ("alphabet", "blank", "images")):
            raise InputError("its metadata contradicts itself", where)
        return found


def _source(value: Any, where: str | Path) -> str:
    if not isinstance(value, str) or len(value) > MAX_SOURCE or not value.isprintable():
        raise InputError(f"source must be a file name of at most {MAX_SOURCE} characters", where)
    return value


def _calibration(values: Any, where: str | Path) -> Calibration | None:
    return None if values is None else Calibration.from_dict(values, str(where))
