"""CSV files of predictions: image, text, confidences and status. They are sources of labels too. No MXNet."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ctc_ocr.datasets.csv_files.paths import without_line_ends, written_path
from ctc_ocr.evaluation.shown_probability import shown_probability
from ctc_ocr.inference.image_list import ListedImage
from ctc_ocr.inference.prediction import Prediction
from ctc_ocr.runtime.atomic_files import is_device
from ctc_ocr.runtime.table_files import replacing_table

HEADER = ("image", "text", "confidence", "character_confidence", "status")
READ, REJECTED, UNREADABLE = "read", "rejected", "unreadable"  # values of `status`

Write = Callable[[ListedImage, str, Prediction | None, str], None]


@contextmanager
def predictions_file(path: Path) -> Iterator[Write]:
    """A function that writes a row: image, text, prediction with its confidences (None: they are empty) and status.

    Paths of images are relative to the file's folder, so that it is a source of labelled images wherever it is opened
    from; in a device or a pipe, they are absolute. A row of a list that names no image is written as it is there. The
    file is in UTF-8, and is replaced once all rows are written. Raises RunError if it cannot be written.
    """
    to_device = is_device(path)
    with replacing_table(path, HEADER) as write_row:

        def write(image: ListedImage, text: str, prediction: Prediction | None, status: str) -> None:
            values = (prediction.confidence, prediction.character_confidence) if prediction else (None, None)
            confidence, of_characters = ("" if each is None else shown_probability(each) for each in values)
            table = None if to_device else path
            name = without_line_ends(image.name) if image.problem else written_path(image.path, table)
            write_row((name, text, confidence, of_characters, status))

        yield write
