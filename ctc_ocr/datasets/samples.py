"""Labelled images: what every source gives, and what it says of the rows of which it could make none."""

import stat
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.datasets import recordio
from ctc_ocr.errors import InputError


@dataclass(frozen=True)
class Sample:
    """An image file, or a record of a RecordIO pack, and its label. Small and picklable: the image is not in it."""

    image: str  # path of an image file, or of the pack's .rec file
    units: tuple[str, ...]  # the label, unit by unit
    where: str  # for messages: "labels.csv, row 3", or the file's path
    record: int | None = None  # key within the pack

    @property
    def label(self) -> str:
        return "".join(self.units)

    def read_bytes(self) -> bytes:
        """The encoded image. Raises InputError that starts with `where`."""
        try:
            if self.record is None:
                return _read_file(Path(self.image))
            return recordio.unpack(recordio.read_key(self.image, self.record))[1]
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path, or a damaged pack
            reason = error.strerror if isinstance(error, OSError) else error
            named = "" if self.where == self.image or self.record is not None else f"{self.image}: "
            raise InputError(f"{named}{reason}", self.where) from None


def _read_file(path: Path) -> bytes:
    """Raises OSError, and ValueError for what one might wait on for ever."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError("a device or a pipe; expected a file")
    return path.read_bytes()


@dataclass(frozen=True)
class Problem:
    """A row or a file that gives no sample, or a sample that is left out: where it stands, and why."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


@dataclass(frozen=True)
class SourceOptions:
    """How labels are found. None is: recognise it from the content."""

    delimiter: str | None = None  # CSV: one character between path and label
    splitter: str | None = None  # CSV: one character around the units of a label; "" where each character is a unit
    pattern: str | None = None  # folder: regular expression with a group `label`, searched in names without suffix
    normalise: str = ""  # form of unicodedata.normalize for labels, "NFC" say; "" leaves them as they are


@dataclass(frozen=True)
class Rows:
    """What a source gives, row by row or file by file, as often as it is asked for: only one is in memory at a time.

    `form` says in words where the labels come from. `total` is about how many rows there are: empty ones and a header
    are counted, texts without an image are not.
    """

    form: str
    total: int
    read: Callable[[], Iterator[Sample | Problem]]

    def __iter__(self) -> Iterator[Sample | Problem]:
        return self.read()


def characters(label: str, form: str) -> tuple[str, ...]:
    """The characters of a label, in a normal form of Unicode or ("") as they are."""
    return tuple(unicodedata.normalize(form, label) if form else label)  # type: ignore[arg-type]
