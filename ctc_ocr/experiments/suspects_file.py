"""CSV files of suspected label errors: the suggestions that somebody accepts in it are applied. No MXNet."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.alphabet import Alphabet, UnitSplitter
from ctc_ocr.datasets.csv_files.fields import is_empty_row, parse_row
from ctc_ocr.datasets.csv_files.header import normal
from ctc_ocr.datasets.csv_files.layout import find_layout
from ctc_ocr.datasets.csv_files.paths import locate, relative_path, without_line_ends, written_path
from ctc_ocr.datasets.csv_files.text import read_lines
from ctc_ocr.datasets.csv_files.writing import write_delimited
from ctc_ocr.datasets.samples import Problem, Sample, SourceOptions, checked_source_options
from ctc_ocr.datasets.sources import DEFAULT_OPTIONS, read_source
from ctc_ocr.datasets.sources.layouts import is_read_by
from ctc_ocr.errors import InputError, check_kind, list_of
from ctc_ocr.experiments.audit import Suspect
from ctc_ocr.runtime.output_files import refuse_existing
from ctc_ocr.runtime.table_files import replacing_table

COLUMNS = ("image", "label", "suggestion", "score", "accept")
YES, NO = ("yes", "y", "x", "1", "true"), ("", "no", "n", "0", "false")


@dataclass(frozen=True)
class Corrections:
    """What `correct_labels` wrote: how many labels, how many of them were changed, and rows that give no sample."""

    num_labels: int
    num_changed: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _Accepted:
    """A row of a suspects file that was accepted."""

    suggestion: str
    where: str


def write_suspects(path: str | Path, suspects: Sequence[Suspect]) -> None:
    """Write the suspects, best first, with an empty column `accept`. Paths are relative to the file's folder; an image
    in a pack has its place instead. Line ends and NULs are escaped, so that each suspect is one row. Raises RunError if
    the file cannot be written."""
    check_kind("a path", path=path)
    path, suspects = Path(path), list_of(Suspect, suspects, "suspects")
    with replacing_table(path, COLUMNS) as write:
        for each in suspects:
            sample = each.sample
            image = written_path(sample.image, path) if sample.is_file else without_line_ends(sample.where)
            texts = map(without_line_ends, (each.label, each.suggestion))
            write((image, *texts, f"{each.score:.4f}", ""))


def correct_labels(
    source: str | Path,
    suspects: str | Path,
    out: str | Path,
    options: SourceOptions = DEFAULT_OPTIONS,
    overwrite: bool = False,
) -> Corrections:
    """Write all labels of a source into a CSV file, with the suggestions that were accepted in a file of suspects.

    `yes`, `y`, `x`, `1` and `true` accept a row, also where the suggestion was edited. Raises InputError for files that
    cannot be used, and, with the row, for an image that is not in the source or has another label by now.
    """
    check_kind("a path", source=source, suspects=suspects, out=out)
    check_kind("True or False", overwrite=overwrite)
    checked_source_options(options)
    out = Path(out)
    if any(is_read_by(each, out) for each in (source, suspects)):
        raise InputError("would replace a file that is read: use another name", out)
    refuse_existing([out], overwrite)
    accepted = _accepted(Path(suspects))
    samples, problems = read_source(source, options)
    if not samples or not all(each.is_file for each in samples):
        raise InputError("its images are not files that a CSV file can name; correct what it was made of", source)
    splitter = UnitSplitter(Alphabet.from_labels(each.units for each in samples))
    rows, changed, found = [], 0, dict[str, list[Sample]]()
    for sample in samples:
        image = os.path.realpath(sample.image)
        found.setdefault(image, []).append(sample)  # an image may be there more than once, with two labels too
        row = accepted.get((image, sample.label))
        units = sample.units if row is None else tuple(splitter.pieces(row.suggestion))
        changed += units != sample.units
        rows.append((relative_path(sample.image, out), units))
    for (image, label), row in accepted.items():
        if image not in found:
            raise InputError(f"the image is not in {source}", row.where)
        if label not in (each.label for each in found[image]):
            now = found[image][0]
            raise InputError(f"the label was {label!r}, and {now.where} has {now.label!r} now", row.where)
    write_delimited(out, rows)
    return Corrections(len(rows), changed, tuple(problems))


def _accepted(path: Path) -> dict[tuple[str, str], _Accepted]:
    """{(real path of the image, label): row} of those that were accepted."""
    if path.is_dir():
        raise InputError("a folder; expected the file of suspects that `ctc-ocr data audit --out` writes", path)
    found: dict[tuple[str, str], _Accepted] = {}
    for where, fields in _rows(path):
        answer = fields["accept"].strip().lower()
        if answer not in (*YES, *NO):
            raise InputError(f"accept: expected yes, no or nothing, got {fields['accept']!r}", where)
        if answer in NO:
            continue
        if not fields["suggestion"]:
            raise InputError("suggestion: an empty label cannot be accepted; delete the image from the source", where)
        try:
            image = os.path.realpath(locate(path.parent, fields["image"]))
        except ValueError as error:
            raise InputError(str(error), where) from None
        row = _Accepted(fields["suggestion"], where)
        if (other := found.setdefault((image, fields["label"]), row)).suggestion != row.suggestion:
            raise InputError(f"suggestion: {row.suggestion!r}, and {other.where} has {other.suggestion!r}", where)
    return found


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Place and {column: field} of each row. Other columns may be there, in any order."""
    layout = find_layout(path, SourceOptions())
    names = [normal(name) for name in layout.header.names] if layout.header else []
    if missing := [name for name in COLUMNS if name != "score" and name not in names]:
        raise InputError(f"no column {missing[0]!r}; expected what `ctc-ocr data audit --out` writes", path)
    for number, line in enumerate(read_lines(path, layout.encoding), 1):
        if number < layout.first or is_empty_row(line, layout.delimiter):
            continue
        where = f"{path}, row {number}"
        try:
            fields = parse_row(line, layout.delimiter, layout.encoding)
        except ValueError as error:
            raise InputError(str(error), where) from None
        fields += [""] * (len(names) - len(fields))  # spreadsheets leave out empty fields at the end of a row
        yield where, dict(zip(names, fields, strict=False))
