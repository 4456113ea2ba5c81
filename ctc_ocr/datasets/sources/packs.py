"""RecordIO packs: X.rec with the images and the codes of their labels, X.idx, and X.json with the alphabet.

Other MXNet tools read X.rec and X.idx as any image record file with several labels.
"""

import json
import mmap
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.datasets import recordio
from ctc_ocr.datasets.samples import Problem, Rows, Sample
from ctc_ocr.errors import InputError

PARTS = (".rec", ".idx", ".json")


def read_pack(rec: Path, normalise: str) -> Rows:
    """A sample a record, in the order of the index. Raises InputError for what is no whole pack of ours."""
    units = _read_alphabet(rec.with_suffix(".json"))
    if normalise:
        units = tuple(unicodedata.normalize(normalise, unit) for unit in units)  # type: ignore[arg-type]
    offsets = _read_index(rec)
    _open(rec).close()  # now, and not at the first record, where it cannot be

    def read() -> Iterator[Sample | Problem]:
        with _open(rec) as buffer:
            for key, offset in offsets.items():
                yield _sample(rec, key, offset, buffer, units)

    return Rows(f"{rec} and the alphabet beside it", len(offsets), read)


def _open(rec: Path) -> mmap.mmap:
    try:
        return recordio.open_mapped(rec)
    except (OSError, ValueError) as error:
        raise InputError(f"{getattr(error, 'strerror', None) or error}", rec) from None


def _sample(rec: Path, key: int, offset: int, buffer: mmap.mmap, units: tuple[str, ...]) -> Sample | Problem:
    where = f"{rec}, record {key}"
    try:
        codes = recordio.read_labels(buffer, offset)
        return Sample(str(rec), tuple(units[_index(code, len(units))] for code in codes), where, key)
    except ValueError as error:
        return Problem(where, str(error))


def _read_index(rec: Path) -> dict[int, int]:
    path = recordio.index_path(rec)
    try:
        return recordio.read_index(rec)
    except (OSError, ValueError) as error:
        raise InputError(f"{getattr(error, 'strerror', None) or error}", path) from None


def _index(code: float, count: int) -> int:
    if not 1 <= code <= count or code != int(code):
        raise ValueError(f"the label's code {code:g} is none of the pack's alphabet: 1 to {count}")
    return int(code) - 1


def _read_alphabet(path: Path) -> tuple[str, ...]:
    try:
        lookup = json.loads(path.read_text(encoding="utf-8"))["alphabet"]
        return Alphabet.from_lookup(lookup).units
    except OSError as error:
        raise InputError(f"{error.strerror}; a pack has its alphabet there, as {{unit: code}}", path) from None
    except InputError as error:
        raise error.within(path) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f'{path}: expected {{"alphabet": {{unit: code}}}}: {error!r}') from None


def write_pack(prefix: Path, samples: Iterable[Sample], alphabet: Alphabet) -> int:
    """Write PREFIX.rec, .idx and .json, with the keys 0, 1, ...; returns how many samples there were.

    The three appear together, or none does. Image files go in as they are. Raises InputError for an image that cannot
    be read or a unit that is not in the alphabet, OSError where a file cannot be written.
    """
    final = [Path(f"{prefix}{suffix}") for suffix in PARTS]
    rec, idx, described = unfinished = [path.with_name(path.name + ".part") for path in final]
    count = 0
    try:
        with rec.open("wb") as records, idx.open("w", encoding="utf-8") as index:
            for count, sample in enumerate(samples, start=1):
                key = count - 1
                index.write(f"{key}\t{records.tell()}\n")
                recordio.write_record(records, recordio.pack(alphabet.encode(sample.units), key, sample.read_bytes()))
        described.write_text(json.dumps({"alphabet": alphabet.lookup}, ensure_ascii=False, indent=1), encoding="utf-8")
        for path, target in zip(unfinished, final, strict=True):
            path.replace(target)
    finally:
        for path in unfinished:
            path.unlink(missing_ok=True)
    return count
