"""Captchas drawn into a pack, which may be in shards: millions of them without as many files."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ctc_ocr.alphabet import Alphabet, pad_labels
from ctc_ocr.datasets.captcha_files import CaptchaWriter, refuse_arguments
from ctc_ocr.datasets.pack_writing import LabelledBytes, prefix_of, refuse_pack, shard_counts, write_labelled_bytes
from ctc_ocr.datasets.packing import Pack
from ctc_ocr.datasets.sources.shards import REC
from ctc_ocr.errors import RunError
from ctc_ocr.generation.pool import Arrays, ArraySpec, BatchPool
from ctc_ocr.runtime.progress import Progress, reporting

IMAGES_PER_BATCH = 256  # few enough to stop soon, many enough to hide the cost of a job and of a file


def write_captcha_pack(
    writer: CaptchaWriter,
    out: str | Path,
    count: int,
    shards: int = 1,
    *,
    format: str = "png",
    num_proc: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Pack:
    """Write captchas to OUT.rec, OUT.idx and OUT.json or, with more than one shard, to OUT-0000-of-0008.rec and so on.

    They are the images that `writer.write_folder` writes, in the same order, byte by byte, whatever the number of
    shards and of processes. Raises InputError for arguments that are not accepted and for a pack that exists, unless
    `overwrite`; RunError if a file cannot be written.
    """
    refuse_arguments(count, num_proc, format)
    refuse_pack(out, shards, overwrite)
    prefix, alphabet = prefix_of(out), Alphabet(tuple(writer.data.alphabet))
    path, counts = Path(f"{prefix}{REC}"), list[int]()
    if shards > 1:
        path, counts = prefix, shard_counts(count, shards)
    try:
        with tempfile.TemporaryDirectory(dir=prefix.parent, prefix=f".{prefix.name}-") as folder:
            size = max(1, min(IMAGES_PER_BATCH, count // num_proc))
            batches = _ImageBatches(writer, Path(folder), format, count, size)
            images = reporting(batches.draw_all(num_proc), count, progress)
            write_labelled_bytes(prefix, images, alphabet, counts)
    except OSError as error:
        raise RunError(f"cannot be written: {error.strerror}", path) from None
    return Pack(path, count, alphabet, shards=shards)


@dataclass(frozen=True)
class _ImageBatches:
    """Batches of encoded images. An image process writes those of a batch into one file, since their sizes are not
    known before, and returns their labels, codes (N, max_length) padded with 0, and their numbers of bytes, (N,)."""

    writer: CaptchaWriter
    folder: Path
    format: str
    count: int
    batch_size: int

    def specs(self) -> Mapping[str, ArraySpec]:
        return {
            "codes": ArraySpec((self.batch_size, self.writer.data.max_length), "int64"),
            "sizes": ArraySpec((self.batch_size,), "int64"),
        }

    def fill(self, number: int, arrays: Arrays) -> None:
        """Draw batch `number`. Raises RunError if its file cannot be written."""
        drawn = list(self._draw(number))
        try:
            self._file(number).write_bytes(b"".join(image for _, image in drawn))
        except OSError as error:
            raise RunError(f"cannot be written: {error.strerror}", self.folder.parent) from None
        arrays["sizes"][: len(drawn)] = [len(image) for _, image in drawn]
        pad_labels([codes for codes, _ in drawn], arrays["codes"])

    def draw_all(self, num_proc: int) -> Iterator[LabelledBytes]:
        """All labels and images, in order."""
        numbers = range(-(-self.count // self.batch_size))
        if num_proc == 1:
            for number in numbers:
                yield from self._draw(number)
            return
        with BatchPool(self, min(num_proc, len(numbers)), numbers) as pool:
            for number, arrays in zip(numbers, pool, strict=True):
                yield from self._drawn(number, arrays)

    def _drawn(self, number: int, arrays: Arrays) -> Iterator[LabelledBytes]:
        """What an image process has drawn; its file is removed."""
        path, count = self._file(number), len(self._indices(number))
        content = path.read_bytes()
        path.unlink()
        ends = np.cumsum(arrays["sizes"][:count]).tolist()
        for codes, start, end in zip(arrays["codes"].tolist(), [0, *ends], ends, strict=False):
            yield [code for code in codes if code], content[start:end]

    def _draw(self, number: int) -> Iterator[LabelledBytes]:
        alphabet = self.writer.data.alphabet
        for index in self._indices(number):
            text, image = self.writer.encoded(f".{self.format}", index=index)
            yield [alphabet.index(character) + 1 for character in text], image

    def _indices(self, number: int) -> Sequence[int]:
        return range(self.count)[number * self.batch_size : (number + 1) * self.batch_size]

    def _file(self, number: int) -> Path:
        return self.folder / str(number)
