"""A bundle: one epoch of a model in one file, with all that reading images needs. No MXNet.

It is a zip archive with `bundle.json` and the parts of checkpoint/stored_model.py, none of which depends on the prefix
that the model had, or runs as code.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from ctc_ocr.checkpoint.archive import Archive, archive_content
from ctc_ocr.checkpoint.run_files import (
    BEST,
    BUNDLE_SUFFIX,
    NEWEST,
    Epoch,
    check_epoch,
    is_bundle,
    is_onnx,
    resolve_model,
    select_checkpoint,
)
from ctc_ocr.checkpoint.starter import STARTER, starter_path
from ctc_ocr.checkpoint.stored_model import MIB, PARTS, Part, StoredModel, StoredRun
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.text_files import parse_json

FORMAT, VERSION = "ctc_ocr bundle", 1
METADATA = "bundle.json"
LIMITS = {METADATA: MIB, **{part.name: part.max_bytes for part in PARTS}}
MAX_EPOCH = 2**31


@dataclass(frozen=True)
class Bundle:
    """The model in a bundle; see StoredModel."""

    prefix: str
    epoch: int
    archive: Archive

    @classmethod
    def open(cls, path: str | Path, epoch: Epoch | None = None) -> "Bundle":
        """Raises InputError that names the file if it is not a bundle, or has another epoch than this."""
        archive = Archive(Path(path), LIMITS)
        required = {METADATA, *(part.name for part in PARTS if part.required)}
        if missing := required - archive.names:
            raise InputError(f"not the bundle of a model: it lacks {', '.join(sorted(missing))}", path)
        own = _epoch_in(archive.read(METADATA), Path(path) / METADATA)
        if epoch not in (None, BEST, NEWEST, own):
            raise InputError(f"this is epoch {own}, and epoch {epoch} was asked for: a bundle has only one", path)
        return cls(str(path), own, archive)

    def where(self, part: Part) -> Path:
        return Path(self.prefix) / part.name

    def read(self, part: Part) -> bytes | None:
        return self.archive.read(part.name) if part.name in self.archive.names else None


def find_model(path: str | Path, epoch: Epoch | None = None) -> StoredModel:
    """The model that a path and an epoch stand for: STARTER is the one that comes with the package, others are a
    bundle, or see `select_checkpoint`. Raises InputError."""
    check_epoch(epoch)
    if str(path) == STARTER:
        return Bundle.open(starter_path(), epoch)
    if is_onnx(path):
        raise InputError("an ONNX model, which can only read images; expected the model that was exported", path)
    found, _ = resolve_model(path)
    if not is_bundle(found):
        return StoredRun(*select_checkpoint(path, epoch))
    try:
        return Bundle.open(found, epoch)
    except InputError:
        if found.lower().endswith(BUNDLE_SUFFIX):
            raise
        expected = "the prefix of a model's files, one of its .params, a bundle, or a folder with one model"
        raise InputError(f"not a model: expected {expected}", path) from None


def bundle_content(stored: StoredModel) -> bytes:
    """The bytes of a model's bundle. They depend on the model alone. Raises InputError if a part cannot be read."""
    metadata = {"format": FORMAT, "version": VERSION, "epoch": stored.epoch}
    members = {METADATA: (json.dumps(metadata, indent=2) + "\n").encode()}
    for part in PARTS:
        content = stored.read(part)
        if content is not None and len(content) > part.max_bytes:
            raise InputError(f"too large for a bundle: at most {part.max_bytes:,} bytes", stored.where(part))
        if content is not None:
            members[part.name] = content
    return archive_content(members)


def _epoch_in(content: bytes, where: Path) -> int:
    values = parse_json(content, where)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise InputError(f"not the bundle of a model: expected the format {FORMAT!r}", where)
    if values.get("version") != VERSION:
        raise InputError(f"version {values.get('version')!r} is not known; accepted: {VERSION}", where)
    epoch = values.get("epoch")
    if set(values) != {"format", "version", "epoch"} or type(epoch) is not int or not 0 <= epoch < MAX_EPOCH:
        raise InputError("expected the keys format, version and epoch, which is the number of an epoch", where)
    return epoch
