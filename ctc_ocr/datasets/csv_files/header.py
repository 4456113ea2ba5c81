"""The first row of a CSV file: whether it is a header, and which columns its names are known for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.datasets.csv_files.fields import is_image_name
from ctc_ocr.datasets.csv_files.paths import is_file
from ctc_ocr.datasets.labels_csv import HEADER

# As `normal` gives them.
IMAGE_NAMES = (
    "image", "images", "imagefile", "imagename", "imagepath", "img", "imgname", "imgpath", "file", "filename",
    "filepath", "path", "picture",
)  # fmt: skip
LABEL_NAMES = ("label", "labels", "text", "texts", "transcription", "transcript", "word", "words", "groundtruth", "gt")
# The columns of `ctc-ocr infer --out` beside those of image and text.
CONFIDENCE, STATUS = "confidence", "status"
WORDS = re.compile(r"[^\W\d][\w -]*")
MARKED = re.compile(r"(?P<mark>[^\w\s\"])(?P<name>\w+)(?P=mark)")
# Also with a delimiter that is not recognised from rows.
LINE = re.compile(rf"(?i){HEADER[0]}(?P<delimiter>[^\w\s\"]|\t)(?P<mark>[^\w\s\"]?){HEADER[1]}(?P=mark)")


def normal(name: str) -> str:
    """The name of a column as names are compared: `File Name` and `file_name` are `filename`."""
    return re.sub(r"[\s_-]+", "", name.casefold())


@dataclass(frozen=True)
class Header:
    """The names of the columns, as the file has them but without marks around them. `splitter` is the mark of the
    label's name (`|label|`): "" for none."""

    names: tuple[str, ...]
    splitter: str = ""

    @classmethod
    def of(cls, fields: Sequence[str]) -> "Header":
        names, splitter = [], ""
        for field in fields:
            match = MARKED.fullmatch(field)
            if match and normal(match["name"]) in LABEL_NAMES:
                splitter = match["mark"]
            names.append(match["name"] if match else field)
        return cls(tuple(names), splitter)

    def columns_named(self, *names: str) -> list[int]:
        """Indices of the columns with one of these names."""
        return [index for index, name in enumerate(self.names) if normal(name) in names]

    @property
    def has_known_names(self) -> bool:
        """Whether a column of images and one of labels are known by their names, or the first is one of images."""
        images = self.columns_named(*IMAGE_NAMES)
        if any(map(is_image_name, self.names)):
            return False  # such as the row a.png,text
        return bool(images) and (images[0] == 0 or bool(self.columns_named(*LABEL_NAMES)))

    @property
    def status(self) -> int | None:
        """The index of the column that says which predictions were rejected; None if these are no predictions."""
        found = self.columns_named(STATUS)
        return found[0] if len(found) == 1 and self.columns_named(CONFIDENCE) else None

    @property
    def is_plain(self) -> bool:
        """Whether it says that each character of a label is a unit: that of labels.csv and of predictions do."""
        named = tuple(map(normal, self.names)) == HEADER or self.status is not None
        return named and not self.splitter


def delimiter_of(line: str) -> str | None:
    """The delimiter of a header `image,label`, whatever it is, also with a mark around `label`."""
    match = LINE.fullmatch(line)
    return match["delimiter"] if match else None


def find_header(rows: Sequence[Sequence[str]], folder: Path, wanted: Sequence[str] = ()) -> Header | None:
    """The first row, if it is a header: it has one of the names `wanted`, or known names, or a word above a column that
    mostly has names of image files. A row that names an image file, or a file in the folder, is none."""
    if not rows:
        return None
    header = Header.of(rows[0])
    if header.has_known_names or any(header.columns_named(normal(name)) for name in wanted):
        images = [header.names[index] for index in header.columns_named(*IMAGE_NAMES)]
        is_row = header.names[:2] != HEADER and any(is_file(folder / name) for name in images)
        return None if is_row else header
    return header if _is_above_images(rows, folder) else None


def _is_above_images(rows: Sequence[Sequence[str]], folder: Path) -> bool:
    """Whether the first row has a word where most others have the name of an image file. Not all: one bad row of many
    must not make a header a row. Others may have empty fields beyond those of the first."""
    first, width = rows[0], len(rows[0])
    others = [row for row in rows[1:] if len(row) >= width and not any(row[width:])]
    return any(
        2 * sum(is_image_name(row[index].strip()) for row in others) > len(others)
        and WORDS.fullmatch(name.strip()) is not None
        and not is_file(folder / name)
        for index, name in enumerate(first)
    )
