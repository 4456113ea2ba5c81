"""The walls between the rooms, held by walking the imports and by looking into a live image process."""

import ast
import functools
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from benchmarks.imports import imports, modules, room_of
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.generation.pool import ArraySpec, BatchPool
from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer

ROOT = Path(__file__).resolve().parent.parent
# room -> the rooms that it may import, at any time. Every room is here, and each line is needed: see the tests.
MAY_IMPORT: dict[str, set[str]] = {
    "version": set(),
    "errors": set(),
    "runtime": {"errors"},
    "registry": {"errors"},
    "alphabet": {"errors", "runtime"},
    "lengths": {"errors"},
    "config": {"alphabet", "errors", "registry", "runtime"},
    "images": {"config", "errors", "runtime"},
    "rendering": {"config", "errors", "images", "runtime"},
    "generation": {"errors", "runtime"},
    "pages": {"errors", "images", "runtime"},
    "datasets": {"alphabet", "config", "errors", "generation", "images", "pages", "registry", "rendering", "runtime"},
    "decoding": {"alphabet", "config", "errors", "lengths", "runtime"},
    "evaluation": {"alphabet", "errors"},
    "checkpoint": {"alphabet", "config", "errors", "evaluation", "lengths", "runtime"},
    "distributed": {"errors", "runtime"},
    "symbols": {"config", "errors", "runtime"},
    "losses": {"alphabet", "errors", "runtime"},
    "onnx_models": {"alphabet", "checkpoint", "config", "errors", "evaluation", "images", "runtime", "version"},
    "inference": {
        "alphabet", "checkpoint", "config", "datasets", "decoding", "errors", "evaluation", "images", "lengths",
        "onnx_models", "runtime", "symbols",
    },
    "export": {
        "alphabet", "checkpoint", "config", "errors", "images", "inference", "onnx_models", "rendering", "runtime",
    },
    "training": {
        "alphabet", "checkpoint", "config", "datasets", "distributed", "errors", "evaluation", "generation", "images",
        "inference", "lengths", "losses", "registry", "rendering", "runtime", "symbols",
    },
    "experiments": {
        "alphabet", "checkpoint", "config", "datasets", "errors", "evaluation", "images", "inference", "rendering",
        "runtime", "training",
    },
    "interpretation": {
        "alphabet", "datasets", "errors", "evaluation", "images", "inference", "pages", "rendering", "runtime",
    },
    "serving": {
        "checkpoint", "decoding", "errors", "images", "inference", "runtime", "version",
    },
    "cli": {
        "alphabet", "checkpoint", "config", "datasets", "decoding", "distributed", "errors", "evaluation",
        "experiments", "export", "images", "inference", "interpretation", "lengths", "losses", "pages", "registry",
        "runtime", "serving", "training", "version",
    },
}  # fmt: skip
DOOR = "ctc_ocr.runtime.mxnet"
# Modules that importing makes import MXNet. All others do not: image processes, help texts and the face need none.
IMPORT_MXNET = {
    "runtime.mxnet", "runtime.devices", "runtime.host_memory", "runtime.mxnet_internals",
    "checkpoint.bundling", "checkpoint.model_files",
    "datasets.iterator",
    "symbols.cnn", "symbols.contract", "symbols.crnn", "symbols.dividing", "symbols.fixed_statistics", "symbols.images",
    "symbols.lstm", "symbols.summary",
    "losses", "losses.ctc", "losses.feasibility", "losses.softmax", "losses.warpctc", "losses.warpctc_library",
    "inference.activation_map", "inference.constant_folding", "inference.graph", "inference.mxnet_reader",
    "inference.network",
    "export.onnx",
    "distributed.store",
    "training.cluster", "training.divergence", "training.muon", "training.network", "training.optimizer",
    "training.parameter_vector", "training.resume", "training.saving",
    "training.store_workers", "training.trainer", "training.trial_updates", "training.updates", "training.validating",
    "training.weight_averages",
}  # fmt: skip
# Only this module joins the network's parts, and only one reaches from training into inference.
JOINS_NETWORK, READS = "ctc_ocr.training.network", "ctc_ocr.training.reading"
MAY_PRINT = ("cli.", "runtime.progress")
INTERNALS = "ctc_ocr.runtime.mxnet_internals"
PRIVATE = re.compile(r"\._exec_group\b|\._curr_module\b|\._LIB\b|\b_LIB\b")


def reached(start: str, trees: dict[str, ast.Module]) -> set[str]:
    """All that importing a module imports, through the package."""
    seen, left = set(), [start]
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in trees:
            left += imports(trees[name], at_import_time=True)
            left.append(name.rpartition(".")[0])  # a package is imported with its modules
    return seen


