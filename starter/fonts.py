"""Download the free fonts of a table: python -m starter.fonts FOLDER

They come from the npm registry, in the packages of the Expo project, and are checked against the table's checksums.
What is there already is kept. In fonts.csv, which is for the starter model, fonts of common captcha generators are held
out: the model is tested with those.
"""

import argparse
import base64
import csv
import hashlib
import io
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath

from ctc_ocr.errors import InputError, RunError, UserError
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.runtime.progress import shown_progress

TABLE = Path(__file__).with_name("fonts.csv")
REGISTRY = "https://registry.npmjs.org"
HELD_OUT = "held out"  # the kind of families that are not used
LICENCES = frozenset({"OFL-1.1", "Apache-2.0", "UFL-1.0"})
MAX_PACKAGE = 64 * 2**20  # bytes
MAX_FONT = 16 * 2**20
SECONDS = 60

Download = Callable[[str], bytes]


@dataclass(frozen=True)
class Family:
    """A row of the table: the styles of a family that are used, and the package that has them."""

    kind: str
    family: str
    package: str
    version: str
    styles: tuple[str, ...]
    licence: str
    integrity: str  # "sha512-" and the base64 of the package's digest, as npm writes it

    @property
    def files(self) -> tuple[str, ...]:
        """Names of its font files."""
        return tuple(f"{self.family}_{style}.ttf" for style in self.styles)

    @property
    def url(self) -> str:
        """Path of the package within a registry."""
        return f"/{self.package}/-/{self.package.rpartition('/')[2]}-{self.version}.tgz"


def read_table(path: Path = TABLE) -> list[Family]:
    """The families that are used. Raises InputError for another licence than LICENCES, and for no such table."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["kind"] != HELD_OUT]
        families = [Family(**{**row, "styles": tuple(row["styles"].split())}) for row in rows]  # type: ignore[arg-type]
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from None
    except (UnicodeDecodeError, csv.Error, KeyError, TypeError, AttributeError):
        columns = ", ".join(field.name for field in fields(Family))
        raise InputError(f"not a table of families; expected a CSV file with the columns {columns}", path) from None
    for each in families:
        if each.licence not in LICENCES:
            raise InputError(f"licence {each.licence!r}; accepted: {', '.join(sorted(LICENCES))}", each.family)
    return families


def held_out(path: Path = TABLE) -> list[str]:
    """Names of the families that are not used."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row["family"] for row in csv.DictReader(file) if row["kind"] == HELD_OUT]


def fetch(
    folder: Path, families: Sequence[Family], download: Download, progress: Callable[[int, int], object] | None = None
) -> int:
    """Put the families' font files into a folder; returns how many were not there. `download` gives what is at a
    path of the registry. Raises RunError for a package that is not the one of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for number, family in enumerate(families, start=1):
        if not all((folder / name).is_file() for name in family.files):
            fonts = fonts_of(download(family.url), family)
            for name, font in fonts.items():
                with replacing(folder / name) as path:
                    path.write_bytes(font)
            count += len(fonts)
        if progress is not None:
            progress(number, len(families))
    return count


def fonts_of(package: bytes, family: Family) -> Mapping[str, bytes]:
    """{name: font} of a package, a gzipped tar file. Raises RunError for another checksum or if a font is missing.

    Only regular files whose own name is expected are read, and they are written under that name, so that a package
    can neither place files elsewhere nor fill the disk.
    """
    digest = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode("ascii")
    if digest != family.integrity:
        raise RunError(f"its checksum is {digest}, not {family.integrity}", f"{family.package} {family.version}")
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            if name in family.files and member.isfile() and member.size <= MAX_FONT:
                file = archive.extractfile(member)
                found[name] = file.read(MAX_FONT) if file else b""
    missing = sorted(set(family.files) - found.keys())
    if missing:
        raise RunError(f"the package has no {', '.join(missing)}", f"{family.package} {family.version}")
    return found


def from_registry(registry: str) -> Download:
    """Downloads from an npm registry, by its address. Raises RunError where it cannot."""
    if not registry.startswith("https://"):
        raise InputError("expected an address that begins with https://", registry)

    def download(path: str) -> bytes:
        address = registry.rstrip("/") + path
        try:
            with urllib.request.urlopen(address, timeout=SECONDS) as answer:
                package: bytes = answer.read(MAX_PACKAGE + 1)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            raise RunError(f"cannot be downloaded: {getattr(error, 'reason', error)}", address) from None
        if len(package) > MAX_PACKAGE:
            raise RunError(f"larger than {MAX_PACKAGE} bytes", address)
        return package

    return download


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m starter.fonts", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to put the fonts; created if missing")
    parser.add_argument("--registry", default=REGISTRY, help=f"npm registry or a mirror (default: {REGISTRY})")
    parser.add_argument("--table", type=Path, default=TABLE, help="of families (default: that of the starter model)")
    parser.add_argument("--kind", help="families of this kind of the table only (default: all that are not held out)")
    arguments = parser.parse_args(argv)
    try:
        families = [each for each in read_table(arguments.table) if arguments.kind in (None, each.kind)]
        if not families:
            raise InputError(f"no family of kind {arguments.kind!r}", str(arguments.table))
        with shown_progress() as progress:
            count = fetch(arguments.folder, families, from_registry(arguments.registry), progress)
    except UserError as error:
        print(f"starter.fonts: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    total = sum(len(family.files) for family in families)
    print(f"{count} fonts were downloaded; {arguments.folder} has {total} of {len(families)} families")
    return 0


if __name__ == "__main__":
    sys.exit(main())
