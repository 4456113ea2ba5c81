"""Lists: text files with the path of an image and its label in each row, as of PaddleOCR, MMOCR and dddd_trainer.

    train/word_001.jpg<TAB>text

A tab, or a space after the image's name, stands between them. What follows is the label, quotes included; each
character is a unit.
"""

import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ctc_ocr.datasets.csv_files.layout import ROWS_FOR_LAYOUT
from ctc_ocr.datasets.csv_files.text import find_encoding, read_lines, undecoded
from ctc_ocr.datasets.samples import Problem, Rows, Sample, SourceOptions, characters
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import SUFFIXES

IMAGES = "images"  # the folder beside a list that its paths may start from
MAX_BYTES = 1 << 30
MAX_ROW = 1 << 16  # characters
SUFFIX = "|".join(map(re.escape, sorted(SUFFIXES, key=len, reverse=True)))
NAMED = re.compile(rf"(?P<image>.*?(?:{SUFFIX}))(?P<delimiter>[\t ,;:|])(?P<label>.*)", re.IGNORECASE | re.DOTALL)
BY_SPACE = re.compile(rf"(?P<image>.*?(?:{SUFFIX}))[ \t](?P<label>.*)", re.IGNORECASE | re.DOTALL)
# labels.txt, rec_gt_train.txt, train_list.txt, val.txt, ...
WORD = "(?:rec|gt|labels?|list|train|val|valid|validation|test|eval)"
LIST_NAME = re.compile(rf"{WORD}(?:[-_]{WORD})*\.txt", re.IGNORECASE)
HEADER_WORDS = {"image", "img", "path", "file", "name", "filename", "file_name", "image_name", "image_path", "img_path"}
SHOWN = {"\t": "tab", " ": "space"}


def list_delimiter(path: Path, encoding: str | None = None) -> str:
    """A tab or a space, whichever follows the name of an image in half of the rows or more; "" if neither does: the
    file is no list. Raises InputError for a file that cannot be read.

    Nor is it one if the labels stand between `|`, as units in a CSV file do.
    """
    counts, separated, rows = Counter[str](), 0, 0
    for line in itertools.islice(read_lines(path, find_encoding(path, encoding)), ROWS_FOR_LAYOUT):
        rows += bool(line)
        if match := NAMED.match(line[:MAX_ROW]):
            label = match["label"]
            counts[match["delimiter"]] += 1
            separated += len(label) > 1 and label[0] == label[-1] == "|"
    delimiter, count = counts.most_common(1)[0] if counts else ("", 0)
    return delimiter if delimiter in SHOWN and 2 * count >= rows and 2 * separated <= count else ""


def read_list(path: Path, delimiter: str, options: SourceOptions) -> Rows:
    """Samples of a list with this delimiter. Paths are found as `locate` finds them.

    Raises InputError for a file that cannot be read or is larger than 1 GiB.
    """
    refuse_larger(path, MAX_BYTES)
    encoding = find_encoding(path, options.encoding)

    def read() -> Iterator[Sample | Problem]:
        for number, line in enumerate(read_lines(path, encoding), start=1):
            if number == 1 and _is_header(path, line, delimiter):
                continue
            if line:
                yield _row(path, f"{path}, row {number}", line, delimiter, encoding, options.unicode_form)

    form = f"{path} ({SHOWN[delimiter]} between path and label, each character a unit)"
    return Rows(form, sum(1 for _ in read_lines(path, encoding)), read)


def locate(folder: Path, image: str) -> Path:
    """The file of an image that a list in a folder names: from this folder, or from the folder `images` in it.

    A path may also start with the last names of the folder's own path, as paths from a folder above do. If there is no
    such file, the path from the list's folder.
    """
    parts = Path(image).parts
    own = folder.absolute().parts
    tails = (parts[count:] for count in range(1, len(parts)) if own[-count:] == parts[:count])
    for candidate in (folder / image, folder / IMAGES / image, *(folder.joinpath(*tail) for tail in tails)):
        if os.path.exists(candidate):  # noqa: PTH110 - Path.exists raises for names that are too long
            return candidate
    return folder / image


def refuse_larger(path: Path, size: int) -> None:
    """Raises InputError for a file of more than `size` bytes, and for one that cannot be found."""
    try:
        found = path.stat().st_size
    except OSError as error:
        raise InputError(str(error.strerror), path) from None
    if found > size:
        raise InputError(f"too large: {found} bytes; the maximum is {size}", path)


def _is_header(path: Path, line: str, delimiter: str) -> bool:
    word = line.partition(delimiter)[0].strip().lower()
    return word in HEADER_WORDS and not (path.parent / word).exists()


def _row(path: Path, where: str, line: str, delimiter: str, encoding: str, unicode_form: str) -> Sample | Problem:
    if reason := undecoded(line, encoding):
        return Problem(where, reason)
    try:
        image, label = _fields(line, delimiter)
        return Sample(str(locate(path.parent, image)), characters(label, unicode_form), where)
    except ValueError as error:
        return Problem(where, str(error))


def _fields(line: str, delimiter: str) -> tuple[str, str]:
    """Path and label of a row. Raises ValueError for a bad row."""
    if len(line) > MAX_ROW:
        raise ValueError(f"{len(line)} characters; the maximum of a row is {MAX_ROW}")
    if "\0" in line:
        raise ValueError("contains a NUL byte: not a text file, or a damaged one")
    if delimiter == "\t":
        image, found, label = line.partition("\t")
    else:
        match = BY_SPACE.fullmatch(line)
        image, found, label = (match["image"], delimiter, match["label"]) if match else (line, "", "")
    if not found:
        raise ValueError(f"expected the path of an image, a {SHOWN[delimiter]} and a label, got {line[:80]!r}")
    if not image.strip():
        raise ValueError("no path")
    if label.startswith('[{"'):
        raise ValueError("the label is a JSON list, as for finding text in pages; expected the text of the image")
    return image, label
