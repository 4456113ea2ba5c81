"""What is in a folder with its subfolders: image files, and files of other kinds, some of which may contain labels."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.datasets.pack_index import beside_rec
from ctc_ocr.datasets.samples import Problem
from ctc_ocr.datasets.sources.shards import is_rec, shard_of
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import SUFFIXES
from ctc_ocr.images.folders import find_files

# Kinds of files that labels of images are kept in.
TEXT_SUFFIXES = {
    ".txt", ".csv", ".tsv", ".tab", ".lst", ".json", ".jsonl", ".ndjson", ".xml", ".hocr", ".alto", ".box", ".yaml",
    ".yml", ".xlsx", ".xls", ".ods", ".docx", ".odt", ".rtf", ".parquet", ".feather", ".mat", ".npy", ".npz", ".pkl",
}  # fmt: skip
ABOUT = re.compile(r"(read[-_ ]?me|licen[cs]e|copying|notice|authors|citation|changelog|requirements)(?![a-z])", re.I)
RUN_MARK = "-symbol.json"  # the file that every run has


@dataclass(frozen=True)
class Folder:
    """The files of a folder and its subfolders, sorted. `images` have the suffix of an image; they may be broken links
    or even folders. Linked folders and names that start with a dot are left out; so are subfolders that cannot be read,
    which are the `notes`."""

    path: Path
    images: tuple[Path, ...]
    others: tuple[Path, ...]
    notes: tuple[Problem, ...] = ()

    def require_images(self) -> tuple[Path, ...]:
        """`images`. Raises InputError if there are none."""
        if not self.images:
            tables = [path for path in self.others if path.suffix.lower() == ".csv"]
            hint = f". If {tables[0].name} lists images, give it in place of the folder" if tables else ""
            raise InputError(f"no image files in this folder; accepted: {', '.join(SUFFIXES)}{hint}", self.path)
        return self.images

    def not_read(self, read: Iterable[Path]) -> str:
        """Such as "; not read: 2 .heic, 1 .pdf", for files that are neither images nor `read`; "" without any."""
        read = set(read)
        kinds = Counter(path.suffix.lower() or "without a suffix" for path in self.others if path not in read)
        return f"; not read: {', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}" if kinds else ""

    def unexplained(self) -> list[Path]:
        """Files that may contain labels: of a kind for texts or tables, and not about the images as a whole, nor of a
        run or a pack that is in the folder."""
        names = {path: path.name for path in self.others if path.suffix.lower() in TEXT_SUFFIXES}
        runs = {(path.parent, path.name.removesuffix(RUN_MARK)) for path in names if path.name.endswith(RUN_MARK)}
        recs = [path for path in self.others if is_rec(path)]
        packs = {beside_rec(path, ".json") for path in recs}
        packs |= {Path(f"{shard.prefix}.json") for path in recs if (shard := shard_of(path))}
        return [
            path
            for path, name in names.items()
            if not ABOUT.match(name)
            and path not in packs
            and not any(path.parent == folder and name.startswith((f"{run}-", f"{run}.")) for folder, run in runs)
        ]


def scan_folder(folder: Path) -> Folder:
    """The files of a folder and its subfolders. Raises InputError for a folder that cannot be read."""
    found = find_files(folder)
    notes = tuple(map(Problem.of, found.unreadable))
    return Folder(folder, tuple(found.images), tuple(found.others), notes)


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
