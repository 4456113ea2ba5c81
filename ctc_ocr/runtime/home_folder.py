"""Paths that begin with ~: the home folder in shells alone, and there only at the beginning of a word."""

import os
from pathlib import Path

from ctc_ocr.errors import InputError


def refuse_tilde(path: str | os.PathLike[str]) -> None:
    """Raises InputError for such a path, unless there is a file or a folder of this name: it would be looked for, or
    made, in a folder ~ of the current one."""
    written = os.fspath(path)
    meant = os.path.expanduser(written)  # noqa: PTH111 - of ~stranger, Path makes an error
    if meant != written and not os.path.lexists(Path(written).parts[0]):
        raise InputError(f"~ is the home folder in a shell only, at the beginning of a word; expected {meant}", written)
