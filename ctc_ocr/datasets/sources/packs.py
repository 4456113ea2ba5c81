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
from ctc_ocr.runtime.text_files import read_json

PARTS = (".rec", ".idx", ".json")


def read_pack(rec: Path, unicode_form: str) -> Rows:
    """A sample per record, in the order of the index. Raises InputError for an incomplete or damaged pack."""
    units = _read_alphabet(rec.with_suffix(".json"))
    if unicode_form:
        units = tuple(unicodedata.normalize(unicode_form, unit) for unit in units)  # type: ignore[arg-type]
    offsets = _read_index(rec)
    _open(rec).close()  # an error now, not at the first record

    def read() -> Iterator[Sample | Problem]:
        with _open(rec) as buffer:
            for key, offset in offsets.items():
                yield _sample(rec, key, offset, buffer, units)

    return Rows(f"{rec} (alphabet in {rec.with_suffix('.json').name})", len(offsets), read)


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
        raise ValueError(f"code {code:g} in the label; the pack's alphabet has the codes 1 to {count}")
    return int(code) - 1


def _read_alphabet(path: Path) -> tuple[str, ...]:
    if not path.exists():
        raise InputError("No such file; the alphabet of a pack is expected there", path)
    described = read_json(path)
    try:
        return Alphabet.from_lookup(described["alphabet"]).units
    except InputError as error:
        raise error.within(path) from None
    except (LookupError, TypeError, AttributeError):
        raise InputError('expected {"alphabet": {unit: code}}', path) from None


def pack_files(prefix: Path) -> list[Path]:
    """The three files of a pack."""
    return [Path(f"{prefix}{suffix}") for suffix in PARTS]


def write_pack(prefix: Path, samples: Iterable[Sample], alphabet: Alphabet) -> int:
    """Write PREFIX.rec, .idx and .json, with the keys 0, 1, ...; returns the number of samples.

    All three files are written completely, or none is. Encoded images are copied unchanged. Raises InputError for an
    image that cannot be read or a unit that is not in the alphabet, OSError if a file cannot be written.
    """
    final = pack_files(prefix)
    rec, idx, alphabet_file = unfinished = [path.with_name(path.name + ".part") for path in final]
    count = 0
    try:
        with rec.open("wb") as records, idx.open("w", encoding="utf-8") as index:
            for count, sample in enumerate(samples, start=1):
                key = count - 1
                index.write(f"{key}\t{records.tell()}\n")
                recordio.write_record(records, recordio.pack(alphabet.encode(sample.units), key, sample.read_bytes()))
        alphabet_file.write_text(
            json.dumps({"alphabet": alphabet.lookup}, ensure_ascii=False, indent=1), encoding="utf-8"
        )
        for path, target in zip(unfinished, final, strict=True):
            path.replace(target)
    finally:
        for path in unfinished:
            path.unlink(missing_ok=True)
    return count
