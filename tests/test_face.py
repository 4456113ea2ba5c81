"""What `import ctc_ocr` gives, and what it costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ctc_ocr

ROOT = Path(__file__).resolve().parent.parent


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ("mxnet", "numba", "numpy", "cv2", "PIL", "ctc_ocr.training", "ctc_ocr.inference")
    loaded = python("import sys, ctc_ocr; print(*sys.modules)").split()
    assert [name for name in loaded if name.startswith(heavy)] == []


@pytest.mark.parametrize("name", ctc_ocr.__all__)
def test_every_public_name_is_there(name: str) -> None:
    value = getattr(ctc_ocr, name)
    assert value is getattr(ctc_ocr, name)
    if callable(value):
        assert value.__doc__, name


def test_type_checkers_are_told_the_same_names() -> None:
    """The imports for type checkers and the lazy table name the same things in the same modules."""
    tree = ast.parse((ROOT / "ctc_ocr" / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {
        alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert imported.pop("MXNet") == "ctc_ocr.runtime.types"
    assert imported == ctc_ocr._MODULES


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ctc_ocr.nothing
    assert set(ctc_ocr.__all__) == set(dir(ctc_ocr))


def test_mxnet_is_reached_through_the_package() -> None:
    assert python("from ctc_ocr import mxnet as mx; print(mx.nd.ones((2, 2)).asnumpy().sum())") == "4.0\n"
