"""Fixtures that several test files use."""

from pathlib import Path

import pytest

FONTS = Path(__file__).resolve().parent.parent / "fonts"


@pytest.fixture(scope="session")
def fonts_folder() -> Path:
    """The folder of the four Ubuntu fonts."""
    return FONTS


@pytest.fixture(scope="session")
def ubuntu_font() -> str:
    """Path of Ubuntu-M.ttf."""
    return str(FONTS / "Ubuntu-M.ttf")
