"""The place of a run's files: whether it can be written to, and which run is there already."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ctc_ocr.checkpoint import run_files
from ctc_ocr.checkpoint.starter import STARTER
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.home_folder import refuse_tilde
from ctc_ocr.training.settings import RunOptions
from ctc_ocr.training.start import Start

# What replacing adds to a prefix at most; a longer name would fail only once an epoch has been trained.
LONGEST_ENDING = "-unfinished.state.npz.0000000-000000.tmp"


@contextmanager
def usable_prefix(prefix: str) -> Iterator[None]:
    """Makes the folder of the run's files; it goes again if nothing was written. Raises InputError for what cannot be
    the beginning of file names, or a folder that cannot be written to.
    """
    folder, name = Path(f"{prefix}-").parent, Path(f"{prefix}-").name[:-1]
    made = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        try:
            _refuse_other_names(prefix)
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{name}", suffix=LONGEST_ENDING):
                pass
        except OSError as error:
            raise InputError(f"{folder} cannot be written to: {error.strerror}", f"prefix {prefix}") from None
        yield
    finally:
        for each in made:
            with suppress(OSError):  # not empty: something was written
                each.rmdir()


def _refuse_other_names(prefix: str) -> None:
    """Raises InputError, or OSError for a name that the system does not accept."""
    if prefix == STARTER or run_files.is_onnx(prefix):
        raise InputError("is the name of another kind of model; choose another prefix", f"prefix {prefix!r}")
    if not prefix or prefix.endswith("/") or Path(prefix).is_dir():
        hint = f"it is a folder; {prefix.rstrip('/')}/ocr would be in it; " if prefix else ""
        raise InputError(f"{hint}expected the beginning of file names, such as models/ocr", f"prefix {prefix!r}")
    if prefix != prefix.encode("utf-8", "replace").decode("utf-8"):
        raise InputError("MXNet accepts only file names in UTF-8", f"prefix {prefix!r}")
    refuse_tilde(prefix)


def replaced_files(options: RunOptions) -> list[Path]:
    """The files of the run that is replaced. Raises InputError if there is one that must not be."""
    prefix = options.prefix
    existing = run_files.existing_files(prefix)
    if options.resume and not run_files.can_be_resumed(prefix):
        raise InputError(f"nothing to resume: there is no {prefix}-0001.params or later epoch")
    if existing and not (options.resume or options.overwrite):
        way = "continue it with --resume, " if run_files.can_be_resumed(prefix) else "it has no checkpoint yet; "
        raise InputError(
            f"there is a run under the prefix {prefix!r} already ({existing[0]}, ...): "
            f"{way}replace it with --overwrite, or use another --prefix"
        )
    if existing:
        Start(options).refuse_replaced(prefix)
    return existing if options.overwrite else []
