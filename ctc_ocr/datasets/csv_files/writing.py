"""Write CSV files of labelled images that are read again as they were."""

import csv
import itertools
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from ctc_ocr.datasets.csv_files.fields import is_image_name
from ctc_ocr.datasets.csv_files.header import LINE
from ctc_ocr.datasets.csv_files.units import SPLITTER, join_units
from ctc_ocr.datasets.labels_csv import HEADER
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.atomic_files import replacing

Row = tuple[str, tuple[str, ...]]


def write_delimited(path: Path, rows: Iterable[Row]) -> None:
    """Write one or more (image, units) rows for read_delimited. The file is written completely or not at all.

    Raises InputError for a path with a line end or one that is not UTF-8, RunError if the file cannot be written.
    """
    rows = list(rows)
    delimiter, splitter, header = _form_for(rows)
    try:
        with replacing(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
            if header:
                file.write(f"{header}\n")
            for image, units in rows:
                label = join_units(units, splitter)
                if any(character in image + label for character in "\n\r\0"):
                    raise InputError("a row with a line end or a NUL cannot be written to a CSV file", repr(image))
                writer.writerow((image, label))
    except UnicodeEncodeError:
        raise InputError("the path of an image is not UTF-8 and cannot be written to a CSV file", path) from None


def _form_for(rows: Iterable[Row]) -> tuple[str, str, str]:
    """The delimiter, splitter and header ("": none is needed) with which these rows can be written and read again.

    Units of one character are written plainly; longer ones as in tf_crnn, which has no header. One is needed if the
    names are not those of image files, or if a unit contains the usual splitter, which is then replaced.
    """
    images, labels = zip(*rows, strict=True)
    units = set(itertools.chain.from_iterable(labels))
    if all(len(unit) == 1 for unit in units):
        return ",", "", ",".join(HEADER)
    used = set("".join(units)) | {";"}
    if SPLITTER not in used and all(map(is_image_name, images)):
        return ";", SPLITTER, ""
    others = (chr(code) for code in itertools.count(ord("!")) if unicodedata.category(chr(code))[0] in "PS")
    headers = (
        (mark, f"{HEADER[0]};{mark}{HEADER[1]}{mark}") for mark in itertools.chain(SPLITTER, others) if mark not in used
    )
    splitter, header = next((mark, header) for mark, header in headers if LINE.fullmatch(header))
    return ";", splitter, header
