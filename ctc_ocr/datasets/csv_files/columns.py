"""Which columns of a CSV file have the image and the label: as they are named, by the header, or by the rows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ctc_ocr.datasets.csv_files.fields import is_image_name
from ctc_ocr.datasets.csv_files.header import CONFIDENCE, IMAGE_NAMES, LABEL_NAMES, STATUS, Header, normal
from ctc_ocr.datasets.csv_files.units import SPLITTER, is_split
from ctc_ocr.errors import InputError

IMAGE_COLUMN, LABEL_COLUMN = "image_column", "label_column"  # options, and flags of the commands
MAX_SHOWN = 30  # characters of a field in an error

Column = str | int | None


@dataclass(frozen=True)
class Columns:
    """The header, or None, and rows that have `width` fields each: what the columns are recognised from."""

    header: Header | None
    width: int
    rows: Sequence[Sequence[str]]

    def image(self, wanted: Column, label: Column = None) -> int:
        """The index of the column with the paths of the images. Raises InputError if that is open."""
        if wanted is not None:
            return self._index(wanted, IMAGE_COLUMN)
        taken = None if label is None else self._index(label, LABEL_COLUMN)
        free = [index for index in range(self.width) if index != taken]
        known = self._named(free, IMAGE_NAMES)
        named = [index for index in known or free if self._mostly(index, is_image_name)]
        candidates = named or known
        if len(candidates) == 1:
            return candidates[0]
        if self.width > 2:
            raise self._open("image paths", candidates, IMAGE_COLUMN)
        others = [index for index in free if index not in self._named(free, LABEL_NAMES)]
        return (candidates or others or free)[0]

    def first_image(self, wanted: Column) -> int:
        """As `image`, for a list of images: if that is open, the first column."""
        if wanted is not None:
            return self._index(wanted, IMAGE_COLUMN)
        free = range(self.width)
        known = self._named(free, IMAGE_NAMES)
        return next((index for index in known or free if self._mostly(index, is_image_name)), (known or [0])[0])

    def label(self, wanted: Column, image: int, splitter: str | None) -> int:
        """The index of the column with the labels. Raises InputError if that is open."""
        if wanted is not None:
            index = self._index(wanted, LABEL_COLUMN)
            if index == image:
                raise InputError(f"the column of the images is column {image + 1} too", LABEL_COLUMN)
            return index
        free = [index for index in range(self.width) if index != image]
        if len(free) == 1:
            return free[0]
        known = self._named(free, LABEL_NAMES)
        others = [index for index in free if index not in self._named(free, (CONFIDENCE, STATUS))]
        filled = [index for index in others if any(row[index] for row in self.rows)]
        for candidates in (known, filled, self._split(free, SPLITTER if splitter is None else splitter)):
            if len(candidates) == 1:
                return candidates[0]
            if candidates and candidates is known:
                break
        raise self._open("labels", known or filled, LABEL_COLUMN)

    def describe(self, index: int) -> str:
        """Such as: column 2 'text'."""
        name = self.header.names[index] if self.header and index < len(self.header.names) else ""
        return f"column {index + 1} {name!r}" if name else f"column {index + 1}"

    def _named(self, indices: Iterable[int], names: Sequence[str]) -> list[int]:
        known = self.header.columns_named(*names) if self.header else []
        return [index for index in indices if index in known]

    def _mostly(self, index: int, test: Callable[[str], bool]) -> bool:
        """Whether most fields of a column pass a test."""
        return 2 * sum(test(row[index]) for row in self.rows) > len(self.rows)

    def _split(self, indices: Sequence[int], splitter: str) -> list[int]:
        """The only column of split labels. None if another one has splitters: it may be a piece of such a label."""
        if not splitter:
            return []
        touched = [
            index for index in indices if any(splitter in (row[index][:1], row[index][-1:]) for row in self.rows)
        ]
        return touched if len(touched) == 1 and self._mostly(touched[0], lambda each: is_split(each, splitter)) else []

    def _index(self, wanted: str | int, option: str) -> int:
        """Of a name, or a number from 1."""
        if not isinstance(wanted, str) or wanted.isdecimal():
            if not 1 <= int(wanted) <= self.width:
                raise InputError(f"no column {int(wanted)}; there are {self._list(range(self.width))}", option)
            return int(wanted) - 1
        if self.header is None:
            raise InputError(
                f"no header has the name {wanted!r}: give a number from 1; there are {self._list(range(self.width))}",
                option,
            )
        found = [index for index, name in enumerate(self.header.names) if name == wanted]
        found = found or self.header.columns_named(normal(wanted))
        if len(found) != 1:
            count = "several columns are" if found else "no column is"
            raise InputError(f"{count} named {wanted!r}; there are {self._list(range(self.width))}", option)
        return found[0]

    def _open(self, what: str, candidates: Sequence[int], option: str) -> InputError:
        places = " or ".join(map(self.describe, candidates))
        quote = "" if self.header else "; if it has two columns, a field that contains the delimiter must be quoted"
        found = f"the {what} may be in {places}" if candidates else f"no column is known to have the {what}"
        return InputError(
            f"{found}; there are {self._list(range(self.width))}. Name the one with --{option} ({option} in Python): "
            f"its name in the header, or its number from 1{quote}"
        )

    def _list(self, indices: Iterable[int]) -> str:
        return ", ".join(f"{self.describe(index)}{self._example(index)}" for index in indices)

    def _example(self, index: int) -> str:
        """A field of the column, such as: (as in '12')."""
        field = next((row[index] for row in self.rows if row[index]), "")
        if not field:
            return " (empty)"
        return f" (as in {field[:MAX_SHOWN]!r}{'...' if len(field) > MAX_SHOWN else ''})"
