"""Functions compiled by numba, kept on disk between processes."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """The function compiled at its first call; kept on disk where numba finds a directory it can write.

    numba renews what it keeps only when the file in which the function itself is written has changed: functions that
    call each other belong into one file.
    """
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep it: each process compiles for itself
        return njit(**options)(function)
