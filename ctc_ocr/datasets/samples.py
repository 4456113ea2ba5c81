"""What every source gives: labelled images, and problems in place of rows that give none."""

import os
import unicodedata
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

from ctc_ocr.alphabet import check_unicode_form
from ctc_ocr.datasets import recordio
from ctc_ocr.errors import InputError, printable, refuse_other
from ctc_ocr.images.files import SUFFIXES
from ctc_ocr.images.limits import MAX_FILE_BYTES
from ctc_ocr.runtime.input_files import read_bytes
from ctc_ocr.runtime.similar_files import named_similarly


@dataclass(frozen=True, slots=True)
class Sample:
    """A label and where its image is: a file, or a record of a pack. The image itself is not in it.

    A class derived from it may read its image from anywhere: it overrides read_bytes. It must be picklable.
    """

    image: str  # path of an image file, or of the pack's .rec file
    units: tuple[str, ...]  # the label, unit by unit
    where: str  # for errors: "labels.csv, row 3", or the file's path
    record: int | None = None  # key within the pack

    @property
    def label(self) -> str:
        return "".join(self.units)

    @property
    def place(self) -> str:
        """`where`, and the path of the image file if that is not named there."""
        return self.where if self.where == self.image or not self.is_file else f"{self.where}: {self.image}"

    @property
    def is_file(self) -> bool:
        """Whether `image` is the path of an image file: not for a record, nor for a class with its own read_bytes."""
        return self.record is None and self.is_read_here

    @property
    def identity(self) -> Hashable | None:
        """Equal for samples of the same file or record; None if this class cannot know."""
        return (os.path.normpath(Path(self.image).absolute()), self.record) if self.is_read_here else None

    @property
    def is_read_here(self) -> bool:
        """Whether its image is read by this class, from the file `image`."""
        return type(self).read_bytes is Sample.read_bytes

    def read_bytes(self) -> bytes:
        """The encoded image. Raises InputError with `place`."""
        try:
            if self.record is None:
                return read_bytes(self.image, MAX_FILE_BYTES, pipes=False)
            return recordio.unpack(recordio.read_key(self.image, self.record))[1]
        except InputError as error:
            raise named_similarly(error, self.image, self.place, SUFFIXES) from None
        except OSError as error:
            raise InputError(error.strerror or str(error), self.place) from None
        except ValueError as error:  # a damaged pack
            raise InputError(str(error), self.place) from None


def place_of_record(rec: str, key: int) -> str:
    """What errors call a record of a pack."""
    return f"{rec}, record {key}"


@dataclass(frozen=True)
class Problem:
    """A row or file that gives no sample, an invalid sample, or a note: where it is, and the reason."""

    where: str
    reason: str

    def __str__(self) -> str:
        return printable(f"{self.where}: {self.reason}" if self.where else self.reason)

    @classmethod
    def of(cls, error: InputError) -> "Problem":
        return cls(error.where, error.reason)


@dataclass(frozen=True)
class SourceOptions:
    """How labels are found. None: recognised from the content."""

    delimiter: str | None = None  # CSV: one character between path and label
    splitter: str | None = None  # CSV: one character around the units of a label; "": each character is a unit
    pattern: str | None = None  # folder: regular expression with a group `label`, searched in names without suffix
    unicode_form: str = ""  # form of unicodedata.normalize for labels, such as "NFC"; "": unchanged
    strip_accents: bool = False  # remove accents from the letters of labels
    encoding: str | None = None  # CSV: a text encoding of Python; None: UTF-8, or UTF-16 with a byte order mark
    image_column: str | int | None = None  # CSV: the column of the images: a name in the header, or a number from 1
    label_column: str | int | None = None  # CSV: the column of the labels, likewise
    min_frequency: int = 0  # samples with a unit that fewer samples have are left out; of pages: boxes
    scope: str | None = None  # pages: char, seq, line or page; None: char
    charset: str | None = None  # pages: characters of samples, as ctc_ocr.pages.charsets reads it; None: all
    seq_length: tuple[int, int] | None = None  # pages: least and greatest length of a sequence; None: 3
    seq_seed: int = 0  # pages: chooses the lengths of sequences
    reading_order: str | None = None  # pages: a rule for lines of ctc_ocr.pages.reading_order; None: columns
    mask_neighbours: bool = False  # pages: paint other boxes over with paper
    margin: float = 0.0  # pages: around what is cut, as a fraction of a character's width
    cut_size: str | None = None  # pages: size of what is cut, as ctc_ocr.pages.cutting.CutSize reads it; None: as it is

    def __post_init__(self) -> None:
        """Raises InputError for values of another kind, and for a form that Unicode does not have."""
        refuse_other(self, "a text", TEXTS, or_none=True)
        refuse_other(self, "an integer", ("min_frequency", "seq_seed"))
        refuse_other(self, "a number", ("margin",))
        refuse_other(self, "True or False", ("strip_accents", "mask_neighbours"))
        refuse_other(self, "a name, a number from 1", ("image_column", "label_column"), or_none=True)
        if self.seq_length is not None and not _are_two_integers(self.seq_length):
            raise InputError(f"expected two integers, such as (2, 5), or None; got {self.seq_length!r}", "seq_length")
        check_unicode_form(self.unicode_form, "unicode_form")


def checked_source_options(options: object) -> SourceOptions:
    """The same. Raises InputError for anything else, such as a dict of their fields."""
    if not isinstance(options, SourceOptions):
        raise InputError(f"expected SourceOptions, such as SourceOptions(delimiter=';'); got {options!r}", "options")
    return options


def _are_two_integers(value: object) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(each, Integral) for each in value)


# Options that are texts.
TEXTS = ("delimiter", "splitter", "pattern", "encoding", "scope", "charset", "reading_order", "cut_size")
# Options that have an effect on CSV files only.
CSV_OPTIONS = ("delimiter", "splitter", "encoding", "image_column", "label_column")
# Options that have an effect on pages with boxes only.
PAGE_OPTIONS = (
    "scope", "charset", "seq_length", "seq_seed", "reading_order", "mask_neighbours", "margin", "cut_size",
)  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """The rows or files of a source, read one by one each time they are iterated over.

    `form` describes where the labels come from. `total` is about how many rows there are: it counts empty rows and a
    header, but not text files without an image. `notes` are about the source as a whole, or about names in it.
    `is_final`: no option of SourceOptions changes the samples any more. `name`: what messages call the source; "" for
    what it was opened by.
    """

    form: str
    total: int
    read: Callable[[], Iterator[Sample | Problem]]
    notes: tuple[Problem, ...] = ()
    is_final: bool = False
    name: str = ""

    def __iter__(self) -> Iterator[Sample | Problem]:
        return self.read()


def characters(label: str, unicode_form: str) -> tuple[str, ...]:
    """The characters of a label, in a Unicode form or ("") unchanged."""
    return tuple(unicodedata.normalize(unicode_form, label) if unicode_form else label)  # type: ignore[arg-type]
