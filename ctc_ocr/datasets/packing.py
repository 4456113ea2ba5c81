"""Pack a source: its images, labels and alphabet in a RecordIO pack, which may be in shards."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.datasets.checking import CheckResult, check_source
from ctc_ocr.datasets.pack_writing import prefix_of, refuse_pack, shard_counts, write_pack
from ctc_ocr.datasets.samples import Problem, Sample, SourceOptions
from ctc_ocr.datasets.sources import DEFAULT_OPTIONS
from ctc_ocr.datasets.sources.shards import JSON, REC
from ctc_ocr.errors import RunError
from ctc_ocr.runtime.progress import Progress


@dataclass(frozen=True)
class Pack:
    """What pack_source wrote. `num_skipped`: samples left out by only_alphabet."""

    path: Path  # by which it is read: the .rec file, or what the names of the shards begin with
    num_samples: int
    alphabet: Alphabet
    invalid: tuple[Problem, ...] = ()
    num_skipped: int = 0
    shards: int = 1

    @property
    def alphabet_file(self) -> Path:
        return Path(f"{prefix_of(self.path)}{JSON}")


def pack_source(
    source: str | Path,
    out: str | Path,
    source_options: SourceOptions = DEFAULT_OPTIONS,
    *,
    alphabet: Alphabet | None = None,
    max_units: int = 0,
    only_alphabet: bool = False,
    overwrite: bool = False,
    shards: int = 1,
    progress: Progress | None = None,
) -> Pack:
    """Write the valid samples of a source to OUT.rec, OUT.idx and OUT.json (`out` may end in .rec).

    alphabet: None for the units of the labels. max_units: longest label, 0 for any. only_alphabet: skip samples with
    other units. overwrite: replace a pack of this name, in however many shards it is. shards: with more than one,
    OUT-0000-of-0008.rec and so on, each with an .idx, have about equal numbers of samples, in the order of the source.
    progress: called while the images are checked, and again while they are written. Raises InputError for arguments
    and sources that cannot be used, RunError if no sample is valid or a file cannot be written.
    """
    refuse_pack(out, shards, overwrite)
    result = check_source(
        source, source_options, alphabet=alphabet, max_units=max_units, only_alphabet=only_alphabet, progress=progress
    )
    result.require_valid(source)
    alphabet = alphabet or result.alphabet()
    prefix = prefix_of(out)
    path, counts = Path(f"{prefix}{REC}"), list[int]()
    if shards > 1:
        path, counts = prefix, shard_counts(len(result.samples), shards)
    try:
        count = write_pack(prefix, _reported(result, progress), alphabet, counts)
    except OSError as error:
        raise RunError(f"cannot be written: {error.strerror}", path) from None
    return Pack(path, count, alphabet, result.invalid, result.num_skipped, shards)


def _reported(result: CheckResult, progress: Progress | None) -> Iterator[Sample]:
    for number, each in enumerate(result.samples, start=1):
        yield each.sample
        if progress is not None:
            progress(number, len(result.samples))
