"""Check output files before the work whose results they will hold."""

from collections.abc import Iterable
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.home_folder import refuse_tilde

SPREADSHEETS = (".xlsx", ".xls", ".ods")


def refuse_existing(paths: Iterable[Path], overwrite: bool) -> None:
    """Make the folders of the files. Raises InputError for a file that exists, unless `overwrite`, for a folder, and
    for the name of a spreadsheet, which no file of this package is."""
    for path in paths:
        refuse_tilde(path)
        if path.suffix.lower() in SPREADSHEETS:  # no spreadsheet would open it
            raise InputError(f"no spreadsheet is written; expected a name such as {path.stem}.csv", path)
        if path.is_dir():
            raise InputError("is a folder; expected the name of a file", path)
        if path.exists() and not overwrite:
            raise InputError("exists already: replace it with --overwrite, or use another name", path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"not a folder that can be written to ({error.strerror})", path.parent) from None
