"""Functions compiled by numba, which is imported when the first of them is called: most processes call none."""

import functools
import threading
from collections.abc import Callable
from typing import Any

_OPTIONS = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
_resolving = threading.RLock()

Function = Callable[..., Any]


def compiled(function: Function) -> Any:
    """Compile a function at its first call, and cache it on disk where numba finds a writable directory.

    numba renews the cache only when the file that holds the function itself has changed: functions that call each other
    belong in one file. Processes may compile at the same time if the function is called with one set of types: numba
    could mix up the files of several.
    """
    return _Compiled(function, _with_cache)


def compiled_helper(function: Function) -> Any:
    """Compile a function that only compiled functions call; the cache holds it as a part of them.

    It compiles faster: numba generates no code to call it from Python.
    """
    return _Compiled(function, _inside)


class _Compiled:
    """A function before numba has it."""

    def __init__(self, function: Function, give: Callable[[Function], Function]) -> None:
        functools.update_wrapper(self, function)
        self._function, self._give = function, give
        self._given: Function | None = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.given()(*arguments, **named)

    def given(self) -> Function:
        """numba's function. With it, all of its module are numba's: numba looks for those that it calls there."""
        if self._given is None:
            with _resolving:
                if self._given is None:
                    made = self._give(self._function)
                    module = self._function.__globals__
                    self._given = made
                    for name, value in list(module.items()):
                        if isinstance(value, _Compiled):
                            module[name] = value.given()
        return self._given


def _with_cache(function: Function) -> Function:
    from numba import njit

    try:
        made: Function = njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no writable directory: every process compiles
        made = njit(**_OPTIONS)(function)
    return made


def _inside(function: Function) -> Function:
    from numba import njit

    made: Function = njit(no_cpython_wrapper=True, **_OPTIONS)(function)
    return made
