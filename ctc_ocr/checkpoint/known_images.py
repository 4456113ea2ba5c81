"""PREFIX-images.csv: the images that a run was trained on, and those that it was validated with. No MXNet.

An image is known by the first half of the digest of its pixels (`ctc_ocr.images.digest`), 16 hexadecimal digits.
"""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.table_files import replacing_table

Numbers = NDArray[np.uint64]
Part: TypeAlias = Literal["training", "validation"]
PARTS: tuple[Part, ...] = ("training", "validation")
COLUMNS = ("digest", "part")
HEX_DIGITS = 16


@dataclass(frozen=True)
class KnownImages:
    """The images of a run and of those that it started from, as sorted numbers, each once."""

    training: Numbers
    validation: Numbers

    @classmethod
    def of(cls, training: Iterable[bytes], validation: Iterable[bytes]) -> "KnownImages":
        """From the digests of the images. What is in both was trained on."""
        trained = _sorted(map(_number, training))
        return cls(trained, np.setdiff1d(_sorted(map(_number, validation)), trained, assume_unique=True))

    def part(self, digest: bytes) -> Part | None:
        """Where an image was; None if it is not known."""
        number = np.uint64(_number(digest))
        if _contains(self.training, number):
            return "training"
        return "validation" if _contains(self.validation, number) else None

    def with_earlier(self, other: "KnownImages") -> "KnownImages":
        """This run's and those of the run that it started from."""
        training = np.union1d(self.training, other.training)
        validation = np.union1d(self.validation, other.validation)
        return KnownImages(training, np.setdiff1d(validation, training, assume_unique=True))


def known_images_path(prefix: str | Path) -> Path:
    return Path(f"{prefix}-images.csv")


def save_known_images(prefix: str | Path, images: KnownImages) -> None:
    """Replace the run's file. Raises RunError if it cannot be written."""
    with replacing_table(known_images_path(prefix), COLUMNS) as write:
        for part in PARTS:
            for number in map(int, getattr(images, part)):
                write((f"{number:0{HEX_DIGITS}x}", part))


def parse_known_images(content: bytes, where: str) -> KnownImages:
    """The images in the content of such a file. Raises InputError that names the row."""
    found: dict[str, list[int]] = {part: [] for part in PARTS}
    rows = csv.reader(io.StringIO(content.decode("ascii", "replace"), newline=""))
    try:
        for number, row in enumerate(rows, start=1):
            if number == 1:
                if tuple(row) != COLUMNS:
                    raise InputError(f"expected the columns {', '.join(COLUMNS)}", f"{where}, row 1")
                continue
            digest, part = row
            if not re.fullmatch(f"[0-9a-f]{{{HEX_DIGITS}}}", digest):
                raise ValueError
            found[part].append(int(digest, 16))
    except (ValueError, KeyError, csv.Error):
        raise InputError(
            f"expected {HEX_DIGITS} hexadecimal digits, and training or validation", f"{where}, row {rows.line_num}"
        ) from None
    return KnownImages(*(_sorted(found[part]) for part in PARTS))


def _number(digest: bytes) -> int:
    return int.from_bytes(digest[: HEX_DIGITS // 2], "big")


def _sorted(numbers: Iterable[int]) -> Numbers:
    return np.unique(np.fromiter(numbers, np.uint64))


def _contains(numbers: Numbers, number: np.uint64) -> bool:
    position = int(np.searchsorted(numbers, number))
    return position < len(numbers) and numbers[position] == number
