"""CSV files of what a model read in labelled images, worst first. They are sources of the labels too. No MXNet."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.datasets.csv_files.paths import without_line_ends, written_path
from ctc_ocr.errors import check_kind, list_of
from ctc_ocr.evaluation.shown_probability import shown_probability
from ctc_ocr.runtime.atomic_files import is_device
from ctc_ocr.runtime.table_files import replacing_table

HEADER = ("image", "label", "prediction", "confidence", "character_confidence", "edits")


@dataclass(frozen=True)
class Reading:
    """A labelled image, and what was read in it.

    image: the path of its file; `is_file` is False for a record of a pack or the like, which is only named.
    label, prediction: the true and the predicted text.
    confidence, character_confidence: as of a Prediction.
    edits: between the two texts, in units.
    """

    image: str
    is_file: bool
    label: str
    prediction: str
    confidence: float
    character_confidence: float
    edits: int


def worst_first(readings: Iterable[Reading]) -> list[Reading]:
    """Those with the most edits first; of as many edits, the most confident mistakes. Correct ones follow, the least
    confident first."""
    return sorted(readings, key=lambda each: (-each.edits, -each.confidence if each.edits else each.confidence))


def write_readings(path: str | Path, readings: Iterable[Reading]) -> None:
    """Write a row for each reading, worst first. The file is written completely or not at all.

    Paths of images are relative to its folder, so that it is a source of labelled images wherever it is opened from; in
    a device or a pipe, they are absolute. Raises RunError if it cannot be written.
    """
    check_kind("a path", path=path)
    path, readings = Path(path), list_of(Reading, readings, "readings")
    to_device = is_device(path)
    with replacing_table(path, HEADER) as write:
        for each in worst_first(readings):
            confidences = map(shown_probability, (each.confidence, each.character_confidence))
            table = None if to_device else path
            name = written_path(each.image, table) if each.is_file else without_line_ends(each.image)
            write((name, each.label, each.prediction, *confidences, each.edits))
