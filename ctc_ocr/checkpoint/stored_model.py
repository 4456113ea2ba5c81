"""The parts of one epoch of a model, wherever they are stored: in the files of a run, or in a bundle. No MXNet."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ctc_ocr.checkpoint import calibration_file, history, known_images, run_files
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.known_images import KnownImages
from ctc_ocr.evaluation.calibration import Calibration
from ctc_ocr.runtime.input_files import read_bytes

MIB = 2**20


def _whole(content: bytes, where: Path, epoch: int) -> bytes | None:
    return content


@dataclass(frozen=True)
class Part:
    """A part of a model.

    name: its name in a bundle.
    max_bytes: more are not accepted from a bundle.
    file: (prefix, epoch) -> its file in a run.
    required: each bundle has it, and to read it of a run that lacks it is an error.
    of_epoch: (content, the file's name in errors, epoch) -> what of the file belongs to this epoch, or None.
    """

    name: str
    max_bytes: int
    file: Callable[[str, int], Path]
    required: bool = False
    of_epoch: Callable[[bytes, Path, int], bytes | None] = _whole


SYMBOL = Part("symbol.json", 64 * MIB, lambda prefix, _: run_files.symbol_path(prefix), required=True)
PARAMS = Part("model.params", 1024 * MIB, run_files.params_path, required=True)
DESCRIPTION = Part("model.json", 16 * MIB, lambda prefix, _: run_files.description_path(prefix))
CALIBRATION = Part(
    "calibration.json", MIB, lambda prefix, _: calibration_file.calibration_path(prefix),
    of_epoch=calibration_file.entry_of_epoch,
)  # fmt: skip
HISTORY = Part("history.csv", MIB, lambda prefix, _: history.history_path(prefix), of_epoch=history.row_of_epoch)
IMAGES = Part("images.csv", 512 * MIB, lambda prefix, _: known_images.known_images_path(prefix))
# What a bundle has, in its order. Another part is one more line.
PARTS = (DESCRIPTION, SYMBOL, PARAMS, CALIBRATION, HISTORY, IMAGES)


class StoredModel(Protocol):
    """One epoch of a model. `prefix` is that of the run, or the path of the bundle."""

    @property
    def prefix(self) -> str: ...

    @property
    def epoch(self) -> int: ...

    def where(self, part: Part) -> Path:
        """What a part is called in errors."""

    def read(self, part: Part) -> bytes | None:
        """The content of a part, as far as it is about this epoch; None if there is none, which is only possible for
        parts that are not required. Raises InputError that names what cannot be read."""


@dataclass(frozen=True)
class StoredRun:
    """An epoch of a run; see StoredModel."""

    prefix: str
    epoch: int

    def where(self, part: Part) -> Path:
        return part.file(self.prefix, self.epoch)

    def read(self, part: Part) -> bytes | None:
        path = self.where(part)
        if not part.required and not path.exists():
            return None
        return part.of_epoch(read_bytes(path), path, self.epoch)


def stored_description(stored: StoredModel) -> Model | None:
    """The hyperparameters and the alphabet of a model; None if it has no description, as MXNet's example. Raises
    InputError if that is broken."""
    content = stored.read(DESCRIPTION)
    return None if content is None else Model.from_json(content, stored.where(DESCRIPTION))


def stored_calibration(stored: StoredModel) -> Calibration | None:
    """The calibration of a model, if it has one. Raises InputError if it is broken."""
    content = stored.read(CALIBRATION)
    if content is None:
        return None
    return calibration_file.parse_calibration(content, stored.where(CALIBRATION), stored.epoch)


def stored_known_images(stored: StoredModel) -> KnownImages | None:
    """The images that a model was trained on and validated with; None for generated images and the example's models.

    Raises InputError that names the row if the file is broken.
    """
    content = stored.read(IMAGES)
    return None if content is None else known_images.parse_known_images(content, str(stored.where(IMAGES)))
