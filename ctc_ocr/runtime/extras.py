"""What the package's extras install."""

import importlib.util
from collections.abc import Mapping

from ctc_ocr.errors import InputError


def require_extra(extra: str, purpose: str, needed: Mapping[str, str]) -> None:
    """Raises InputError if a module of `needed`, {module: the package that has it}, is not installed."""
    missing = [package for module, package in needed.items() if not importlib.util.find_spec(module)]
    if missing:
        raise InputError(f"{', '.join(missing)} not installed: {purpose}; pip install 'ctc_ocr[{extra}]'")
