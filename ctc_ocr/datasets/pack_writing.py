"""Writing packs: one, or several shards. All their files are written completely, or none is."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.datasets import recordio
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.datasets.sources.shards import (
    IDX,
    JSON,
    MAX_SHARDS,
    PARTS,
    REC,
    Shard,
    ShardName,
    files_of_shards,
    write_described,
)
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.output_files import refuse_existing

LabelledBytes = tuple[Sequence[int], bytes]  # the codes of a label, and an encoded image


def prefix_of(out: str | Path) -> Path:
    """The prefix of a pack's files; `out` may end in .rec."""
    return Path(str(out).removesuffix(REC))


def refuse_pack(out: str | Path, shards: int, overwrite: bool) -> None:
    """Make the folder of a pack. Raises InputError for a pack that exists, in however many shards, unless `overwrite`;
    for a number of shards that is not accepted; and for a name that would be read as something else, or is that of a
    JSON file which is not of a pack."""
    if not 1 <= shards <= MAX_SHARDS:
        raise InputError(f"expected 1 to {MAX_SHARDS}, got {shards}", "shards")
    path, prefix = Path(out), prefix_of(out)
    if shards > 1 and path.suffix != REC and path.exists():
        raise InputError("exists, so that the shards could not be read by this name: use another name", path)
    described = Path(f"{prefix}.json")
    if described.exists() and not Path(f"{prefix}{REC}").exists() and not files_of_shards(prefix):
        raise InputError("exists, and is not of a pack: use another name", described)
    refuse_existing([*(Path(f"{prefix}{suffix}") for suffix in PARTS), *files_of_shards(prefix)], overwrite)


def write_pack(prefix: Path, samples: Iterable[Sample], alphabet: Alphabet, counts: Sequence[int] = ()) -> int:
    """Write the images of samples, which are copied unchanged, and their labels; see write_labelled_bytes. Raises
    InputError also for an image that cannot be read or a unit that is not in the alphabet."""
    return write_labelled_bytes(
        prefix, ((alphabet.encode(each.units), each.read_bytes()) for each in samples), alphabet, counts
    )


def shard_counts(num_samples: int, shards: int) -> list[int]:
    """Numbers of samples of the shards, which differ by one at most. Raises InputError for more shards than samples."""
    if shards > num_samples:
        raise InputError(f"more shards than the {num_samples} samples", "shards")
    return [num_samples // shards + (number < num_samples % shards) for number in range(shards)]


def write_labelled_bytes(
    prefix: Path, images: Iterable[LabelledBytes], alphabet: Alphabet, counts: Sequence[int] = ()
) -> int:
    """Write PREFIX.rec, .idx and .json or, with the numbers of samples of each shard, the files of the shards and
    PREFIX.json; returns the number of samples.

    The keys are 0, 1, ... in each shard; the order of the shards is that of the images. Other files of a pack of this
    name, which is replaced, are removed. All is written completely, or nothing is: PREFIX.json, without which a pack is
    not read, comes last. Raises OSError if a file cannot be written.
    """
    names = [ShardName(prefix, number, len(counts)) for number in range(len(counts))]
    prefixes = [name.file("") for name in names] or [prefix]
    described = Path(f"{prefix}{JSON}")
    pairs = [(Path(f"{each}{REC}"), Path(f"{each}{IDX}")) for each in prefixes]
    final = [path for pair in pairs for path in pair]
    earlier = [*files_of_shards(prefix), *(Path(f"{prefix}{suffix}") for suffix in (REC, IDX))]
    written, rest = list[Shard](), iter(images)
    try:
        for number, (rec, idx) in enumerate(pairs):
            some = itertools.islice(rest, counts[number]) if counts else rest
            written.append(_write_one(_unfinished(rec), _unfinished(idx), some))
        write_described(_unfinished(described), alphabet, written if counts else ())
        described.unlink(missing_ok=True)
        for path in {*earlier} - {*final}:
            path.unlink(missing_ok=True)
        for path in (*final, described):
            _unfinished(path).replace(path)
    finally:
        for path in (*final, described):
            _unfinished(path).unlink(missing_ok=True)
    return sum(each.samples for each in written)


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _write_one(rec: Path, idx: Path, images: Iterator[LabelledBytes]) -> Shard:
    count = 0
    with rec.open("wb") as records, idx.open("w", encoding="utf-8") as index:
        for key, (codes, image) in enumerate(images):
            index.write(f"{key}\t{records.tell()}\n")
            recordio.write_record(records, recordio.pack(codes, key, image))
            count = key + 1
        return Shard(count, records.tell())
