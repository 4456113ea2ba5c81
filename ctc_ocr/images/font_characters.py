"""Which characters a font has: its table `cmap`, read within limits (OpenType specification, "cmap").

A table of some kilobytes can map the same characters a million times: what it maps is counted before it is unfolded.
"""

import io
import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.input_files import MIB, open_stored

MAX_TABLE_BYTES = 16 * MIB
NUM_CODES = 0x110000  # of Unicode
COLLECTION = b"ttcf"
# (platform, encoding) of the subtables for Unicode, those with the most characters first.
UNICODE = ((3, 10), (0, 6), (0, 4), (3, 1), (0, 3), (0, 2), (0, 1), (0, 0))

Codes = NDArray[np.bool_]  # (NUM_CODES,): whether a font has a code point


def font_characters(font: str | Path) -> frozenset[int]:
    """Code points with a glyph; of a collection, those of its first font. Raises InputError for a damaged font."""
    with open_stored(font) as file:
        try:
            return _characters(_table(file))
        except (ValueError, struct.error, OSError) as error:
            raise InputError(f"cannot read its character table ({error})", font) from None


def _table(file: io.FileIO) -> bytes:
    start = _read(file, 0, 16)
    first = struct.unpack(">I", start[12:])[0] if start.startswith(COLLECTION) else 0
    (count,) = struct.unpack(">H", _read(file, first + 4, 2))
    records = _read(file, first + 12, 16 * count)
    tables = {tag: (offset, length) for tag, _, offset, length in struct.iter_unpack(">4sIII", records)}
    size = os.fstat(file.fileno()).st_size
    if any(offset + length > size for offset, length in tables.values()):
        raise ValueError("the file is truncated")
    if b"cmap" not in tables:
        raise ValueError("there is none")
    offset, length = tables[b"cmap"]
    if length > MAX_TABLE_BYTES:
        raise ValueError(f"{length:,} bytes; the maximum is {MAX_TABLE_BYTES:,}")
    return _read(file, offset, length)


def _read(file: io.FileIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    found = file.read(size)
    if len(found) < size:
        raise ValueError("the file is truncated")
    return found


def _characters(table: bytes) -> frozenset[int]:
    (count,) = struct.unpack_from(">H", table, 2)
    offsets: dict[tuple[int, int], int] = {}
    for number in range(count):
        platform, encoding, offset = struct.unpack_from(">HHI", table, 4 + 8 * number)
        offsets.setdefault((platform, encoding), offset)
    chosen = next((offsets[each] for each in UNICODE if each in offsets), None)
    if chosen is None:
        return frozenset()
    kind = struct.unpack_from(">H", table, chosen)[0]
    if kind not in READERS:
        raise ValueError(f"of format {kind}; accepted: {', '.join(map(str, READERS))}")
    codes = np.zeros(NUM_CODES, np.bool_)
    READERS[kind](table[chosen:], codes)
    return frozenset(np.flatnonzero(codes).tolist())


def _array(table: bytes, dtype: str, count: int, offset: int) -> NDArray[np.int64]:
    """Numbers of a table. Raises ValueError if it is shorter."""
    if offset + count * np.dtype(dtype).itemsize > len(table):
        raise ValueError("the table is truncated")
    return np.frombuffer(table, dtype, count, offset).astype(np.int64)


def _count(starts: NDArray[np.int64], ends: NDArray[np.int64], most: int) -> None:
    """Raises ValueError if ranges together have more than `most` codes: ranges of a sound table do not overlap."""
    if int((ends - starts + 1).clip(0).sum()) > most:
        raise ValueError("ranges of characters that overlap")


def _read_bytes(table: bytes, codes: Codes) -> None:
    codes[:256] = _array(table, "u1", 256, 6) > 0


def _read_segments(table: bytes, codes: Codes) -> None:
    """Format 4: ranges of 16-bit codes; each has a difference to its glyphs, and a place where these are listed."""
    count = struct.unpack_from(">H", table, 6)[0] // 2
    ends, starts, deltas, places = (
        _array(table, ">u2", count, 14 + 2 * count * part + (2 if part else 0)) for part in range(4)
    )
    _count(starts, ends, 2**16)
    first = 16 + 6 * count  # byte of the first place
    for number in range(count):
        start, end = int(starts[number]), int(ends[number])
        if start > end or start == 0xFFFF:
            continue
        if places[number] == 0:
            glyphs = np.arange(start, end + 1) + deltas[number]
        else:
            listed = _array(table, ">u2", end - start + 1, first + 2 * number + int(places[number]))
            glyphs = np.where(listed > 0, listed + deltas[number], 0)
        codes[start : end + 1] |= glyphs % 2**16 > 0


def _read_run(table: bytes, codes: Codes) -> None:
    """Format 6: the glyphs of a run of 16-bit codes."""
    first, count = struct.unpack_from(">HH", table, 6)
    glyphs = _array(table, ">u2", min(count, (len(table) - 10) // 2), 10)  # some fonts list fewer than they say
    codes[first : first + len(glyphs)] = glyphs > 0


def _read_long_run(table: bytes, codes: Codes) -> None:
    """Format 10: the same of 32-bit codes."""
    first, count = struct.unpack_from(">II", table, 12)
    if first + count > NUM_CODES:
        raise ValueError("characters beyond Unicode")
    codes[first : first + count] = _array(table, ">u2", count, 20) > 0


def _read_groups(table: bytes, codes: Codes) -> None:
    """Formats 12 and 13: ranges of codes, the first glyph of each, or the only one."""
    (count,) = struct.unpack_from(">I", table, 12)
    groups = _array(table, ">u4", 3 * count, 16).reshape(-1, 3)
    starts, ends = groups[:, 0], groups[:, 1].clip(max=NUM_CODES - 1)
    _count(starts, ends, NUM_CODES)
    is_one_glyph = struct.unpack_from(">H", table, 0)[0] == 13
    for start, end, glyph in zip(starts.tolist(), ends.tolist(), groups[:, 2].tolist(), strict=True):
        if glyph == 0:  # the missing glyph: of the first code, or of all
            start = end + 1 if is_one_glyph else start + 1
        codes[start : end + 1] = True


READERS = {
    0: _read_bytes, 4: _read_segments, 6: _read_run, 10: _read_long_run, 12: _read_groups, 13: _read_groups,
}  # fmt: skip
