"""Making a bundle of a model."""

import os
from pathlib import Path

from ctc_ocr.checkpoint.bundle import bundle_content, find_model
from ctc_ocr.checkpoint.model_files import load_stored
from ctc_ocr.checkpoint.run_files import BUNDLE_SUFFIX, Epoch, existing_files
from ctc_ocr.errors import InputError, check_kind
from ctc_ocr.runtime.atomic_files import replace_content
from ctc_ocr.runtime.output_files import refuse_existing


def bundle_model(model: str | Path, out: str | Path, epoch: Epoch | None = None, overwrite: bool = False) -> int:
    """Write one epoch of a model into one file, from which it is read like from its own files. Returns the epoch.

    `model`: a prefix, a PREFIX-0007.params, a folder with one model, or a bundle. `out`: the name of the file, which
    ends in .zip. `epoch`: as in Predictor. The same model gives the same bytes.

    Raises InputError if the model cannot be loaded, for another ending, if the file exists (unless `overwrite`), or if
    it is one of the model's own files; RunError if it cannot be written.
    """
    check_kind("a path", model=model, out=out)
    check_kind("True or False", overwrite=overwrite)
    stored, path = find_model(model, epoch), Path(out)
    if path.suffix.lower() != BUNDLE_SUFFIX:
        raise InputError(f"expected the name of a {BUNDLE_SUFFIX} file", path)
    used = [*existing_files(stored.prefix), Path(stored.prefix)]
    if os.path.realpath(path) in map(os.path.realpath, used):
        raise InputError("is a file of the model itself: use another name", path)
    refuse_existing([path], overwrite)
    load_stored(stored)  # a model that cannot be loaded is not carried elsewhere
    content = bundle_content(stored)
    replace_content(path, content)
    return stored.epoch
