"""A pack in shards: X-0000-of-0008.rec to X-0007-of-0008.rec, each with its .idx, and one X.json for all of them.

X.json has the alphabet and, of each shard, the number of samples and of bytes: {"alphabet": {unit: code}, "shards":
[{"samples": 125000, "bytes": 181937408}, ...]}. So a missing shard, one too many, or one of another pack is noticed.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.text_files import read_json

MAX_SHARDS = 9999  # as many as have names of one length
REC, IDX, JSON = ".rec", ".idx", ".json"
PARTS = (REC, IDX, JSON)
_NAME = re.compile(r"(?P<prefix>.+)-(?P<number>\d{4})-of-(?P<count>\d{4})\.(?:rec|idx)", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class ShardName:
    """What the name of a shard's file says: shard `number`, from 0, of `count`, of the pack `prefix`."""

    prefix: Path
    number: int
    count: int

    def file(self, suffix: str) -> Path:
        return Path(f"{self.prefix}-{self.number:04d}-of-{self.count:04d}{suffix}")


@dataclass(frozen=True)
class Shard:
    """Number of samples in a shard, and of bytes in its .rec file."""

    samples: int
    bytes: int


@dataclass(frozen=True)
class Described:
    """What the .json file of a pack says. `shards` is empty for a pack that is not in shards."""

    alphabet: Alphabet
    shards: tuple[Shard, ...] = ()

    def shard_files(self, prefix: Path) -> list[Path]:
        """The .rec files of the shards. Raises InputError that names a missing shard, one too many, or one that has not
        the size that is stated here."""
        said = f"{prefix.name}{JSON} says"
        names = [ShardName(prefix, number, len(self.shards)) for number in range(len(self.shards))]
        expected = [name.file(suffix) for name in names for suffix in (REC, IDX)]
        for path in expected:
            if not path.is_file():
                raise InputError(f"a missing shard: {said} that there are {len(names)}", path)
        for path in sorted({*files_of_shards(prefix)} - {*expected}):
            raise InputError(f"not a shard of this pack: {said} that there are {len(names)}", path)
        recs = [name.file(REC) for name in names]
        for path, shard in zip(recs, self.shards, strict=True):
            if (size := path.stat().st_size) != shard.bytes:
                reason = f"has {size} bytes, and {said} {shard.bytes}: it is damaged, or of another pack"
                raise InputError(reason, path)
        return recs


def shard_of(path: Path) -> ShardName | None:
    """What the name of a file says; None if it is not that of a shard."""
    found = _NAME.fullmatch(path.name)
    if not found:
        return None
    return ShardName(path.with_name(found["prefix"]), int(found["number"]), int(found["count"]))


def files_of_shards(prefix: Path) -> list[Path]:
    """The .rec and .idx files whose names are those of shards of a pack, of any number of them, sorted."""
    try:
        beside = list(prefix.parent.iterdir())
    except OSError:
        return []
    return sorted(path for path in beside if (name := shard_of(path)) and name.prefix.name == prefix.name)


def is_described(prefix: Path) -> bool:
    """Whether shards of this pack, or its .json file, which states that it is in shards, are there."""
    described = Path(f"{prefix}{JSON}")
    if not described.is_file():
        return False
    try:
        return bool(read_described(described).shards)
    except InputError:
        return False


def is_rec(path: Path) -> bool:
    """Whether a name ends in .rec, in any case, as that of a pack or a shard does."""
    return path.suffix.lower() == REC


def find_pack(path: Path) -> Path | None:
    """The path by which read_pack opens the pack that `path` names: X.rec, or X of X.rec or of shards; None if it names
    none. What exists under the name itself is no pack unless it ends in .rec."""
    prefix = path.with_suffix("") if is_rec(path) else path
    if path.exists():
        return path if is_rec(path) else None
    if is_described(prefix) or files_of_shards(prefix):
        return prefix
    rec = path if is_rec(path) else Path(f"{path}{REC}")
    return rec if is_rec(path) or rec.exists() else None


def read_described(path: Path) -> Described:
    """Raises InputError that names the file."""
    if not path.exists():
        raise InputError("No such file; the alphabet of a pack is expected there", path)
    found = read_json(path)
    try:
        alphabet = Alphabet.from_lookup(found["alphabet"])
    except InputError as error:
        raise error.within(path) from None
    except (LookupError, TypeError, AttributeError):
        raise InputError('expected {"alphabet": {unit: code}}', path) from None
    return Described(alphabet, _shards(found.get("shards", []), path))


def _shards(found: object, path: Path) -> tuple[Shard, ...]:
    form = f'expected "shards": [{{"samples": number, "bytes": number}}, ...], at most {MAX_SHARDS}'
    if not isinstance(found, list) or len(found) > MAX_SHARDS:
        raise InputError(form, path)
    try:
        shards = tuple(Shard(**each) for each in found)
    except TypeError:
        raise InputError(form, path) from None
    if not all(type(value) is int for each in shards for value in (each.samples, each.bytes)):
        raise InputError(form, path)
    return shards


def write_described(path: Path, alphabet: Alphabet, shards: Sequence[Shard] = ()) -> None:
    """Write the .json file of a pack. Raises OSError if that fails."""
    content = {"alphabet": alphabet.lookup, **({"shards": [asdict(each) for each in shards]} if shards else {})}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
