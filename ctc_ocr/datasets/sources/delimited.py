"""CSV files: a path and a label in each row. Plain (`path,label`), or with separated units (`path;|u|n|i|t|s|`).

Each line is a row, so a quote that is never closed breaks its own row only. The file may start with a header of `image`
and `label` in the form of the rows (`image,label`, `image;|label|`). Otherwise the form is recognised from the rows,
and a header of other words is skipped.
"""

import csv
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.datasets.labels_csv import HEADER
from ctc_ocr.datasets.samples import Problem, Rows, Sample, SourceOptions, characters
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import SUFFIXES
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.runtime.input_files import MAX_LINE_BYTES

DELIMITERS = (",", ";", "\t")  # recognised ones, the likeliest first
SPLITTER = "|"
ROWS_FOR_FORM = 1000  # rows from which the form is recognised
HEADER_LINE = re.compile(rf"^{HEADER[0]}(?P<delimiter>[^\w\s\"]|\t)(?P<splitter>[^\w\s\"]?){HEADER[1]}(?P=splitter)$")


@dataclass(frozen=True)
class Form:
    """How a row is written. An empty splitter: each character of the label is a unit."""

    delimiter: str
    splitter: str


def read_delimited(path: Path, options: SourceOptions) -> Rows:
    """Samples of a CSV file; relative paths start from its folder. Raises InputError for a file that is not text."""
    lines = list(itertools.islice(read_lines(path), ROWS_FOR_FORM))
    header = _header(lines)
    if header and options.delimiter not in (None, header.delimiter):
        header = None
    form = _form(lines, header, options)
    skipped = bool(header) or is_other_header(path, lines, form.delimiter)

    def read() -> Iterator[Sample | Problem]:
        for number, line in enumerate(read_lines(path), start=1):
            if line and not (number == 1 and skipped):
                yield _row(path, number, line, form, options.unicode_form)

    units = f"units separated by {form.splitter!r}" if form.splitter else "each character a unit"
    return Rows(f"{path} (delimiter {form.delimiter!r}, {units})", sum(1 for _ in read_lines(path)), read)


def _row(path: Path, number: int, line: bytes, form: Form, unicode_form: str) -> Sample | Problem:
    where = f"{path}, row {number}"
    try:
        image, label = _fields(line, form.delimiter)
        return Sample(str(path.parent / image), _units(label, form, unicode_form), where)
    except UnicodeDecodeError as error:
        return Problem(where, f"not UTF-8: {line[error.start]:#04x} at byte {error.start + 1} of the row")
    except ValueError as error:
        return Problem(where, str(error))


def read_lines(path: Path) -> Iterator[bytes]:
    """Rows without line ends and byte order mark. Raises InputError for a file that cannot be read, is UTF-16, or has a
    row of more than MAX_LINE_BYTES."""
    try:
        with path.open("rb") as file:
            start = file.read(3)
            if start.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise InputError("UTF-16; accepted: UTF-8", path)
            if start != b"\xef\xbb\xbf":
                file.seek(0)
            while piece := file.readline(MAX_LINE_BYTES + 1):
                if len(piece) > MAX_LINE_BYTES:
                    raise InputError(f"a row of more than {MAX_LINE_BYTES:,} bytes; expected a text file", path)
                yield from piece.splitlines()  # a lone CR ends a row too
    except OSError as error:
        raise InputError(str(error.strerror), path) from None


def _header(lines: list[bytes]) -> Form | None:
    match = HEADER_LINE.match(lines[0].decode("utf-8", "replace")) if lines else None
    return match and Form(match["delimiter"], match["splitter"])


def is_other_header(path: Path, lines: Sequence[bytes], delimiter: str) -> bool:
    """Whether the first row starts with a word (such as `path`) and all others with the name of an image file."""
    names = [(_try_parse(line, delimiter) or [""])[0] for line in lines if line]
    if len(names) < 2 or not all(name.lower().endswith(SUFFIXES) for name in names[1:]):
        return False
    return names[0].isidentifier() and not (path.parent / names[0]).exists()


def _form(lines: list[bytes], header: Form | None, options: SourceOptions) -> Form:
    """From the options, or else the header, or else the rows."""
    for name, given, minimum in (("delimiter", options.delimiter, 1), ("splitter", options.splitter, 0)):
        if given is not None and (not minimum <= len(given) <= 1 or given in '"\r\n' and given):
            raise InputError(f"expected one character, not a quote or line end, got {given!r}", name)
    if options.delimiter is not None and options.delimiter == options.splitter:
        raise InputError(f"delimiter and splitter are the same: {options.delimiter!r}")
    candidates: tuple[str, ...] = DELIMITERS if options.delimiter is None else (options.delimiter,)
    candidates = tuple(each for each in candidates if each != options.splitter)
    delimiter, labels = likeliest_delimiter(lines, candidates)
    if header:
        delimiter, splitter = header.delimiter, header.splitter
    else:
        separated = sum(_is_split(label, SPLITTER) for label in labels)
        splitter = SPLITTER if delimiter != SPLITTER and 2 * separated > len(labels) else ""
    return Form(delimiter, splitter if options.splitter is None else options.splitter)


