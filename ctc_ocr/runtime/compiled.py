"""Functions compiled by numba."""

from collections.abc import Callable
from typing import Any

from numba import njit

_OPTIONS = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call, and cache it on disk where numba finds a writable directory.

    numba renews the cache only when the file that holds the function itself has changed: functions that call each other
    belong in one file. Processes may compile at the same time if the function is called with one set of types: numba
    could mix up the files of several.
    """
    try:
        return njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no writable directory: every process compiles
        return njit(**_OPTIONS)(function)


def compiled_helper(function: Callable[..., Any]) -> Any:
    """Compile a function that only compiled functions call; the cache holds it as a part of them.

    It compiles faster: numba generates no code to call it from Python.
    """
    return njit(no_cpython_wrapper=True, **_OPTIONS)(function)
