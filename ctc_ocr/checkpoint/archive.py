"""Small zip archives: written to the same bytes everywhere, and read as what they are, data from outside. No MXNet."""

import io
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.input_files import open_stored

EARLIEST = (1980, 1, 1, 0, 0, 0)  # that zip archives can express
PERMISSIONS = 0o644
END, END_SIZE = b"PK\x05\x06", 22  # of the directory: signature, and bytes without a comment
LOCATOR_64, LOCATOR_64_SIZE = b"PK\x06\x07", 20  # before it, in archives of more than 4 GiB
MAX_DIRECTORY = 2**16  # bytes
ENCRYPTED = 1  # bit of the flags
# Deflate makes zeros a thousand times smaller, and the symbol of an unrolled LSTM fifteen times.
MAX_RATIO, ALWAYS_ACCEPTED = 50, 2**16
MAX_REASON = 200  # characters: zipfile's errors have whole names of members
BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError
)  # fmt: skip


def archive_content(members: Mapping[str, bytes]) -> bytes:
    """The bytes of an archive with these members {name: content}, in their order. They depend on nothing else: the
    members are stored, since compressed ones differ between versions of zlib, and weights hardly get smaller."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, EARLIEST)
            info.create_system, info.external_attr = 3, PERMISSIONS << 16  # of Unix, wherever it is written
            archive.writestr(info, content)
    return packed.getvalue()


class Archive:
    """An archive from outside with members of known names, none of which may be larger than its limit.

    `limits` are {name: maximum size in bytes}; `others` is that of members of any other name, None: there may be none.
    `max_directory`: bytes of the archive's own list of members. Sizes and names are checked before anything is
    decompressed, checksums when a member is read, and nothing is written to disk. Raises InputError that names the file
    for anything else.
    """

    def __init__(
        self, path: Path, limits: Mapping[str, int], others: int | None = None, max_directory: int = MAX_DIRECTORY
    ) -> None:
        self.path, self._limits, self._others, self._max_directory = path, limits, others, max_directory
        with self._opened() as archive:
            self.names = frozenset(archive.namelist())

    def read(self, name: str) -> bytes:
        """The content of a member, which must be among `names`."""
        with self._opened() as archive:
            return self._read(archive, name)

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Each member's name and content, in the order of their names; the archive is opened once."""
        with self._opened() as archive:
            for name in sorted(self.names):
                yield name, self._read(archive, name)

    def _read(self, archive: zipfile.ZipFile, name: str) -> bytes:
        info = archive.getinfo(name)
        with archive.open(info) as member:
            # Of exactly this size: a member that holds more than it says is not decompressed further.
            content = member.read(info.file_size)
        if len(content) != info.file_size:
            raise InputError("broken: it is shorter than the archive says", self.path / name)
        return content

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            with open_stored(self.path) as file:
                size = _check_directory(file, self._max_directory)
                with zipfile.ZipFile(file) as archive:
                    self._check_members(archive.infolist(), size)
                    yield archive
        except InputError as error:
            raise error.within(self.path) if not error.where else error from None
        except OSError as error:
            raise InputError(error.strerror or str(error), self.path) from None
        except BROKEN as error:
            raise InputError(f"a broken zip archive: {str(error)[:MAX_REASON]}", self.path) from None

    def _check_members(self, members: list[zipfile.ZipInfo], size: int) -> None:
        counts = Counter(each.filename for each in members)
        for each in members:
            name = each.filename
            known = self._limits.get(name, self._others)
            if known is None or counts[name] > 1:
                raise InputError(f"an unexpected member {name!r}; expected: {', '.join(self._limits)}, each once")
            if each.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or each.flag_bits & ENCRYPTED:
                raise InputError(f"{name} is encrypted or compressed in another way than deflate")
            if each.header_offset + each.compress_size > size:
                raise InputError(f"{name} would be longer than the file")
            limit = min(known, max(ALWAYS_ACCEPTED, MAX_RATIO * each.compress_size))
            if each.file_size > limit:
                raise InputError(f"{name} would have {each.file_size:,} bytes; accepted are at most {limit:,}")
        if sum(each.compress_size for each in members) > size:
            raise InputError("its members overlap")


def _check_directory(file: io.FileIO, max_directory: int) -> int:
    """The size of the file, whose end is looked at before zipfile reads a directory of any size. Raises InputError."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - END_SIZE - LOCATOR_64_SIZE))
    tail = file.read()
    end = tail[-END_SIZE:]
    if len(end) < END_SIZE or not end.startswith(END):
        raise InputError("not a zip archive, or one that is truncated")
    directory, comment = struct.unpack("<12xI4xH", end)
    is_64 = len(tail) > END_SIZE and tail.startswith(LOCATOR_64)
    if directory > max_directory or comment or is_64:
        raise InputError("a zip archive of another kind, with a large directory or a comment")
    return size