def rooms_imported(name: str, tree: ast.Module, trees: dict[str, ast.Module]) -> set[tuple[str, str]]:
    """(room, module) of the package's modules that a module imports at any time."""
    found = set()
    for each in imports(tree, at_import_time=False):
        parts = each.split(".")
        known = next((".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in trees), None)
        if known and room_of(known) not in ("", room_of(name)):
            found.add((room_of(known), known))
    return found


@functools.lru_cache(maxsize=1024)
def prints(tree: ast.Module) -> bool:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(getattr(call.func, "id", "") == "print" for call in calls)


def violations(root: Path) -> list[str]:
    trees = modules(root)
    found = []
    for name, tree in trees.items():
        short = name.removeprefix("ctc_ocr.")
        own = room_of(name)
        used = rooms_imported(name, tree, trees)
        if own not in ("", "__main__"):
            allowed = MAY_IMPORT.get(own)
            if allowed is None:
                found.append(f"{own} is a room that has no rule")
            found += [f"{name} imports {module}" for room, module in used if room not in (allowed or set())]
        reaches = any({each, each.split(".")[0]} & {"mxnet", DOOR} for each in reached(name, trees))
        if reaches and short not in IMPORT_MXNET:
            found.append(f"{name} imports MXNet")
        if own == "training" and name not in (JOINS_NETWORK, READS):
            joined = [module for room, module in used if room in ("symbols", "losses", "inference")]
            found += [f"{name} joins the network's parts: {module}" for module in joined]
        everything = set(imports(tree, at_import_time=False))
        if any(each.split(".")[0] in ("scripts", "tests", "benchmarks", "examples", "fuzz") for each in everything):
            found.append(f"{name} imports scripts, tests, benchmarks or examples")
        if not short.startswith(MAY_PRINT) and prints(tree):
            found.append(f"{name} prints")
        path = root / Path(*name.split("."))
        text = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
        if name != INTERNALS and PRIVATE.search(text):
            found.append(f"{name} uses a private part of MXNet")
    return found


def test_walls_hold() -> None:
    assert violations(ROOT) == []


def test_every_rule_is_about_a_room_and_is_used() -> None:
    trees = modules(ROOT)
    assert {room_of(name) for name in trees} - {"", "__main__"} == set(MAY_IMPORT)
    used: dict[str, set[str]] = {room: set() for room in MAY_IMPORT}
    for name, tree in trees.items():
        if room_of(name) in used:
            used[room_of(name)] |= {room for room, _ in rooms_imported(name, tree, trees)}
    assert {room: allowed - used[room] for room, allowed in MAY_IMPORT.items() if allowed - used[room]} == {}
    for short in IMPORT_MXNET:
        assert {DOOR, "mxnet"} & reached(f"ctc_ocr.{short}", trees), f"{short} does not import MXNet any more"


def test_rooms_have_an_order() -> None:
    """No circles: each room imports only those before it."""
    before: set[str] = set()
    left = dict(MAY_IMPORT)
    while left:
        ready = {room for room, allowed in left.items() if allowed <= before}
        assert ready, f"a circle among {sorted(left)}"
        before |= ready
        left = {room: allowed for room, allowed in left.items() if room not in ready}


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("rendering/fonts.py", "from ctc_ocr.runtime.mxnet import mx", "rendering.fonts imports MXNet"),
        ("alphabet.py", "import mxnet.ndarray", "cli.train imports MXNet"),
        ("symbols/lstm.py", "from ctc_ocr.evaluation import metrics", "symbols.lstm imports ctc_ocr.evaluation"),
        (
            "inference/predictor.py",
            "def f():\n    import ctc_ocr.training.trainer",
            "predictor imports ctc_ocr.training",
        ),
        ("training/callbacks.py", "from ctc_ocr import losses", "callbacks joins the network's parts"),
        ("training/trainer.py", "from ctc_ocr.inference.predictor import Predictor", "trainer joins the network's"),
        ("training/optimizer.py", "import tests.models", "optimizer imports scripts, tests"),
        ("evaluation/metrics.py", "print(1)", "metrics prints"),
        ("datasets/iterator.py", "from ctc_ocr import losses", "iterator imports ctc_ocr.losses"),
        ("training/trainer.py", "x = module._exec_group", "trainer uses a private part of MXNet"),
        ("attic.py", "x = 1", "attic is a room that has no rule"),
    ],
)
def test_planted_violation_is_found(tmp_path: Path, file: str, line: str, complaint: str) -> None:
    shutil.copytree(ROOT / "ctc_ocr", tmp_path / "ctc_ocr")
    with (tmp_path / "ctc_ocr" / file).open("a") as out:
        out.write(f"\n{line}\n")
    assert any(complaint in each for each in violations(tmp_path))


@dataclass(frozen=True)
class Spy:
    """Fills batches as the real source does, and reports which modules its process has imported."""

    source: GeneratedSource

    def specs(self) -> dict[str, ArraySpec]:
        return {**self.source.specs(), "modules": ArraySpec((100_000,), "uint8")}

    def fill(self, number: int, arrays: dict[str, np.ndarray]) -> None:
        self.source.fill(number, {name: array for name, array in arrays.items() if name != "modules"})
        names = " ".join(sys.modules).encode()[:100_000]
        arrays["modules"][:] = 0
        arrays["modules"][: len(names)] = np.frombuffer(names, np.uint8)


def test_an_image_process_imports_neither_mxnet_nor_training(ubuntu_font: str) -> None:
    spy = Spy(GeneratedSource(CaptchaLibraryRenderer((ubuntu_font,)), Data(), 2, seed=0, stream=0))
    with BatchPool(spy, 1, range(1)) as pool:
        names = bytes(next(pool)["modules"]).rstrip(b"\0").decode().split()
    assert "ctc_ocr.rendering.captcha_library" in names
    assert [each for each in names if each.split(".")[0] == "mxnet" or each.startswith("ctc_ocr.training")] == []