def likeliest_delimiter(lines: Sequence[bytes], delimiters: Iterable[str]) -> tuple[str, list[str]]:
    """The delimiter with which most rows start with the path of an image file, and the labels it gives."""
    best: tuple[tuple[int, int, int], str, list[str]] | None = None
    for delimiter in delimiters:
        rows = [row for row in (_try_parse(line, delimiter) for line in lines) if len(row) > 1]
        named = sum(row[0].lower().endswith(SUFFIXES) for row in rows)
        labels = [row[1] for row in rows if len(row) == 2]
        score = (named, sum(_is_split(label, SPLITTER) for label in labels), len(labels))
        if best is None or score > best[0]:
            best = score, delimiter, labels
    assert best is not None
    return best[1:]


def _try_parse(line: bytes, delimiter: str) -> list[str]:
    try:
        return parse_row(line, delimiter)
    except ValueError:
        return []


def parse_row(line: bytes, delimiter: str) -> list[str]:
    """Fields of a row. Raises ValueError for a bad row (UnicodeDecodeError for bad UTF-8)."""
    if b"\0" in line:
        raise ValueError("contains a NUL byte: not a text file, or a damaged one")
    try:
        return next(csv.reader([line.decode("utf-8")], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise ValueError(f"bad quoting: {error}; a quoted field must end on its line, before the delimiter") from None


def _fields(line: bytes, delimiter: str) -> tuple[str, str]:
    """Path and label of a row. Raises ValueError if it has not two fields."""
    fields = parse_row(line, delimiter)
    if len(fields) != 2:
        hint = f"; a field that contains {delimiter!r} must be quoted" if len(fields) > 2 else ""
        raise ValueError(f"expected 2 fields separated by {delimiter!r}, got {len(fields)}{hint}")
    image, label = fields
    if not image:
        raise ValueError("no path")
    return image, label


def _units(label: str, form: Form, unicode_form: str) -> tuple[str, ...]:
    if not form.splitter:
        return characters(label, unicode_form)
    if label in ("", form.splitter, form.splitter * 2):
        return ()
    if not _is_split(label, form.splitter):
        raise ValueError(f"the label {label!r} does not start and end with {form.splitter!r}")
    units = label[1:-1].split(form.splitter)
    if "" in units:
        raise ValueError(f"the label {label!r} has an empty unit")
    return tuple("".join(characters(unit, unicode_form)) for unit in units)


def _is_split(label: str, splitter: str) -> bool:
    return len(label) > 1 and label[0] == label[-1] == splitter


def _form_for(rows: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[Form, str]:
    """The form in which these (image, units) rows can be written and read again, and its header ("": none is needed).

    Units of one character are written plainly; longer ones as in tf_crnn, which has no header. One is needed if the
    names are not those of image files, or if a unit contains the usual splitter, which is then replaced.
    """
    images, labels = zip(*rows, strict=True)
    units = set(itertools.chain.from_iterable(labels))
    if all(len(unit) == 1 for unit in units):
        return Form(",", ""), ",".join(HEADER)
    used = set("".join(units)) | {";"}
    if SPLITTER not in used and all(image.lower().endswith(SUFFIXES) for image in images):
        return Form(";", SPLITTER), ""
    others = (chr(code) for code in itertools.count(ord("!")) if unicodedata.category(chr(code))[0] in "PS")
    headers = (
        (mark, f"{HEADER[0]};{mark}{HEADER[1]}{mark}") for mark in itertools.chain(SPLITTER, others) if mark not in used
    )
    splitter, header = next((mark, header) for mark, header in headers if HEADER_LINE.match(header))
    return Form(";", splitter), header


def write_delimited(path: Path, rows: Iterable[tuple[str, tuple[str, ...]]]) -> None:
    """Write one or more (image, units) rows for read_delimited. The file is written completely or not at all.

    Raises InputError for a path with a line end or one that is not UTF-8, RunError if the file cannot be written.
    """
    rows = list(rows)
    form, header = _form_for(rows)
    try:
        with replacing(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=form.delimiter, lineterminator="\n")
            if header:
                file.write(f"{header}\n")
            for image, units in rows:
                label = form.splitter + form.splitter.join(units) + form.splitter
                if any(character in image + label for character in "\n\r\0"):
                    raise InputError("a row with a line end or a NUL cannot be written to a CSV file", repr(image))
                writer.writerow((image, label))
    except UnicodeEncodeError:
        raise InputError("the path of an image is not UTF-8 and cannot be written to a CSV file", path) from None
