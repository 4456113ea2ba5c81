"""RecordIO packs: X.rec with the images and the codes of their labels, X.idx, and X.json with the alphabet.

Other MXNet tools read X.rec and X.idx as any image record file with several labels. A pack may be in shards: see
shards.py.
"""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from ctc_ocr.datasets import recordio
from ctc_ocr.datasets.pack_index import PackIndex, beside_rec, index_path, read_index
from ctc_ocr.datasets.samples import Problem, Rows, Sample, place_of_record
from ctc_ocr.datasets.sources.shards import Described, find_pack, is_described, is_rec, read_described, shard_of
from ctc_ocr.errors import InputError

__all__ = ["find_pack", "read_pack"]


def read_pack(path: Path, unicode_form: str) -> Rows:
    """A sample per record, in the order of the index, shard by shard. `path`: as find_pack gives it, X.rec, or X for
    all shards of a pack. Raises InputError for an incomplete or damaged pack."""
    return _read_one(path, unicode_form) if is_rec(path) else _read_shards(path, unicode_form)


def _read_one(rec: Path, unicode_form: str) -> Rows:
    described, form = beside_rec(rec, ".json"), ""
    shard = shard_of(rec)
    if shard and is_described(shard.prefix):
        described = Path(f"{shard.prefix}.json")
        form = f"; one of {shard.count} shards, all of which are {shard.prefix}"
    units = _units(read_described(described), unicode_form)
    index = _opened(rec)
    return Rows(f"{rec} (alphabet in {described.name}){form}", len(index), lambda: _records(rec, index, units))


def _read_shards(prefix: Path, unicode_form: str) -> Rows:
    described = read_described(Path(f"{prefix}.json"))
    recs = described.shard_files(prefix)
    units = _units(described, unicode_form)
    indices = [_opened(rec) for rec in recs]
    for rec, index, shard in zip(recs, indices, described.shards, strict=True):
        if len(index) != shard.samples:
            reason = f"has {len(index)} records, and {prefix.name}.json says {shard.samples}: it is of another pack"
            raise InputError(reason, index_path(rec))

    def read() -> Iterator[Sample | Problem]:
        for rec, index in zip(recs, indices, strict=True):
            yield from _records(rec, index, units)

    form = f"{prefix} ({len(recs)} shards, alphabet in {prefix.name}.json)"
    return Rows(form, sum(map(len, indices)), read)


def _units(described: Described, unicode_form: str) -> tuple[str, ...]:
    if not unicode_form:
        return described.alphabet.units
    return tuple(unicodedata.normalize(unicode_form, unit) for unit in described.alphabet.units)  # type: ignore[arg-type]


def _opened(rec: Path) -> PackIndex:
    """The index of a pack, whose .rec file can be opened: an error now, not at the first record."""
    try:
        index = read_index(rec)
    except (OSError, ValueError) as error:
        raise InputError(f"{getattr(error, 'strerror', None) or error}", index_path(rec)) from None
    _open(rec).close()
    return index


def _open(rec: Path) -> recordio.PackFile:
    try:
        return recordio.open_pack(rec)
    except (OSError, ValueError) as error:
        raise InputError(f"{getattr(error, 'strerror', None) or error}", rec) from None


def _records(rec: Path, index: PackIndex, units: tuple[str, ...]) -> Iterator[Sample | Problem]:
    with _open(rec) as buffer:
        for key, offset in index.items():
            yield _sample(rec, key, offset, buffer, units)


def _sample(rec: Path, key: int, offset: int, buffer: recordio.PackFile, units: tuple[str, ...]) -> Sample | Problem:
    where = place_of_record(str(rec), key)
    try:
        codes = recordio.read_labels(buffer, offset)
        return Sample(str(rec), tuple(units[_index(code, len(units))] for code in codes), where, key)
    except ValueError as error:
        return Problem(where, str(error))


def _index(code: float, count: int) -> int:
    if not 1 <= code <= count or code != int(code):
        raise ValueError(f"code {code:g} in the label; the pack's alphabet has the codes 1 to {count}")
    return int(code) - 1
