"""Folders of image files, with subfolders: labels in the file names, or in .txt files beside them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ctc_ocr.datasets.samples import Problem, Rows, Sample, SourceOptions, characters
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import SUFFIXES
from ctc_ocr.runtime.input_files import MAX_LINE_BYTES, read_bytes

DEFAULT_PATTERN = r"^(?P<label>.*?)(_[^_]*)?$"  # up to the last underscore, or all without one
TEXT_SUFFIX = ".txt"


def find_image_files(folder: Path) -> list[Path]:
    """Paths with the suffix of an image in a folder and its subfolders, sorted. Linked folders and names that start
    with a dot are skipped. Raises InputError if there are none."""
    found = sorted(path for path in _visible(folder) if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f"no image files in this folder; accepted: {', '.join(SUFFIXES)}", folder)
    return found


def _visible(folder: Path) -> Iterable[Path]:
    return (
        path for path in folder.rglob("*") if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def finder(pattern: str, group: str) -> Callable[[str], str | None]:
    """A function that searches a text and returns the regular expression's group of this name, or its first group, or
    None.

    Raises InputError for an invalid regular expression, or one without a group.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"not a regular expression: {error}", repr(pattern)) from None
    if not compiled.groups:
        raise InputError(f"the regular expression needs a group, such as (?P<{group}>...)", repr(pattern))
    key = group if group in compiled.groupindex else 1

    def find(text: str) -> str | None:
        match = compiled.search(text)
        return match[key] if match else None

    return find


def read_names(images: Sequence[Path], options: SourceOptions) -> Rows:
    """Labels in file names, found by the pattern; each character is a unit."""
    pattern = DEFAULT_PATTERN if options.pattern is None else options.pattern
    try:
        find = finder(pattern, "label")
    except InputError as error:
        raise error.within("pattern") from None

    def sample(path: Path) -> Sample | Problem:
        label = find(path.stem)
        if label is None:
            return Problem(str(path), f"the pattern {pattern!r} does not match the name")
        if not _is_text(label):
            return Problem(ascii(str(path)), "the name is not UTF-8")
        return Sample(str(path), characters(label, options.unicode_form), str(path))

    return Rows(f"file names (pattern {pattern!r})", len(images), lambda: map(sample, images))


def other_files(folder: Path) -> str:
    """Such as "; not read: 2 .heic, 1 .pdf", for files that are neither images nor texts; "" if there are none."""
    known = {"", *SUFFIXES, TEXT_SUFFIX}
    others = (path for path in _visible(folder) if path.suffix.lower() not in known and path.is_file())
    kinds = Counter(path.suffix.lower() for path in others)
    return f"; not read: {', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}" if kinds else ""


def has_texts(images: Iterable[Path]) -> bool:
    return any(path.with_suffix(TEXT_SUFFIX).is_file() for path in images)


def read_texts(folder: Path, images: Sequence[Path], unicode_form: str) -> Rows:
    """Labels in .txt files of one line, UTF-8, with the names of the images they are beside."""

    def read() -> Iterator[Sample | Problem]:
        for path in images:
            yield _with_text(path, unicode_form)
        texts = {path.with_suffix(TEXT_SUFFIX) for path in images}
        for path in sorted(path for path in _visible(folder) if path.suffix == TEXT_SUFFIX and path not in texts):
            yield Problem(str(path), "there is no image of the same name")

    return Rows("the .txt files beside the images", len(images), read)


def _with_text(path: Path, unicode_form: str) -> Sample | Problem:
    text = path.with_suffix(TEXT_SUFFIX)
    try:
        return Sample(str(path), characters(_read_line(text), unicode_form), str(path))
    except InputError as error:
        if not text.exists():
            return Problem(str(path), f"there is no {text.name} beside it")
        return Problem.of(error)
    except UnicodeDecodeError as error:
        return Problem(str(text), f"not UTF-8: byte {error.object[error.start]:#04x}")
    except ValueError as error:
        return Problem(str(text), str(error))


def _read_line(path: Path) -> str:
    """The only line of a text file, without its end."""
    lines = (
        read_bytes(path, MAX_LINE_BYTES, pipes=False).decode("utf-8-sig").replace("\r\n", "\n").rstrip("\n").split("\n")
    )
    if len(lines) > 1:
        raise ValueError(f"{len(lines)} lines of text; expected one")
    return lines[0]


def _is_text(name: str) -> bool:
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in name)  # bytes that were not UTF-8
