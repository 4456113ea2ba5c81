"""Folders of image files, and the folders below: labels in the files' names, or in .txt files beside them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ctc_ocr.datasets.samples import Problem, Rows, Sample, SourceOptions, characters
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import SUFFIXES

DEFAULT_PATTERN = r"^(?P<label>.*?)(_[^_]*)?$"  # what stands before the last underscore, or all where there is none
TEXT_SUFFIX = ".txt"


def find_image_files(folder: Path) -> list[Path]:
    """What has an image's name in a folder and below it, sorted; linked folders are not entered, and what starts with a
    dot is left out. Raises InputError if there is none."""
    found = sorted(path for path in _visible(folder) if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f"no image files in this folder; accepted: {', '.join(SUFFIXES)}", folder)
    return found


def _visible(folder: Path) -> Iterable[Path]:
    return (
        path for path in folder.rglob("*") if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def finder(pattern: str, group: str) -> Callable[[str], str | None]:
    """A function that finds a regular expression's group of this name, or its first, in a text; None where it is not.

    Raises InputError for what is no regular expression, or has no group.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"{pattern!r} is no regular expression: {error}") from None
    if not compiled.groups:
        raise InputError(f"the regular expression {pattern!r} has no group, as in (?P<{group}>...)")
    key = group if group in compiled.groupindex else 1

    def find(text: str) -> str | None:
        match = compiled.search(text)
        return match[key] if match else None

    return find


def read_names(images: Sequence[Path], options: SourceOptions) -> Rows:
    """Labels in the names of files, where the pattern finds them; each character is a unit."""
    pattern = DEFAULT_PATTERN if options.pattern is None else options.pattern
    find = finder(pattern, "label")

    def named(path: Path) -> Sample | Problem:
        label = find(path.stem)
        if label is None:
            return Problem(str(path), f"the pattern {pattern!r} finds no label in the name")
        if not _is_text(label):
            return Problem(ascii(str(path)), "the name is not UTF-8")
        return Sample(str(path), characters(label, options.normalise), str(path))

    return Rows(f"the names of files, by the pattern {pattern!r}", len(images), lambda: map(named, images))


def left_alone(folder: Path) -> str:
    """ "; left alone: 2 .heic, 1 .pdf" for files that are neither images that can be read nor texts; "" without any."""
    known = {"", *SUFFIXES, TEXT_SUFFIX}
    others = (path for path in _visible(folder) if path.suffix.lower() not in known and path.is_file())
    kinds = Counter(path.suffix.lower() for path in others)
    return f"; left alone: {', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}" if kinds else ""


def has_texts(images: Iterable[Path]) -> bool:
    return any(path.with_suffix(TEXT_SUFFIX).is_file() for path in images)


def read_texts(folder: Path, images: Sequence[Path], normalise: str) -> Rows:
    """Labels in .txt files, one line each in UTF-8, beside the images and with their names."""

    def read() -> Iterator[Sample | Problem]:
        for path in images:
            yield _with_text(path, normalise)
        texts = {path.with_suffix(TEXT_SUFFIX) for path in images}
        for path in sorted(path for path in _visible(folder) if path.suffix == TEXT_SUFFIX and path not in texts):
            yield Problem(str(path), "there is no image of this name beside it")

    return Rows("the .txt files beside the images", len(images), read)


def _with_text(path: Path, normalise: str) -> Sample | Problem:
    text = path.with_suffix(TEXT_SUFFIX)
    try:
        return Sample(str(path), characters(_read_line(text), normalise), str(path))
    except FileNotFoundError:
        return Problem(str(path), f"there is no {text.name} beside it")
    except UnicodeDecodeError as error:
        return Problem(str(text), f"not UTF-8: byte {error.object[error.start]:#04x}")
    except OSError as error:
        return Problem(str(text), str(error.strerror))
    except ValueError as error:
        return Problem(str(text), str(error))


def _read_line(path: Path) -> str:
    """The one line of a text file, without its end."""
    lines = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) > 1:
        raise ValueError(f"{len(lines)} lines of text; an image has one")
    return lines[0]


def _is_text(name: str) -> bool:
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in name)  # bytes that were not UTF-8
