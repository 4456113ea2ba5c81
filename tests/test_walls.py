"""The walls between the layers, held by walking the imports and by looking into a live worker."""

import ast
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.generation.pool import ArraySpec, BatchPool
from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer

ROOT = Path(__file__).resolve().parent.parent
WITHOUT_MXNET = (
    "rendering", "generation", "augmentation", "decoding", "metrics", "datasets", "cli", "images", "alphabet",
    "hyperparameters", "errors", "beam_search", "beam_search_kernels", "language_model", "reading", "calibration",
    "calibration_file", "evaluation", "compiled", "preparation",
)  # fmt: skip
# The DataIter is MXNet's; RecordIO would be, too.
EXCEPTIONS = {"ctc_ocr.datasets.iterator"}
FORBIDDEN = {  # layer -> what it must not import, at any place in a module
    "symbols": ("datasets", "metrics", "training", "losses", "generation", "rendering", "cli"),
    "losses": ("datasets", "metrics", "training", "symbols", "generation", "rendering", "cli"),
    "datasets": ("symbols", "losses", "training", "prediction", "cli"),
    "rendering": ("generation", "datasets", "training", "prediction", "symbols", "losses", "cli"),
    "generation": ("datasets", "training", "prediction", "symbols", "losses", "cli"),
    "prediction": ("training", "cli"),
    "export": ("training", "cli"),
    "checkpoint": ("training", "prediction", "cli"),
    "decoding": ("training", "prediction", "cli"),
    "metrics": ("training", "prediction", "cli"),
    "training": ("cli", "prediction"),
}
MAY_PRINT = ("cli", "training.callbacks")
JOINS_LAYERS = "ctc_ocr.training.trainer"


def modules(root: Path) -> dict[str, ast.Module]:
    """The package's modules, parsed, by their dotted names."""
    found = {}
    for path in (root / "ctc_ocr").rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text())
    return found


def imports(tree: ast.AST, at_import_time: bool) -> set[str]:
    """Dotted names that a module imports; at import time: without those in functions and for type checkers."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif not (at_import_time and is_later(node)):
            found |= imports(node, at_import_time)
    return found


def is_later(node: ast.AST) -> bool:
    """Whether what stands below a node is not run when the module is imported."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.dump(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def within(name: str, *layers: str) -> bool:
    return any(f"{name}.".startswith(f"ctc_ocr.{layer}.") for layer in layers)


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


def violations(root: Path) -> list[str]:
    trees = modules(root)
    found = []
    for name, tree in trees.items():
        if within(name, *WITHOUT_MXNET) and name not in EXCEPTIONS:
            door = {"mxnet", "ctc_ocr.runtime.mxnet"}
            found += [f"{name} imports MXNet" for each in reached(name, trees) if {each, each.split(".")[0]} & door]
        for layer, forbidden in FORBIDDEN.items():
            if within(name, layer):
                named = imports(tree, at_import_time=False)
                found += [f"{name} imports {each}" for each in named if within(each, *forbidden)]
        if within(name, "training") and name != JOINS_LAYERS:
            found += [
                f"{name} joins layers: {each}"
                for each in imports(tree, at_import_time=False)
                if within(each, "symbols", "losses", "datasets", "training.trainer")
            ]
        if any(each.split(".")[0] in ("scripts", "tests") for each in imports(tree, at_import_time=False)):
            found.append(f"{name} imports scripts or tests")
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        if not within(name, *MAY_PRINT) and any(getattr(call.func, "id", "") == "print" for call in calls):
            found.append(f"{name} prints")
    return found


def test_walls_hold() -> None:
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("rendering/text.py", "from ctc_ocr.runtime.mxnet import mx", "rendering.text imports MXNet"),
        ("alphabet.py", "import mxnet.ndarray", "cli.train imports MXNet"),
        ("symbols/lstm.py", "from ctc_ocr import metrics", "symbols.lstm imports ctc_ocr.evaluation.metrics"),
        (
            "prediction.py",
            "def f():\n    import ctc_ocr.training.trainer",
            "prediction imports ctc_ocr.training.trainer",
        ),
        ("training/callbacks.py", "from ctc_ocr.training.trainer import Trainer", "callbacks joins layers"),
        ("training/optimizer.py", "import tests.models", "optimizer imports scripts or tests"),
        ("metrics.py", "print(1)", "metrics prints"),
        ("datasets/iterator.py", "from ctc_ocr import losses", "iterator imports ctc_ocr.losses"),
    ],
)
def test_planted_violation_is_found(tmp_path: Path, file: str, line: str, complaint: str) -> None:
    shutil.copytree(ROOT / "ctc_ocr", tmp_path / "ctc_ocr")
    with (tmp_path / "ctc_ocr" / file).open("a") as out:
        out.write(f"\n{line}\n")
    assert any(complaint in each for each in violations(tmp_path))


@dataclass(frozen=True)
class Spy:
    """Fills batches as the real source does, and tells which modules its process has imported."""

    source: GeneratedSource

    def specs(self) -> dict[str, ArraySpec]:
        return {**self.source.specs(), "modules": ArraySpec((100_000,), "uint8")}

    def fill(self, number: int, arrays: dict[str, np.ndarray]) -> None:
        self.source.fill(number, {name: array for name, array in arrays.items() if name != "modules"})
        told = " ".join(sys.modules).encode()[:100_000]
        arrays["modules"][:] = 0
        arrays["modules"][: len(told)] = np.frombuffer(told, np.uint8)


def test_worker_imports_neither_mxnet_nor_training(ubuntu_font: str) -> None:
    spy = Spy(GeneratedSource(CaptchaLibraryRenderer((ubuntu_font,)), Data(), 2, seed=0, stream=0))
    with BatchPool(spy, 1, range(1)) as pool:
        told = bytes(next(pool)["modules"]).rstrip(b"\0").decode().split()
    assert "ctc_ocr.rendering.captcha_library" in told
    assert [each for each in told if each.split(".")[0] == "mxnet" or each.startswith("ctc_ocr.training")] == []
