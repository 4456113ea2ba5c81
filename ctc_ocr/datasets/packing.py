"""Pack a source: its images, labels and alphabet in one RecordIO pack."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.datasets.checking import CheckResult, check_source
from ctc_ocr.datasets.samples import Problem, Sample, SourceOptions
from ctc_ocr.datasets.sources import DEFAULT_OPTIONS
from ctc_ocr.datasets.sources.packs import PARTS, pack_files, write_pack
from ctc_ocr.errors import RunError
from ctc_ocr.runtime.output_files import refuse_existing
from ctc_ocr.runtime.progress import Progress


@dataclass(frozen=True)
class Pack:
    """What pack_source wrote. `num_skipped`: samples left out by only_alphabet."""

    path: Path  # the .rec file
    num_samples: int
    alphabet: Alphabet
    invalid: tuple[Problem, ...] = ()
    num_skipped: int = 0


def pack_source(
    source: str | Path,
    out: str | Path,
    source_options: SourceOptions = DEFAULT_OPTIONS,
    *,
    alphabet: Alphabet | None = None,
    max_units: int = 0,
    only_alphabet: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Pack:
    """Write the valid samples of a source to OUT.rec, OUT.idx and OUT.json (`out` may end in .rec).

    alphabet: None for the units of the labels. max_units: longest label, 0 for any. only_alphabet: skip samples with
    other units. progress: called while the images are checked, and again while they are written. Raises InputError for
    arguments and sources that cannot be used, RunError if no sample is valid or a file cannot be written.
    """
    prefix = Path(str(out).removesuffix(PARTS[0]))
    files = pack_files(prefix)
    refuse_existing(files, overwrite)
    result = check_source(
        source, source_options, alphabet=alphabet, max_units=max_units, only_alphabet=only_alphabet, progress=progress
    )
    result.require_valid(source)
    alphabet = alphabet or result.alphabet()
    try:
        count = write_pack(prefix, _reported(result, progress), alphabet)
    except OSError as error:
        raise RunError(f"cannot be written: {error.strerror}", files[0]) from None
    return Pack(files[0], count, alphabet, result.invalid, result.num_skipped)


def _reported(result: CheckResult, progress: Progress | None) -> Iterator[Sample]:
    for number, each in enumerate(result.samples, start=1):
        yield each.sample
        if progress is not None:
            progress(number, len(result.samples))
