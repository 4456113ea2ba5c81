"""MXNet's RecordIO format: a .rec file of records, and an .idx file with their places (pack_index.py).

Read and written here rather than by mx.recordio: the format is small, and image processes that read a pack do not need
MXNet, which would cost each 2 s and 150 MB. Tests compare this module with mx.recordio in both directions.

A record is one part, or several if its bytes contain the magic number at a multiple of 4: it is cut there, and the
number omitted. A part is the magic number, a word with its kind (upper 3 bits) and its length (lower 29), its bytes,
and zeros up to a multiple of 4. All words are little-endian (dmlc-core, recordio.h).

An image record starts with a header (mx.recordio.IRHeader): the number of labels, the only label if that number is 0,
and two ids; then come the labels as float32, then the encoded image.
"""

import io
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from ctc_ocr.datasets.pack_index import cached_index
from ctc_ocr.errors import InputError
from ctc_ocr.images.limits import MAX_FILE_BYTES
from ctc_ocr.runtime.input_files import MIB, open_stored

MAX_RECORD_BYTES = MAX_FILE_BYTES + MIB  # an image file, its header and labels
MAX_LABELS = 100_000  # of one image
MAGIC = struct.pack("<I", 0xCED7230A)
WHOLE, FIRST, MIDDLE, LAST = range(4)
LENGTH_BITS = 29
READ_AHEAD = 4096  # bytes: headers and labels of small records are read together
PART = struct.Struct("<4sI")
HEADER = struct.Struct("<IfQQ")


class PackFile:
    """The bytes of an open file, read where they are asked for.

    It is not mapped into memory: of a file that is cut short meanwhile, a mapping would end the process (SIGBUS).
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __enter__(self) -> "PackFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def __len__(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def __getitem__(self, place: slice) -> bytes:
        """buffer[start:stop]. Raises ValueError if the file has ended before."""
        self._file.seek(place.start)
        found = self._file.read(place.stop - place.start)
        if len(found) < place.stop - place.start:
            raise ValueError(f"damaged pack: it ends at byte {place.start + len(found)}, and was longer")
        return found


Buffer = bytes | PackFile


def write_record(file: BinaryIO, record: bytes) -> None:
    """Append a record at the file's position. Raises ValueError for a record of 512 MiB or more."""
    if len(record) >> LENGTH_BITS:
        raise ValueError(f"{len(record)} bytes; a record has less than {1 << LENGTH_BITS}")
    pieces, start = [], 0
    found = record.find(MAGIC)
    while found >= 0:
        if found % 4 == 0:
            pieces.append(record[start:found])
            start = found + 4
        found = record.find(MAGIC, start if found % 4 == 0 else found + 1)
    pieces.append(record[start:])
    for number, piece in enumerate(pieces):
        kind = WHOLE if len(pieces) == 1 else FIRST if number == 0 else MIDDLE
        if number and number == len(pieces) - 1:
            kind = LAST
        file.write(PART.pack(MAGIC, kind << LENGTH_BITS | len(piece)))
        file.write(piece + bytes(-len(piece) % 4))


def _part(buffer: Buffer, offset: int) -> tuple[int, int, int]:
    """(kind, start, end) of the part at an offset. Raises ValueError if there is none."""
    if not 0 <= offset <= len(buffer) - PART.size:
        raise ValueError(f"damaged pack: no record at byte {offset} of {len(buffer)}")
    start = offset + PART.size
    magic, word = PART.unpack(buffer[offset:start])
    end = start + (word & (1 << LENGTH_BITS) - 1)
    if magic != MAGIC or end > len(buffer):
        raise ValueError(f"damaged pack: incomplete record at byte {offset} of {len(buffer)}")
    return word >> LENGTH_BITS, start, end


def read_record(buffer: Buffer, offset: int) -> bytes:
    """The record at an offset. Raises ValueError if it is incomplete, or longer than MAX_RECORD_BYTES."""
    pieces, size = [], 0
    while True:
        kind, start, end = _part(buffer, offset)
        size += PART.size + end - start  # empty parts count too: a file may have millions of them
        if size > MAX_RECORD_BYTES:
            raise ValueError(f"damaged pack: a record of more than {MAX_RECORD_BYTES} bytes at byte {offset}")
        pieces.append(buffer[start:end])
        if kind in (WHOLE, LAST):
            return MAGIC.join(pieces)
        offset = end + -(end - start) % 4


def pack(labels: Sequence[int], key: int, image: bytes) -> bytes:
    """An image record of any number of labels."""
    return HEADER.pack(len(labels), 0.0, key, 0) + struct.pack(f"<{len(labels)}f", *labels) + image


def unpack(record: bytes) -> tuple[tuple[float, ...], bytes]:
    """(labels, encoded image) of an image record. Raises ValueError if it is shorter than its header states."""
    labels, start = _labels(record, 0, len(record))
    return labels, record[start:]


def read_labels(buffer: Buffer, offset: int) -> tuple[float, ...]:
    """Labels of the image record at an offset; the image is not read. Raises ValueError for a damaged record."""
    _, start, end = _part(buffer, offset)
    return _labels(buffer, start, end)[0]


def _labels(buffer: Buffer, start: int, end: int) -> tuple[tuple[float, ...], int]:
    if end - start < HEADER.size:
        raise ValueError("damaged pack: a record without a header")
    count, single, _, _ = HEADER.unpack(buffer[start : start + HEADER.size])
    after = start + HEADER.size + 4 * count
    if count > MAX_LABELS:
        raise ValueError(f"damaged pack: a record with {count} labels; the maximum is {MAX_LABELS}")
    if after > end:
        raise ValueError("damaged pack: a record that is shorter than its labels")
    if count == 0:
        return ((single,) if single else ()), after
    return struct.unpack(f"<{count}f", buffer[start + HEADER.size : after]), after


def read_key(rec: str, key: int) -> bytes:
    """One record of a pack. Each process caches the index; the file is open only while it is read.

    Raises OSError, and ValueError for an unknown key or a damaged pack.
    """
    offset = cached_index(rec).offset_of(key)
    with open_pack(rec) as buffer:
        return read_record(buffer, offset)


def open_pack(path: str | Path) -> PackFile:
    """The bytes of a file without reading them all. Raises ValueError if it cannot be opened, is empty, or is no
    file."""
    try:
        file = io.BufferedReader(open_stored(path), READ_AHEAD)
    except InputError as error:
        raise ValueError(error.reason) from None
    if not os.fstat(file.fileno()).st_size:
        file.close()
        raise ValueError("the file is empty")
    return PackFile(file)
