"""MXNet is imported in a fifth of its time: what most programs never use is made when it is first used.

Its import writes, compiles and runs Python code for each of its operators, and imports modules for tests, Gluon
and ONNX with all that these import. Here an operator's function is made by its first call, and such a module is loaded
by the first look at its attributes. Both are what MXNet itself would have made.
"""

import contextlib
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

BASE = "mxnet.base"
MAKERS = ("_init_op_module", "_init_np_op_module")  # of its functions, those that make the operators of a module
LAZY = ("mxnet.contrib.onnx", "mxnet.contrib.text", "mxnet.gluon", "mxnet.notebook", "mxnet.test_utils")
VERSIONS = ("LooseVersion", "StrictVersion")

Make = Callable[[Any, str, str], Callable[..., Any]]  # (handle, operator's name, function's name) -> its function


@contextlib.contextmanager
def quick_import() -> Iterator[None]:
    """Within this, an import of MXNet is a quick one."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        with _distutils():
            yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules that are loaded in another way."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != BASE and fullname not in LAZY:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _BaseLoader(spec.loader) if fullname == BASE else importlib.util.LazyLoader(spec.loader)
        return spec


class _BaseLoader(importlib.abc.Loader):
    """Loads mxnet.base; then lets what makes operators make them lazily."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        self._loader.exec_module(module)
        for name in MAKERS:
            setattr(module, name, _lazily(getattr(module, name)))


def _lazily(make_all: Callable[[str, str, Make], None]) -> Callable[..., None]:
    """make_all(..., make), where make is called for an operator when its function is first called."""

    @functools.wraps(make_all)
    def make_all_lazily(*arguments: Any, **named: Any) -> None:
        if arguments and callable(arguments[-1]):
            arguments = (*arguments[:-1], _LazyMake(arguments[-1]))
        else:
            named["make_op_func"] = _LazyMake(named["make_op_func"])
        make_all(*arguments, **named)

    return make_all_lazily


class _LazyMake:
    """In place of a function that makes an operator's function."""

    def __init__(self, make: Make) -> None:
        self._make = make

    def __call__(self, handle: Any, name: str, func_name: str) -> Callable[..., Any]:
        made: Callable[..., Any] | None = None

        def operator(*arguments: Any, **named: Any) -> Any:
            nonlocal made
            if made is None:
                made = self._make(handle, name, func_name)
            return made(*arguments, **named)

        operator.__name__ = operator.__qualname__ = func_name
        operator.__doc__ = f"MXNet's operator {name}."  # some are read, and changed, during the import
        return operator


@contextlib.contextmanager
def _distutils() -> Iterator[None]:
    """A module distutils.version while MXNet is imported: all that it needs of distutils, which Python 3.12 no longer
    has, and in whose place setuptools would be imported before."""
    before = {name: sys.modules.get(name) for name in ("distutils", "distutils.version")}
    package, version = (types.ModuleType(name) for name in before)
    package.__path__ = []
    for name in VERSIONS:
        setattr(version, name, _Version)
    sys.modules |= {"distutils": package, "distutils.version": version}
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


@functools.total_ordering
class _Version:
    """A version number; they are compared number by number."""

    def __init__(self, text: str) -> None:
        self._numbers = tuple(map(int, re.findall(r"\d+", text)[:3]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Version) and self._numbers == other._numbers

    def __lt__(self, other: "_Version") -> bool:
        return self._numbers < other._numbers

    def __hash__(self) -> int:
        return hash(self._numbers)
