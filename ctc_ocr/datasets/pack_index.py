"""The index of a RecordIO pack: an .idx file beside the .rec file, with a line `key TAB offset` for each record.

Eight bytes of memory for each record, if the keys are 0, 1, ...: a set of millions has as many.
"""

import codecs
import io
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.input_files import MAX_TEXT_BYTES, read_bytes

MAX_CACHED = 10_000  # indices that a process keeps: more than a set can have shards


@dataclass(frozen=True)
class PackIndex:
    """Byte `offsets` (N,) int64 of the records, and their `keys` (N,) int64 in the order of the file; None if these are
    0, 1, ..., N - 1. Each key occurs once."""

    offsets: NDArray[np.int64]
    keys: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.offsets)

    def items(self) -> Iterator[tuple[int, int]]:
        """(key, offset) of each record, in the order of the file."""
        for place, offset in enumerate(self.offsets):
            yield place if self.keys is None else int(self.keys[place]), int(offset)

    def offset_of(self, key: int) -> int:
        """Raises ValueError for an unknown key."""
        place = key
        if self.keys is not None:
            found = int(np.searchsorted(self.keys, key, sorter=self._order))
            place = int(self._order[found]) if found < len(self) and self.keys[self._order[found]] == key else -1
        if not 0 <= place < len(self):
            raise ValueError(f"no record {key} in this pack")
        return int(self.offsets[place])

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        """The places of the keys, sorted by them."""
        return np.argsort(np.arange(len(self)) if self.keys is None else self.keys)


def index_path(rec: str | Path) -> Path:
    return beside_rec(Path(rec), ".idx")


def beside_rec(rec: Path, suffix: str) -> Path:
    """The file of a pack with another suffix, which is in capitals if that of the .rec file is."""
    return rec.with_suffix(suffix.upper() if rec.suffix.isupper() else suffix)


def read_index(rec: str | Path) -> PackIndex:
    """The index of a pack. Of lines with the same key, the last counts. Raises ValueError if it cannot be read, and
    for a bad line."""
    keys, offsets = array("q"), array("q")
    try:
        content = read_bytes(index_path(rec), MAX_TEXT_BYTES)
    except InputError as error:
        raise ValueError(error.reason) from None
    # Line by line: a list of the lines would take more memory than all that is kept.
    for number, line in enumerate(io.BytesIO(content.removeprefix(codecs.BOM_UTF8)), start=1):
        try:
            key, offset = map(int, line.split(b"\t"))
            keys.append(key)
            offsets.append(offset)
        except (ValueError, OverflowError):
            shown = line.decode("utf-8", "replace").rstrip("\r\n")
            raise ValueError(f"line {number}: expected KEY, a tab and OFFSET, got {shown!r}") from None
    # Copied: an array that grew holds more memory than it uses.
    return _index(np.array(keys, np.int64), np.array(offsets, np.int64))


def _index(keys: NDArray[np.int64], offsets: NDArray[np.int64]) -> PackIndex:
    if np.array_equal(keys, np.arange(len(keys))):
        return PackIndex(offsets)
    if len(np.unique(keys)) == len(keys):
        return PackIndex(offsets, keys)
    last = dict(zip(keys.tolist(), offsets.tolist(), strict=True))
    return PackIndex(np.fromiter(last.values(), np.int64), np.fromiter(last, np.int64))


def cached_index(rec: str) -> PackIndex:
    """The index of a pack, read once by a process unless it changes. Raises OSError, and ValueError as read_index."""
    return _cached_index(rec, index_path(rec).stat().st_mtime_ns)


@lru_cache(maxsize=MAX_CACHED)
def _cached_index(rec: str, changed: int) -> PackIndex:
    return read_index(rec)
