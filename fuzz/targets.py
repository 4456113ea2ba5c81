"""What is fuzzed: for each kind of input its valid files, how they are changed, and what reads them."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzz.mutations import (
    Files,
    Mutator,
    changed_bytes,
    changed_json,
    changed_png,
    changed_zip,
)

Run = Callable[[Path], object]  # reads the files of a folder


@dataclass(frozen=True)
class Target:
    """`corpus`: a function that gives valid inputs, each some files; as "module:name", or a name in fuzz.corpus.

    `reader`: a function that makes what reads the files of a folder, likewise, or a name in fuzz.readers. `changed`:
    the names of the files of which one is changed, each with the ways to change it.
    """

    corpus: str
    reader: str
    changed: dict[str, Sequence[Mutator]]

    def valid(self) -> list[Files]:
        found: list[Files] = _attribute(self.corpus, "fuzz.corpus")()
        return found

    def make_reader(self, folder: Path) -> Run:
        made: Run = _attribute(self.reader, "fuzz.readers")(folder)
        return made


def _attribute(name: str, module: str) -> Any:
    """What "module:name" names, or a name in a module."""
    found, _, own = name.rpartition(":")
    return getattr(importlib.import_module(found or module), own)


def find_target(name: str) -> Target:
    """One of TARGETS, or a target elsewhere, as "module:name"."""
    found: Target = TARGETS[name] if name in TARGETS else _attribute(name, "")
    return found


BYTES = (changed_bytes,)
JSON = (changed_json, changed_json, changed_json, changed_bytes)
TARGETS = {
    "image": Target("images", "image", {"input": (changed_bytes, changed_bytes, changed_png)}),
    "symbol": Target("examples", "model", {"ocr-symbol.json": JSON}),
    "params": Target("models", "model", {"ocr-0001.params": BYTES}),
    "state": Target("states", "state", {"ocr-0001.state.npz": (changed_zip, changed_zip, changed_bytes)}),
    "onnx": Target("onnx_models", "onnx_model", {"ocr.onnx": BYTES}),
    "description": Target("models", "model", {"ocr.json": JSON}),
    "calibration": Target(
        "runs",
        "run",
        {"ocr-calibration.json": JSON, "ocr-history.csv": BYTES, "ocr-images.csv": BYTES},
    ),
    "bundle": Target("bundles", "bundle", {"ocr.zip": (changed_zip, changed_zip, changed_bytes)}),
    "csv": Target(
        "labels",
        "labels",
        {"a.csv": BYTES, "b.txt": BYTES, "labels.json": JSON, "1.gt.txt": BYTES},
    ),
    "config": Target("configs", "config", {"ocr.json": JSON}),
    "lookup": Target("lookups", "lookup", {"lookup.json": JSON}),
    "pack": Target("packs", "pack", {"a.rec": BYTES, "a.idx": BYTES, "a.json": JSON}),
    "font": Target("fonts", "font", {"a.ttf": BYTES}),
    "request": Target("requests", "request", {"request": BYTES}),
}
