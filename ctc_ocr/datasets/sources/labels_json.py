"""JSON files {"name.jpg": "text", ...}: the labels.json of docTR, beside or in the folder `images`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from ctc_ocr.alphabet import is_text
from ctc_ocr.datasets.samples import Problem, Rows, Sample, characters
from ctc_ocr.datasets.sources.lists import SUFFIX, locate, refuse_larger
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.input_files import open_stored
from ctc_ocr.runtime.text_files import read_text

LABELS_JSON = "labels.json"
MAX_BYTES = 1 << 28
MAX_LABEL = 1 << 16  # characters
START_BYTES = 1 << 16
# An object whose first value is a text, or belongs to the name of an image.
START = re.compile(rf'\s*{{\s*"(?:(?:[^"\\]|\\.)*"\s*:\s*"|(?:[^"\\]|\\.)*(?:{SUFFIX})"\s*:)', re.IGNORECASE)
KINDS = {list: "a list", bool: "true or false", type(None): "null", int: "a number", float: "a number"}


class _Object(list[tuple[str, object]]):
    """The members of a JSON object in their order; a dict would drop keys that are repeated."""


def is_labels_json(path: Path) -> bool:
    """Whether the start of a file looks like {"name": "text", ...}."""
    try:
        with open_stored(path) as file:
            start = file.read(START_BYTES)
    except InputError:
        return False
    return START.match(start.decode("utf-8-sig", "replace")) is not None


def read_labels_json(path: Path, unicode_form: str) -> Rows:
    """A sample per entry; paths are found as in a list. Each character is a unit.

    Entries whose key is repeated are problems: all of them if the texts differ, or else all but the first. Raises
    InputError for a file that cannot be read, is something else, or is larger than 256 MiB.
    """
    entries = _entries(path)
    texts: dict[str, list[object]] = {}
    for name, label in entries:
        texts.setdefault(name, []).append(label)
    # Once for each name: one that is repeated a million times would else be compared a million times.
    contradicting = {name for name, labels in texts.items() if any(each != labels[0] for each in labels)}

    def read() -> Iterator[Sample | Problem]:
        seen = set[str]()
        for number, (name, label) in enumerate(entries, start=1):
            where = f"{path}, entry {number}"
            reason = f"contradicting labels: the name has {len(texts[name])} entries" if name in contradicting else ""
            reason = reason or _reason(name, label, is_first=name not in seen)
            seen.add(name)
            if reason:
                yield Problem(where, f"{ascii(name)}: {reason}")
            else:
                yield Sample(str(locate(path.parent, name)), characters(str(label), unicode_form), where)

    return Rows(f"{path} (each character a unit)", len(entries), read)


def _entries(path: Path) -> list[tuple[str, object]]:
    refuse_larger(path, MAX_BYTES)
    try:
        value = json.loads(read_text(path), object_pairs_hook=_Object)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}", path) from None
    if not isinstance(value, _Object):
        raise InputError('expected {"name.jpg": "text", ...}', path)
    return value


def _reason(name: str, label: object, is_first: bool) -> str:
    """Why an entry gives no sample, whatever others say; "" if it does."""
    if not is_first:
        return "the name has an entry already"
    if not isinstance(label, str):
        return f"the label is {KINDS.get(type(label), 'an object')}; expected a text"
    if not name or "\0" in name or not is_text(name):
        return "not the path of a file"
    if not is_text(label):
        return "the label is not valid Unicode"
    if len(label) > MAX_LABEL:
        return f"the label has {len(label)} characters; the maximum is {MAX_LABEL}"
    return ""
