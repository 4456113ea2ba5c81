"""CSV files of infer: which images to read, and what was read in them."""

import csv
from pathlib import Path
from typing import Any

from ctc_ocr.errors import InputError, RunError

HEADER = ("image", "text", "confidence")


def read_paths(path: Path) -> list[Path]:
    """The first column of a CSV file: paths, relative ones from its folder. A header that begins with `image` is none.

    Fields are separated by a comma, a semicolon or a tab. Raises InputError for a file that cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8: {error}") from None
    lines = [line for line in lines if line.strip()]
    if not lines:
        raise InputError(f"{path}: names no images")
    separator = next((each for each in (";", "\t") if each in lines[0]), ",")
    fields = [row[0] for row in csv.reader(lines, delimiter=separator)]
    return [path.parent / field for field in (fields[1:] if fields[0] == "image" else fields)]


class ReadingsFile:
    """The file --out, a row an image, written as they come; it has its name once it is whole. None: no file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: Any = None

    def __enter__(self) -> "ReadingsFile":
        if self._path is not None:
            try:
                self._file = self._unfinished.open("w", encoding="utf-8", errors="surrogateescape", newline="")
            except OSError as error:
                raise InputError(f"{self._path}: cannot be written: {error.strerror}") from None
            self._writer = csv.writer(self._file, lineterminator="\n")
            self._writer.writerow(HEADER)
        return self

    @property
    def _unfinished(self) -> Path:
        assert self._path is not None
        return self._path.with_name(self._path.name + ".part")

    def write(self, image: Path, text: str, confidence: float | None) -> None:
        try:
            self._writer.writerow((image, text, f"{confidence or 0.0:.6f}"))
        except OSError as error:
            raise RunError(f"{self._path}: cannot be written: {error.strerror}") from None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._path is None:
            return
        try:
            self._file.close()
            if kind is None:
                self._unfinished.replace(self._path)
        except OSError as error:
            raise RunError(f"{self._path}: cannot be written: {error.strerror}") from None
        finally:
            self._unfinished.unlink(missing_ok=True)
